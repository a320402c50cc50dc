//! The `tracing` layer: every `tracing` span becomes a Clewline span, without a second walk.
//!
//! A span's fields are written once, in OTLP's form, when `tracing` shows them. Nothing is allocated in the steady state. No
//! lock is held while code of the program runs, such as a field's `Debug`.
//!
//! # What becomes of what
//!
//! - The span's name is its `name`, or its field `otel.name`. Its instrumentation scope is the crate in its target.
//! - `otel.kind`, `otel.status_code` and `otel.status_description` (or `otel.status_message`) set kind and status, in any
//!   case and any order, also with `record`. Other fields become attributes.
//! - A field of type `dyn Error` becomes the event `exception` with the error's sources, and makes the span fail.
//! - An event within a span becomes an event of that span: its name is the message, `level` and `target` are attributes. An
//!   event with an error becomes the event `exception`. An event of level ERROR, and one that is an error without a message
//!   (as `#[instrument(err)]` emits), makes the span fail unless its status is set. Events outside of spans are not recorded.
//! - The parent is the one that `tracing` says, or its nearest ancestor that this layer's filters let through.
//! - `follows_from` becomes a link.
//! - The sampler sees the name, the kind and the parent of a span, but not its other fields.

mod callsite;
mod event;
mod extension;
mod fields;
mod scratch;
mod table;

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use clewline_core::{SpanContext, SpanKind};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, Metadata, Subscriber, dispatcher::WeakDispatch};
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use self::callsite::Callsites;
use self::event::Staging;
use self::fields::{NewSpan, name_and_kind, set_staged};
use self::scratch::with_scratch;
use self::table::{Found, Table};
use crate::current::carried::{Carried, Shared};
use crate::current::{self, Within};
use crate::pipeline::{Pipeline, Recording, adopted_context, sample_again};
use crate::tracer;

pub use extension::SpanExt;
pub(crate) use extension::{context_of, nearest_to_current, with_recording_of};

/// A layer that records spans with the pipeline that [`init`](crate::init) or [`start`](crate::start) started, for any
/// subscriber that is based on `tracing_subscriber`'s registry. Spans from before that moment are not recorded.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt as _;
/// let subscriber = tracing_subscriber::registry().with(clewline::layer());
/// # drop(subscriber);
/// ```
#[must_use]
pub fn layer() -> ClewlineLayer {
    ClewlineLayer::with_pipeline(OnceLock::new())
}

/// Records `tracing` spans; see [`layer`].
pub struct ClewlineLayer {
    /// Tells this layer's spans from those of others.
    number: u32,
    pipeline: OnceLock<&'static Pipeline>,
    spans: Table,
    callsites: Callsites,
    has_location: bool,
    is_filtered: bool,
    dispatch: OnceLock<WeakDispatch>,
    ancestor: Option<Ancestor>,
}

/// What a new span gets of its parent.
type HandedOn = (Option<SpanContext>, Shared);

/// Finds the nearest span that the layer knows, upwards from one that it does not know. What type the subscriber has is known
/// only when the layer is added to it.
type Ancestor = fn(&ClewlineLayer, &Dispatch, &Id) -> Option<u64>;

impl ClewlineLayer {
    /// A layer with a pipeline of its own.
    #[must_use]
    pub fn new(pipeline: &'static Pipeline) -> Self {
        Self::with_pipeline(OnceLock::from(pipeline))
    }

    fn with_pipeline(pipeline: OnceLock<&'static Pipeline>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            pipeline,
            spans: Table::new(),
            callsites: Callsites::new(),
            has_location: false,
            is_filtered: false,
            dispatch: OnceLock::new(),
            ancestor: None,
        }
    }

    /// Whether spans say where in the source they are: `code.file.path`, `code.line.number` and `code.module.name`. Off
    /// unless asked for.
    #[must_use]
    pub fn with_location(mut self, has_location: bool) -> Self {
        self.has_location = has_location;
        self
    }

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

    #[inline]
    fn pipeline(&self) -> Option<&'static Pipeline> {
        match self.pipeline.get() {
            Some(pipeline) => Some(pipeline),
            None => tracer::global().map(|pipeline| *self.pipeline.get_or_init(|| pipeline)),
        }
    }

    /// A span, or the nearest ancestor that this layer knows.
    fn nearest(&self, number: u64) -> Option<Found<'_>> {
        match self.spans.find(number) {
            Some(found) => Some(found),
            None => self.spans.find(self.nearest_ancestor(number)?),
        }
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
        Some((Some(found.context()?), found.carried()))
    }

    /// What the thread is in.
    #[inline]
    fn current<S: Subscriber>(&self, context: &Context<'_, S>) -> Within {
        match current::within(self.number) {
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

    fn record_location(recording: &mut Recording, metadata: &Metadata<'_>) {
        if let Some(file) = metadata.file() {
            recording.span.set("code.file.path", file);
        }
        if let Some(line) = metadata.line() {
            recording.span.set("code.line.number", line);
        }
        if let Some(module) = metadata.module_path() {
            recording.span.set("code.module.name", module);
        }
    }

    /// Gives a span a parent after it has begun, and what the parent hands on.
    fn adopt(&self, number: u64, metadata: &'static Metadata<'static>, parent: crate::Context) -> Option<()> {
        let pipeline = self.pipeline()?;
        let found = self.spans.find(number)?;
        let (parent, carried) = parent.into_parts();
        let told = carried.as_ref().and_then(|carried| carried.sampling);
        if parent.is_none() && told.is_none() {
            found.set_carried(carried);
            return Some(());
        }
        let callsite = self.callsites.get(pipeline, metadata);
        callsite.note_parent();
        with_scratch(|scratch| {
            // The sampler may be the program's own code, so it is asked while the span is not locked.
            let kind = found.with(|recording| {
                let view = recording.span.view(0);
                scratch.push_text(view.name());
                view.kind()
            });
            let name = if kind.is_some() { scratch.all_text() } else { metadata.name() };
            let kind = kind.unwrap_or(SpanKind::Internal);
            let own = found.context()?;
            let sampler = pipeline.sampler();
            let sampling =
                sample_again(&*sampler, parent.as_ref(), told, trace_state_of(&carried), own.trace_id(), name, kind);
            let context = adopted_context(&own, parent.as_ref(), &sampling);
            let mut fresh = None;
            if !found.has_recording() && context.is_sampled() {
                fresh = pipeline.record_on_trial(callsite.scope(), name, kind, context, parent, "");
            }
            let carried = Carried::into_span(carried, sampling.trace_state);
            let trace_state = trace_state_of(&carried);
            let mut begun = None;
            found.replace(|recording| {
                let mut recording = recording.or_else(|| fresh.take());
                let has_begun = recording.as_mut().is_some_and(|recording| {
                    if recording.span.view(0).trace_state() != trace_state {
                        recording.span.set_trace_state(trace_state);
                    }
                    recording.adopt(context, parent, &sampling)
                });
                if has_begun {
                    begun = recording.take();
                }
                (context, recording)
            });
            found.set_carried(carried);
            // Processors are the program's own code too, so they get the span while its place is empty and not locked.
            if let Some(recording) = &mut begun {
                pipeline.announce(&mut recording.span);
                found.replace(|_| (context, begun.take()));
            }
            if let Some(closed_meanwhile) = begun {
                closed_meanwhile.finish(None);
            }
            #[cfg(feature = "opentelemetry")]
            current::moved(self.number, number);
            Some(())
        })
    }
}

impl<S> Layer<S> for ClewlineLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        // A layer belongs to one subscriber, which is registered once.
        if self.dispatch.set(subscriber.downgrade()).is_ok() {
            extension::register(self.number, subscriber.downgrade());
        }
    }

    fn on_layer(&mut self, _: &mut S) {
        self.ancestor = Some(ancestor::<S>);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(pipeline) = self.pipeline() else { return };
        if current::is_suppressed() {
            return;
        }
        let metadata = attributes.metadata();
        let callsite = self.callsites.get(pipeline, metadata);
        let (parent, carried) = self.parent_of(attributes, id, &context).unwrap_or_default();
        let scope = callsite.scope();
        let details = carried.as_ref().map(Carried::details);
        let start = |name: &str, kind| {
            let mut started = pipeline.start_span(scope, name, kind, parent.as_ref(), details.as_ref());
            let context = started.context()?;
            let recording = started.take().or_else(|| {
                let is_trial = callsite.wants_trial(parent.is_none());
                if is_trial {
                    pipeline.record_on_trial(scope, name, kind, context, parent, trace_state_of(&carried))
                } else {
                    None
                }
            });
            Some((context, recording, started.carried.take()))
        };
        let started = if callsite.names_itself() {
            with_scratch(|scratch| {
                let (name, kind) = name_and_kind(attributes, scratch);
                start(name, kind)
            })
        } else {
            start(metadata.name(), SpanKind::Internal)
        };
        let Some((context, recording, carried)) = started else { return };
        let mut live = Live(recording);
        if let Some(recording) = live.0.as_deref_mut() {
            if self.has_location {
                Self::record_location(recording, metadata);
            }
            if !attributes.is_empty() {
                with_scratch(|scratch| attributes.record(&mut NewSpan { recording, scratch }));
            }
        }
        if let Err(recording) = self.spans.insert(id.into_u64(), &context, live.0.take(), carried) {
            // Eight million spans are open. This one ends at once, so that it is not lost.
            drop(Live(recording));
        }
    }

    #[inline]
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        current::enter_tracing(self.number, id.into_u64());
    }

    #[inline]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        current::exit_tracing(self.number, id.into_u64());
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(found) = self.spans.find(id.into_u64())
            && found.has_recording()
        {
            with_scratch(|scratch| {
                values.record(scratch);
                found.with(|recording| set_staged(recording, scratch));
            });
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        if let Some(found) = self.spans.find(id.into_u64())
            && let Some(follows) = self.nearest(follows.into_u64())
            && let Some(context) = follows.context()
        {
            let carried = follows.carried();
            found.with(|recording| drop(recording.span.link(&context, trace_state_of(&carried))));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let within = match event.parent() {
            Some(parent) => Within::Tracing(parent.into_u64()),
            None if event.is_contextual() => self.current(&context),
            None => Within::Nothing,
        };
        let Some(pipeline) = self.pipeline() else { return };
        let stage = |work: &mut dyn FnMut(&Staging<'_>, u64)| {
            let now = pipeline.now();
            with_scratch(|scratch| {
                event.record(scratch);
                work(&Staging::new(scratch, event.metadata()), now);
            });
        };
        match within {
            Within::Nothing => {}
            Within::Tracing(number) => {
                let found = self.spans.find(number).or_else(|| self.spans.find(self.nearest_ancestor(number)?));
                if let Some(found) = found
                    && found.has_recording()
                {
                    stage(&mut |staging, now| {
                        found.with(|recording| staging.record(recording, now));
                    });
                }
            }
            Within::Other(place) => {
                if place.is_recording() {
                    stage(&mut |staging, now| {
                        place.with(|recording| staging.record(recording, now));
                    });
                }
            }
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(found) = self.spans.find(id.into_u64()) {
            drop(Live(found.remove()));
        }
    }
}

impl fmt::Debug for ClewlineLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClewlineLayer")
            .field("pipeline", &self.pipeline.get())
            .field("has_location", &self.has_location)
            .finish_non_exhaustive()
    }
}

fn trace_state_of(carried: &Shared) -> &str {
    carried.as_ref().map_or("", |carried| &carried.trace_state)
}

/// Finds the nearest ancestor of a span that the layer knows, in a subscriber of type `S`.
fn ancestor<S>(layer: &ClewlineLayer, dispatch: &Dispatch, id: &Id) -> Option<u64>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let span = dispatch.downcast_ref::<S>()?.span(id)?;
    span.scope().map(|ancestor| ancestor.id().into_u64()).find(|&number| layer.spans.find(number).is_some())
}

/// A recording that ends when dropped: also when a field's `Debug` panics while its span is being made.
struct Live(Option<Box<Recording>>);

impl Drop for Live {
    #[inline]
    fn drop(&mut self) {
        if let Some(recording) = self.0.take() {
            if recording.is_on_trial() { recording.discard() } else { recording.finish(None) }
        }
    }
}
