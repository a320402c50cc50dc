//! `Recorder`: what both doors for `tracing` have in common: from attributes, fields and events to recordings.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use clewline_core::{SamplingDecision, SpanContext, SpanKind, Value};
use tracing_core::span::{Attributes, Record};
use tracing_core::{Event, Metadata};

use super::activity::Activity;
use super::callsite::{Callsite, Callsites};
use super::event::Staging;
use super::extension::SetParentError;
use super::fields::{NewSpan, Special, name_and_kind, set_one_staged, set_staged, special};
use super::loan::Work;
use super::options::Options;
use super::place::Found;
use super::scratch::with_scratch;
use crate::current::carried::{Carried, Shared};
use crate::current::{self, Context};
use crate::pipeline::{Pipeline, Recording, SpanDetails, adopted_context, sample_again};
use crate::{Span, tracer};

/// Records the spans of one layer or subscriber.
pub(super) struct Recorder {
    /// Tells this recorder's spans from those of others.
    pub(super) number: u32,
    pub(super) options: Options,
    pipeline: OnceLock<&'static Pipeline>,
    callsites: Callsites,
}

/// Marks the number of a recorder whose spans are in slots.
pub(super) const IN_SLOTS: u32 = 1 << 31;

/// A door through which `tracing` comes: the layer, or the subscriber.
pub(super) trait Door {
    fn recorder(&self) -> &Recorder;

    /// The span of this number, if the door knows it.
    fn find(&self, number: u64) -> Option<Found<'_>>;

    /// The span of this number, or the nearest above it that the door knows.
    fn find_nearest(&self, number: u64) -> Option<Found<'_>>;
}

/// What a new span gets of its parent.
pub(super) type HandedOn = (Option<SpanContext>, Shared);

/// A recording that ends when dropped: also when a field's `Debug` panics while its span is being made.
#[derive(Debug, Default)]
pub(super) struct Live(pub(super) Option<Box<Recording>>);

impl Drop for Live {
    #[inline]
    fn drop(&mut self) {
        if let Some(recording) = self.0.take() {
            if recording.is_on_trial() { recording.discard() } else { recording.finish(None) }
        }
    }
}

impl Recorder {
    pub(super) fn new(pipeline: Option<&'static Pipeline>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self::numbered(NEXT.fetch_add(1, Ordering::Relaxed), pipeline)
    }

    /// One whose spans are in [`slots`](super::slots).
    pub(super) fn with_slots(pipeline: Option<&'static Pipeline>) -> Self {
        let Self { number, .. } = Self::new(pipeline);
        Self::numbered(number | IN_SLOTS, pipeline)
    }

    fn numbered(number: u32, pipeline: Option<&'static Pipeline>) -> Self {
        Self {
            number,
            options: Options::default(),
            pipeline: pipeline.map_or_else(OnceLock::new, OnceLock::from),
            callsites: Callsites::new(),
        }
    }

    /// The pipeline; `None` as long as none has been started, and if tracing is disabled.
    #[inline]
    pub(super) fn pipeline(&self) -> Option<&'static Pipeline> {
        match self.pipeline.get() {
            Some(pipeline) => Some(pipeline),
            None => tracer::global().map(|pipeline| *self.pipeline.get_or_init(|| pipeline)),
        }
    }

    /// Begins a span, with its fields, and has it opened as [`Place::begin`](super::place::Place::begin) says. Without a pipeline, and while exporters are at work here, spans only
    /// hand on what came from elsewhere, if anything did.
    #[inline]
    pub(super) fn start<R>(
        &self,
        attributes: &Attributes<'_>,
        parent: HandedOn,
        open: impl FnOnce(Option<&SpanContext>, bool, Shared, Live) -> R,
    ) -> R {
        let (parent, carried) = parent;
        let Some(pipeline) = self.pipeline().filter(|_| !current::is_suppressed()) else {
            return open(parent.as_ref(), true, carried, Live(None));
        };
        if carried.is_none()
            && pipeline.drops_everything()
            && let Some(context) = &pipeline.dropped_at_once(parent.as_ref())
        {
            return open(Some(context), false, None, Live(None));
        }
        let metadata = attributes.metadata();
        let callsite = self.callsites.get(pipeline, metadata);
        if carried.is_none()
            && !callsite.may_want_trial(parent.is_none())
            && let Some(context) = &pipeline.dropped_at_once(parent.as_ref())
        {
            return open(Some(context), false, None, Live(None));
        }
        let scope = callsite.scope();
        let details = carried.as_ref().map(Carried::details);
        let mut has_fields = false;
        let started = if pipeline.sampler_sees_attributes() && !attributes.is_empty() {
            has_fields = true;
            start_seen(pipeline, scope, attributes, parent.as_ref(), details.as_ref())
        } else if callsite.names_itself() {
            start_named(pipeline, scope, attributes, parent.as_ref(), details.as_ref())
        } else {
            pipeline.start_span(scope, metadata.name(), SpanKind::Internal, parent.as_ref(), details.as_ref())
        };
        let context = started.context();
        let (recording, handed_on) = started.into_parts();
        let mut live = Live(recording);
        if live.0.is_none()
            && callsite.wants_trial(parent.is_none())
            && let Some(context) = context
        {
            live.0 = try_out(pipeline, callsite, attributes, &context, parent.as_ref(), trace_state_of(&carried));
            has_fields = false;
        }
        if let Some(recording) = live.0.as_deref_mut() {
            recording.activity = Activity::default();
            if self.options.has_extras() {
                self.add_extras(pipeline, metadata, recording);
            }
            if !has_fields && !attributes.is_empty() {
                with_scratch(|scratch| attributes.record(&mut NewSpan { recording, scratch }));
            }
        }
        open(context.as_ref(), false, handed_on, live)
    }

    #[cold]
    fn add_extras(&self, pipeline: &'static Pipeline, metadata: &'static Metadata<'static>, recording: &mut Recording) {
        if self.options.has_inactivity {
            recording.activity = Activity::begin(pipeline.now());
        }
        self.options.describe_span(recording, metadata);
    }

    /// Records fields that came after the start.
    pub(super) fn record(&self, found: Found<'_>, values: &Record<'_>) {
        if found.has_recording() {
            with_scratch(|scratch| {
                values.record(scratch);
                self.work(found, |recording| set_staged(recording, scratch));
            });
        }
    }

    /// Records an event in a span of this door.
    #[inline]
    pub(super) fn event(&self, event: &Event<'_>, found: Option<Found<'_>>) {
        if let Some(found) = found
            && found.has_recording()
        {
            self.stage(event, |staging, now| {
                self.work(found, |recording| staging.record(recording, now));
            });
        }
    }

    /// Records an event in a span that came through another door.
    pub(super) fn event_elsewhere(&self, event: &Event<'_>, place: &current::Place) {
        if place.is_recording() {
            self.stage(event, |staging, now| {
                place.with(|recording| staging.record(recording, now));
            });
        }
    }

    #[inline]
    fn stage(&self, event: &Event<'_>, record: impl FnOnce(&Staging<'_>, u64)) {
        let Some(pipeline) = self.pipeline() else { return };
        let now = pipeline.now();
        with_scratch(|scratch| {
            let metadata = event.metadata();
            {
                // What comes through the `log` crate may have ids in its message, of the span that records it.
                #[cfg(feature = "log")]
                let _without_ids = (metadata.target() == "log").then(crate::log::without_ids);
                event.record(scratch);
            }
            let preset = self.callsites.event(pipeline, self.options, metadata);
            record(&Staging::new(scratch, metadata, preset, self.options), now);
        });
    }

    /// Records that a span follows from another.
    pub(super) fn follow(&self, found: Found<'_>, followed: Found<'_>) {
        if let Some(context) = followed.context() {
            let carried = followed.carried();
            self.work(found, |recording| drop(recording.span.link(&context, trace_state_of(&carried))));
        }
    }

    /// Notes that a span is entered, where its activity is tracked.
    #[cold]
    pub(super) fn enter(&self, door: &dyn Door, number: u64) {
        self.track(door, number, Activity::enter);
    }

    /// Notes that a span is left, where its activity is tracked.
    #[cold]
    pub(super) fn exit(&self, door: &dyn Door, number: u64) {
        self.track(door, number, Activity::exit);
    }

    fn track(&self, door: &dyn Door, number: u64, note: impl FnOnce(&mut Activity, u64)) {
        if let (Some(found), Some(pipeline)) = (door.find(number), self.pipeline())
            && found.has_recording()
        {
            let now = pipeline.now();
            self.work(found, |recording| note(&mut recording.activity, now));
        }
    }

    /// Ends a span.
    #[inline]
    pub(super) fn close(&self, mut recording: Box<Recording>) {
        if self.options.has_inactivity {
            let now = recording.now();
            Activity::end(&mut recording, now);
        }
        drop(Live(Some(recording)));
    }

    /// Works on what is being recorded, or counts that it could not. No foreign code may run inside `work`.
    #[inline]
    pub(super) fn work<R>(&self, found: Found<'_>, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        match found.with(work) {
            Work::Done(result) => Some(result),
            Work::NotRecorded => None,
            Work::Away => {
                if let Some(pipeline) = self.pipeline() {
                    pipeline.count_lost_content();
                }
                None
            }
        }
    }

    /// Gives a span a parent after it has begun, and what the parent hands on.
    pub(super) fn adopt(
        &self,
        found: Found<'_>,
        metadata: &'static Metadata<'static>,
        parent: Context,
    ) -> Result<(), SetParentError> {
        let (parent, carried) = parent.into_parts();
        let told = carried.as_ref().and_then(|carried| carried.sampling);
        let (Some(pipeline), Some(own)) = (self.pipeline(), found.own_context()) else {
            // Nothing is recorded, now or since the span began. What came is handed on.
            if let Some(parent) = parent {
                found.set_context(&parent);
            }
            found.set_carried(carried);
            return Ok(());
        };
        if parent.is_none() && told.is_none() {
            if let Some(carried) = &carried {
                self.work(found, |recording| pipeline.record_baggage(&mut recording.span, carried));
            }
            found.set_carried(carried);
            return Ok(());
        }
        if let Some(parent) = &parent
            && found.has_children()
        {
            // In another trace, it would not be found where they look for it.
            self.work(found, |recording| drop(recording.span.link(parent, trace_state_of(&carried))));
            return Err(SetParentError::HasChildren);
        }
        let callsite = self.callsites.get(pipeline, metadata);
        callsite.note_parent();
        with_scratch(|scratch| {
            // The sampler may be the program's own code, so it is asked while nothing is lent.
            let kind = found.with(|recording| {
                let view = recording.span.view(0);
                scratch.push_text(view.name());
                view.kind()
            });
            let (name, kind) = match kind {
                Work::Done(kind) => (scratch.all_text(), kind),
                _ => (metadata.name(), SpanKind::Internal),
            };
            let (sampler, list) = (pipeline.sampler(), trace_state_of(&carried));
            let sampling = sample_again(&*sampler, parent.as_ref(), told, list, own.trace_id(), name, kind);
            let context = adopted_context(&own, parent.as_ref(), &sampling);
            let lent = found.lend();
            if matches!(lent, Work::Away) {
                // Another thread gives it a parent at this moment, and wins.
                return;
            }
            found.set_context(&context);
            let carried = Carried::into_span(carried.clone(), sampling.trace_state);
            let list = trace_state_of(&carried);
            match lent {
                Work::Done(mut lent) => {
                    if lent.span.view(0).trace_state() != list {
                        lent.span.set_trace_state(list);
                    }
                    if let Some(carried) = &carried {
                        pipeline.record_baggage(&mut lent.span, carried);
                    }
                    let has_begun = lent.adopt(context, parent, &sampling);
                    if has_begun && pipeline.has_processors() {
                        // Processors are the program's own code too. What others record meanwhile is counted as lost.
                        let mut recording = Live(Some(lent.send_away()));
                        if let Some(recording) = recording.0.as_deref_mut() {
                            pipeline.announce(&mut recording.span);
                        }
                        recording.0 = recording.0.take().and_then(|recording| found.bring_back(recording));
                    }
                }
                Work::NotRecorded if sampling.decision != SamplingDecision::Drop => {
                    let fresh = pipeline.record_on_trial(callsite.scope(), name, kind, context, parent, list);
                    if let Some(mut recording) = fresh {
                        if let Some(carried) = &carried {
                            pipeline.record_baggage(&mut recording.span, carried);
                        }
                        if recording.adopt(context, parent, &sampling) {
                            pipeline.announce(&mut recording.span);
                        }
                        found.put(recording);
                    }
                }
                Work::NotRecorded | Work::Away => {}
            }
            found.set_carried(carried);
        });
        Ok(())
    }
}

/// Starts a span that says its name or its kind itself. A function of its own, so that what it makes is written in its place
/// once: moved, it would be read back as a whole where it was written in pieces, which stalls the processor.
#[inline(never)]
fn start_named(
    pipeline: &'static Pipeline,
    scope: u16,
    attributes: &Attributes<'_>,
    parent: Option<&SpanContext>,
    details: Option<&SpanDetails<'_>>,
) -> Span {
    with_scratch(|scratch| {
        let (name, kind) = name_and_kind(attributes, scratch);
        pipeline.start_span(scope, name, kind, parent, details)
    })
}

/// Starts a span whose fields the sampler wants to see.
#[cold]
#[inline(never)]
fn start_seen(
    pipeline: &'static Pipeline,
    scope: u16,
    attributes: &Attributes<'_>,
    parent: Option<&SpanContext>,
    details: Option<&SpanDetails<'_>>,
) -> Span {
    with_scratch(|scratch| {
        attributes.record(scratch);
        let (mut name, mut kind) = (attributes.metadata().name(), SpanKind::Internal);
        // `tracing` allows no more fields than these.
        let mut plain = [("", Value::Empty); 32];
        let mut count = 0;
        for (field, staged) in scratch.fields() {
            match special(field, staged, scratch) {
                Some(Special::Name(text)) => name = text,
                Some(Special::Kind(of)) => kind = of,
                Some(Special::Other) => {}
                None => {
                    if let Some(free) = plain.get_mut(count) {
                        *free = (*field, scratch.value(staged));
                        count += 1;
                    }
                }
            }
        }
        let details = details.copied().unwrap_or_default();
        let details = SpanDetails { attributes: plain.get(..count).unwrap_or_default(), ..details };
        let mut started = pipeline.start_span(scope, name, kind, parent, Some(&details));
        if let Some(recording) = started.recording() {
            recording.span.count_truncated(scratch.cut());
            for (field, staged) in scratch.fields() {
                if let Some(Special::Other) = special(field, staged, scratch) {
                    set_one_staged(recording, scratch, field, staged);
                }
            }
        }
        started
    })
}

/// Records a span on trial that the sampler dropped.
#[cold]
fn try_out(
    pipeline: &'static Pipeline,
    callsite: Callsite<'_>,
    attributes: &Attributes<'_>,
    context: &SpanContext,
    parent: Option<&SpanContext>,
    trace_state: &str,
) -> Option<Box<Recording>> {
    with_scratch(|scratch| {
        let (name, kind) = name_and_kind(attributes, scratch);
        pipeline.record_on_trial(callsite.scope(), name, kind, *context, parent.copied(), trace_state)
    })
}

fn trace_state_of(carried: &Shared) -> &str {
    carried.as_ref().map_or("", |carried| &carried.trace_state)
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Recorder")
            .field("pipeline", &self.pipeline.get())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
