//! The doors for `tracing`: every `tracing` span becomes a Clewline span, without a second walk.
//!
//! Two doors, a layer for registries (here) and a subscriber of its own, over one recorder. A span's fields are written once, in
//! OTLP's form, when `tracing` shows them. Nothing is allocated in the steady state. No lock is held while code of the program
//! runs, such as a field's `Debug`.

mod activity;
mod callsite;
mod context_cell;
mod event;
mod extension;
mod fields;
mod loan;
mod open;
mod options;
mod place;
mod recorder;
mod scratch;
mod sites;
mod slots;
mod subscriber;
mod table;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::thread;

use tracing_core::dispatcher::{self, WeakDispatch};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, Subscriber};
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use self::options::option_methods;
use self::place::Found;
use self::recorder::{Door, HandedOn, Recorder};
use self::table::Table;
use crate::current::{self, Within};
use crate::pipeline::Pipeline;

pub(crate) use activity::Activity;
#[cfg(feature = "fmt")]
pub(crate) use extension::nearest_context_where;
pub use extension::{SetParentError, SpanExt};
pub(crate) use extension::{context_of, hand_to_child, nearest_to_current, with_recording_of};
pub(crate) use open::{OpenSpans, end_open_spans, open_spans};
pub use subscriber::{ClewlineSubscriber, subscriber};

/// A layer that records spans with the pipeline that [`init`](crate::init) or [`start`](crate::start) started, for any
/// subscriber that is based on `tracing_subscriber`'s registry. Spans from before that moment are not recorded.
/// [`ClewlineLayer`] says what becomes of spans, fields and events.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt as _;
/// let subscriber = tracing_subscriber::registry().with(clewline::layer());
/// # drop(subscriber);
/// ```
#[must_use]
pub fn layer() -> ClewlineLayer {
    ClewlineLayer::default()
}

/// Records `tracing` spans; made by [`layer`](fn@layer).
///
/// # What becomes of what
///
/// - The span's name is its `name`, or its field `otel.name`. Its instrumentation scope is the crate in its target.
/// - `otel.kind`, `otel.status_code` and `otel.status_description` (or `otel.status_message`) set kind and status, in any
///   case and any order, also with `record`. Other fields become attributes.
/// - A field of type `dyn Error` becomes the event `exception` with the error's sources, and makes the span fail.
/// - An event within a span becomes an event of that span: its name is the message, `level` and `target` are attributes. An
///   event with an error becomes the event `exception`. An event of level ERROR, and one that is an error without a message
///   (as `#[instrument(err)]` emits), makes the span fail unless its status is set. Events outside of spans are not recorded.
/// - The parent is the one that `tracing` says, or its nearest ancestor that this layer's filters let through.
/// - `follows_from` becomes a link.
/// - The sampler sees the name, the kind, the parent and the fields that a span begins with; none of those that ship with
///   Clewline looks at fields.
///
/// # Coming from `tracing-opentelemetry`
///
/// Trees, names, kinds, statuses, attributes, events and links are the same, and the options have the same names, but are off
/// unless asked for. What is different, on purpose:
///
/// - Unsigned and 128-bit integers are integers where they fit, bytes are bytes; there both become text.
/// - An error is the event `exception`, with its sources as `exception.stacktrace`; there it becomes attributes of span and
///   event. An error that is a field of a span makes the span fail.
/// - An event of level ERROR describes the status that it sets with its message.
/// - An `otel.kind` or `otel.status_code` that names none stays an attribute.
/// - A field that is recorded again replaces the value; there both values stand in the span.
/// - A span ends when it is closed; there, when it was left last.
pub struct ClewlineLayer {
    recorder: Recorder,
    spans: Table,
    is_filtered: bool,
    dispatch: OnceLock<WeakDispatch>,
    ancestor: Option<Ancestor>,
}

/// Finds the nearest span that the layer knows, upwards from one that it does not know. What type the subscriber has is known
/// only when the layer is added to it.
type Ancestor = fn(&ClewlineLayer, &Dispatch, &Id) -> Option<u64>;

impl ClewlineLayer {
    /// A layer with a pipeline of its own.
    #[must_use]
    pub fn new(pipeline: &'static Pipeline) -> Self {
        Self::with_recorder(Recorder::new(Some(pipeline)))
    }

    fn with_recorder(recorder: Recorder) -> Self {
        Self { recorder, spans: Table::new(), is_filtered: false, dispatch: OnceLock::new(), ancestor: None }
    }

    option_methods!();

    /// The layer behind a filter of its own, as [`Layer::with_filter`] makes it.
    ///
    /// This method comes before that of the trait and tells the layer that there may be spans that it does not see, so that
    /// it looks for parents among the ancestors of these.
    #[must_use]
    pub fn with_filter<S, F>(mut self, filter: F) -> Filtered<Self, F, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        F: Filter<S>,
    {
        self.is_filtered = true;
        Layer::with_filter(self, filter)
    }

    /// The nearest span that this layer knows above one that it does not.
    #[cold]
    fn nearest_ancestor(&self, number: u64) -> Option<u64> {
        let dispatch = self.dispatch.get()?.upgrade()?;
        self.ancestor?(self, &dispatch, &Id::from_non_zero_u64(number.try_into().ok()?))
    }

    #[inline]
    fn parent_of<S>(&self, attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>) -> Option<HandedOn>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let parent = if attributes.is_contextual() {
            match self.current(context) {
                Within::Nothing => return None,
                Within::Tracing(number) => number,
                Within::Other(place) => return Some(place.context()?.into_parts()),
            }
        } else {
            attributes.parent()?.into_u64()
        };
        let found = match self.spans.find(parent) {
            Some(found) => found,
            None => self.filtered_parent(id, context)?,
        };
        Some(found.hand_to_child())
    }

    /// What the thread is in.
    #[inline]
    fn current<S: Subscriber>(&self, context: &Context<'_, S>) -> Within {
        match current::within(self.recorder.number) {
            // A span that filters keep from this layer is not on the thread's stack, and has ancestors of its own.
            Within::Tracing(_) | Within::Nothing if self.is_filtered => {}
            Within::Nothing => {}
            within => return within,
        }
        context.current_span().id().map_or(Within::Nothing, |id| Within::Tracing(id.into_u64()))
    }

    /// The parent of a span whose parent in `tracing` is not this layer's.
    #[cold]
    fn filtered_parent<S>(&self, id: &Id, context: &Context<'_, S>) -> Option<Found<'_>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let span = context.span(id)?;
        span.scope().skip(1).find_map(|ancestor| self.spans.find(ancestor.id().into_u64()))
    }

    fn new_span<S>(&self, attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let parent = self.parent_of(attributes, id, context).unwrap_or_default();
        self.recorder.start(attributes, parent, |context, is_foreign, carried, recording| {
            self.spans.insert(id.into_u64(), context, is_foreign, carried, recording);
        });
    }
}

/// As [`layer`] makes it.
impl Default for ClewlineLayer {
    fn default() -> Self {
        Self::with_recorder(Recorder::new(None))
    }
}

impl ClewlineLayer {
    /// Closes a span that nobody has got.
    ///
    /// The registry lets go of the parent through the thread's default subscriber, which there is none of while a span is being
    /// made, unless it is the process's default. Then another thread has to do it.
    #[cold]
    fn close_unborn(&self, id: &Id) {
        let Some(dispatch) = self.dispatch.get().and_then(WeakDispatch::upgrade) else { return };
        let is_this = |layer: &Self| layer.recorder.number == self.recorder.number;
        if dispatcher::get_default(|default| default.downcast_ref::<Self>().is_some_and(is_this)) {
            dispatch.try_close(id.clone());
            return;
        }
        let id = id.clone();
        let close = move || dispatcher::with_default(&dispatch, || dispatch.try_close(id));
        if let Ok(thread) = thread::Builder::new().name("clewline-close".to_owned()).spawn(close) {
            // It has nothing to report.
            let _ = thread.join();
        }
    }
}

impl Door for ClewlineLayer {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    #[inline]
    fn find(&self, number: u64) -> Option<Found<'_>> {
        self.spans.find(number)
    }

    #[inline]
    fn find_nearest(&self, number: u64) -> Option<Found<'_>> {
        self.spans.find(number).or_else(|| self.spans.find(self.nearest_ancestor(number)?))
    }
}

impl<S> Layer<S> for ClewlineLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        // A layer belongs to one subscriber, which is registered once.
        if self.dispatch.set(subscriber.downgrade()).is_ok() {
            extension::register(self.recorder.number, subscriber.downgrade());
        }
    }

    fn on_layer(&mut self, _: &mut S) {
        self.ancestor = Some(ancestor::<S>);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        // The `Debug` of a field may panic. The registry has made the span already, and as nobody gets a handle to it, it would
        // stay open for ever, and its parent with it.
        let made = catch_unwind(AssertUnwindSafe(|| self.new_span(attributes, id, &context)));
        if let Err(panic) = made {
            self.close_unborn(id);
            resume_unwind(panic);
        }
    }

    #[inline]
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        current::enter_tracing(self.recorder.number, id.into_u64());
        if self.recorder.options.has_inactivity {
            self.recorder.enter(self, id.into_u64());
        }
    }

    #[inline]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        current::exit_tracing(self.recorder.number, id.into_u64());
        if self.recorder.options.has_inactivity {
            self.recorder.exit(self, id.into_u64());
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(found) = self.spans.find(id.into_u64()) {
            self.recorder.record(found, values);
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        if let Some(found) = self.spans.find(id.into_u64())
            && let Some(followed) = self.find_nearest(follows.into_u64())
        {
            self.recorder.follow(found, followed);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        match event.parent() {
            Some(parent) => self.recorder.event(event, self.find_nearest(parent.into_u64())),
            None if event.is_contextual() => match self.current(&context) {
                Within::Nothing => {}
                Within::Tracing(number) => self.recorder.event(event, self.find_nearest(number)),
                Within::Other(place) => self.recorder.event_elsewhere(event, &place),
            },
            None => {}
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(recording) = self.spans.find(id.into_u64()).and_then(Found::remove) {
            self.recorder.close(recording);
        }
    }
}

impl fmt::Debug for ClewlineLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClewlineLayer").field("recorder", &self.recorder).finish_non_exhaustive()
    }
}

/// Finds the nearest ancestor of a span that the layer knows, in a subscriber of type `S`.
fn ancestor<S>(layer: &ClewlineLayer, dispatch: &Dispatch, id: &Id) -> Option<u64>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let span = dispatch.downcast_ref::<S>()?.span(id)?;
    span.scope().map(|ancestor| ancestor.id().into_u64()).find(|&number| layer.spans.find(number).is_some())
}
