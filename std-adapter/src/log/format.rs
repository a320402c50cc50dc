//! Formats of `tracing-subscriber`'s `fmt` layer, with ids on every line within a span.

use std::fmt::{self, Write as _};

use clewline_core::SpanContext;
use tracing_core::{Dispatch, Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::writer::{BeforeEnd, IntoObject, NAMES, has_names};

/// A format whose lines end with ` trace_id=… span_id=…`: for all of `tracing-subscriber`'s formats that write text.
///
/// ```
/// use tracing_subscriber::fmt;
/// use tracing_subscriber::layer::SubscriberExt as _;
/// let logs = fmt::layer().compact().map_event_format(clewline::log::text);
/// let subscriber = tracing_subscriber::registry().with(clewline::layer()).with(logs);
/// # drop(subscriber);
/// ```
pub fn text<L: Clone, T: Clone>(format: Format<L, T>) -> WithIds<Format<L, T>> {
    // A writer of ours cannot pass on whether there are colours, so the format is told.
    WithIds { coloured: Some(format.clone().with_ansi(true)), plain: format, is_json: false }
}

/// A format whose lines are JSON objects and have the members `trace_id`, `span_id` and `trace_flags`.
///
/// `tracing-subscriber` writes JSON with its own feature `json`: `fmt::layer().json().map_event_format(clewline::log::json)`.
///
/// Where `flatten_event(true)` makes a member of one of these names of an event's own field, the line keeps that and gets none of
/// the three: no name comes twice, and no ids of two spans stand side by side.
pub fn json<F>(format: F) -> WithIds<F> {
    WithIds { plain: format, coloured: None, is_json: true }
}

/// As [`text`], for a format that is not `tracing-subscriber`'s own. It is told that there are no colours.
pub fn around<F>(format: F) -> WithIds<F> {
    WithIds { plain: format, coloured: None, is_json: false }
}

/// A format that puts the ids of the current span on every line; made by [`text`], [`json`] and [`around`].
///
/// The span is that in which the event happened, or its nearest ancestor that Clewline's layer knows; for an event that is in no
/// `tracing` span, the current span of any other door.
#[derive(Clone, Debug)]
pub struct WithIds<F> {
    plain: F,
    /// The same, where the lines have colours.
    coloured: Option<F>,
    is_json: bool,
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let ids = ids(context, event);
        let format = match &self.coloured {
            Some(coloured) if writer.has_ansi_escapes() => coloured,
            _ => &self.plain,
        };
        // Records of the `log` crate come here as events, some with ids in their messages.
        #[cfg(feature = "log")]
        let _without_ids = ids.map(|_| super::without_ids());
        if self.is_json {
            let mut object = IntoObject::new(writer, ids);
            // Whether such a field becomes a member beside the ids or within another one is the format's affair.
            if event.metadata().fields().iter().any(|field| NAMES.contains(&field.name())) {
                let mut line = String::new();
                format.format_event(context, Writer::new(&mut line), event)?;
                return if has_names(&line) { object.pass(&line) } else { object.write_str(&line) };
            }
            return format.format_event(context, Writer::new(&mut object), event);
        }
        let mut line = BeforeEnd::new(writer);
        format.format_event(context, Writer::new(&mut line), event)?;
        line.finish(ids)
    }
}

/// The context of the span in which an event happened.
fn ids<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Option<SpanContext>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    if event.is_contextual()
        && let Some(current) = crate::current_context()
    {
        return Some(current);
    }
    // While an event is dispatched, `tracing` does not say to which subscriber. What this layer keeps of the span does: it lies
    // in one subscriber only.
    let span = context.parent_span()?;
    let id = span.id();
    let kept = address_of_fields::<S, N>(&span)?;
    let is_this = |dispatch: &Dispatch| {
        let span = dispatch.downcast_ref::<S>().and_then(|subscriber| subscriber.span(&id));
        span.is_some_and(|span| address_of_fields::<S, N>(&span) == Some(kept))
    };
    crate::layer::nearest_context_where(id.into_u64(), &is_this)
}

fn address_of_fields<'a, S, N>(span: &SpanRef<'a, S>) -> Option<usize>
where
    S: Subscriber + LookupSpan<'a>,
    N: 'static,
{
    let extensions = span.extensions();
    extensions.get::<FormattedFields<N>>().map(|fields| std::ptr::from_ref(fields).addr())
}
