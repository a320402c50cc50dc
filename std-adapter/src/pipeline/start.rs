//! The start of a span in a pipeline: the decision, memory, what it begins with.

use clewline_core::b3::SamplingState;
use clewline_core::{
    RandomIds, ReadWriteSpan, Sampler, SpanContext, SpanDecision, SpanId, SpanKind, SpanRequest, SpanStart, TraceFlags,
    TraceId, TraceStateUpdate,
};

use super::buffer::GrowingBuffer;
use super::foreseen::{Decision, new_context};
use super::ids::with_ids;
use super::recording::{LiveSpan, Recording, SpanDetails};
use super::thread::{Local, with_local};
use super::{Ordering, Pipeline, processing, told};
use crate::Span;
use crate::current::carried::{Carried, Shared};

impl Pipeline {
    /// Decides about a span and begins to record it.
    #[inline(always)]
    pub(crate) fn start_span(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
    ) -> Span {
        match details {
            None => self.start_plain(scope, name, kind, parent),
            Some(_) => self.start_detailed(scope, name, kind, parent, details),
        }
    }

    /// Starts a span of which nothing is known but name, kind and parent, as of nearly all.
    ///
    /// What the sampler says of itself decides, where that is enough: then nothing of the program's own runs in here, and there
    /// is nothing to pass on but ids. All arguments come in registers, and the span is made in its place: what a caller has just
    /// written to memory piece by piece is slow to read back as a whole.
    #[inline(never)]
    fn start_plain(&'static self, scope: u16, name: &str, kind: SpanKind, parent: Option<&SpanContext>) -> Span {
        match self.foreseen.decision(parent) {
            Decision::Sample if !self.is_shut_down.load(Ordering::Relaxed) => {
                if let Some(recording) = self.record_at_once(scope, name, kind, parent) {
                    return Span::recorded(recording, None);
                }
            }
            Decision::Drop => return Span::passing(Some(new_context(parent, TraceFlags::NONE)), None),
            _ => {}
        }
        self.start_detailed(scope, name, kind, parent, None)
    }

    /// Records a span that is sampled for certain, in memory that the thread has at hand.
    #[inline(always)]
    fn record_at_once(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
    ) -> Option<Box<Recording>> {
        let mut started = None;
        with_local(self, |local| {
            let Local { pool, producer, .. } = local;
            let Some(mut recording) = pool.pop() else { return };
            producer.count_started();
            recording.span.restart(&SpanStart {
                context: new_context(parent, TraceFlags::SAMPLED),
                parent: parent.copied(),
                name,
                kind,
                start_time: 0,
                trace_state: "",
                limits: self.options.limits,
            });
            recording.scope = scope;
            // The clock is read last, so that the span does not measure its own start.
            recording.start_ticks = self.clock.ticks();
            started = Some(recording);
        });
        started
    }

    /// Starts a span about which the sampler is asked.
    #[inline(never)]
    fn start_detailed(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
    ) -> Span {
        match details.and_then(|details| details.told) {
            None => self.start_decided(scope, name, kind, parent, details, |request, ids, sampler| {
                request.decide(ids, sampler)
            }),
            Some(told) => self.start_told(scope, name, kind, parent, details, told),
        }
    }

    /// Begins to record a span about which more was handed on than the sampled flag says. A piece of code of its own: where two
    /// ways of deciding meet, the decision would go through memory.
    #[cold]
    #[inline(never)]
    fn start_told(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
        told: SamplingState,
    ) -> Span {
        self.start_decided(scope, name, kind, parent, details, |request, ids, sampler| {
            told::decide(request, told, ids, sampler)
        })
    }

    #[inline(always)]
    fn start_decided(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
        decide: impl for<'s> FnOnce(&SpanRequest<'_>, &RandomIds, &'s (dyn Sampler + Send + Sync)) -> SpanDecision<'s>,
    ) -> Span {
        let (mut recorded, mut unrecorded, mut handed_on) = (None, None, None);
        let has_run = with_local(self, |local| {
            // Before the arguments are copied to where the sampler sees them, so that the rare other way does not disturb that.
            let Local { sampler, pool, producer, .. } = local;
            let sampler = sampler.current(self);
            let parent = parent.copied();
            let (attributes, links) = details.map_or((&[][..], &[][..]), |details| (details.attributes, details.links));
            let trace_state = details.map_or("", |details| details.trace_state);
            let request = SpanRequest { name, kind, parent, trace_state, attributes, links };
            let decision = with_ids(|ids| decide(&request, ids, sampler));
            let update = decision.sampling.trace_state;
            if update != TraceStateUpdate::Keep || details.is_some_and(|details| details.carried.is_some()) {
                handed_on = hand_on(details, update);
            }
            let context = decision.context;
            if !decision.is_recording() || self.is_shut_down.load(Ordering::Relaxed) {
                unrecorded = Some(context);
                return;
            }
            let start_time = details.and_then(|details| details.start_time);
            let start = SpanStart {
                context,
                parent,
                name,
                kind,
                start_time: start_time.unwrap_or(0),
                trace_state,
                limits: self.options.limits,
            };
            producer.count_started();
            let mut recording = pool.pop().unwrap_or_else(|| self.refill(pool));
            recording.span.restart(&start);
            if update != TraceStateUpdate::Keep {
                restart_updated(&mut recording.span, &start, update);
            }
            recording.scope = scope;
            if let Some(carried) = details.and_then(|details| details.carried) {
                self.record_baggage(&mut recording.span, carried);
            }
            for (key, value) in attributes.iter().chain(decision.sampling.attributes) {
                recording.span.set(key, *value);
            }
            for link in links {
                recording.span.add_link(link);
            }
            // The clock is read last, so that the span does not measure its own start.
            recording.start_ticks = if start_time.is_some() { 0 } else { self.clock.ticks() };
            recorded = Some(recording);
        });
        if !has_run {
            return self.refuse(parent, details);
        }
        let Some(mut recording) = recorded else { return Span::passing(unrecorded, handed_on) };
        if !self.processors.is_empty() {
            // With nothing of this thread's in hand, as they may start spans of their own.
            self.announce(&mut recording.span);
            recording.start_ticks = if recording.start_ticks == 0 { 0 } else { self.clock.ticks() };
        }
        Span::recorded(recording, handed_on)
    }

    /// A span that cannot be recorded, as a sampler starts it while it decides about another, or its thread is being torn down.
    #[cold]
    #[inline(never)]
    fn refuse(&self, parent: Option<&SpanContext>, details: Option<&SpanDetails<'_>>) -> Span {
        self.refused_starts.fetch_add(1, Ordering::Relaxed);
        Span::passing(parent.copied(), details.and_then(|details| details.carried).cloned())
    }

    /// Records the entries of the baggage that are wanted.
    #[cold]
    pub(crate) fn record_baggage(&self, span: &mut LiveSpan, carried: &Carried) {
        for key in &self.options.baggage_attributes {
            if let Some(value) = carried.baggage.get(key) {
                match value.as_plain() {
                    Some(value) => span.set(key, value),
                    None => span.set(key, value.to_string().as_str()),
                };
            }
        }
    }

    /// Tells the processors of a recorded span that begins.
    #[inline(never)]
    pub(crate) fn announce(&self, span: &mut LiveSpan) {
        for (index, processor) in self.processors.iter().enumerate() {
            processing::run(self.id, index, || processor.on_start(&mut ReadWriteSpan::new(span)));
        }
    }

    /// Memory for a span, to be restarted at once.
    #[cold]
    #[inline(never)]
    pub(super) fn allocate(&'static self) -> Box<Recording> {
        let start = SpanStart {
            context: BLANK,
            parent: None,
            name: "",
            kind: SpanKind::Internal,
            start_time: 0,
            trace_state: "",
            limits: self.options.limits,
        };
        let span = LiveSpan::new(GrowingBuffer::new(self.options.span_bytes), &start);
        Box::new(Recording {
            span,
            pipeline: self,
            scope: 0,
            start_ticks: 0,
            #[cfg(feature = "tracing")]
            is_on_trial: false,
            #[cfg(feature = "tracing")]
            activity: crate::layer::Activity::default(),
        })
    }
}

/// Starts a span again, whose tracestate list is another one than its parent's.
#[cold]
#[inline(never)]
fn restart_updated(span: &mut LiveSpan, start: &SpanStart<'_>, update: TraceStateUpdate) {
    let list = update.apply(start.trace_state);
    span.restart(&SpanStart { trace_state: list.as_str(), ..*start });
    span.count_truncated(list.dropped());
}

/// What a span hands on whose parent handed on more than its context, or whose sampler changes that.
#[cold]
#[inline(never)]
fn hand_on(details: Option<&SpanDetails<'_>>, update: TraceStateUpdate) -> Shared {
    Carried::into_span(details.and_then(|details| details.carried).cloned(), update)
}

/// Stands in a span that has memory but no identity yet.
const BLANK: SpanContext = {
    let (Some(trace_id), Some(span_id)) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8])) else {
        panic!("ones are not zeros");
    };
    SpanContext::new(trace_id, span_id, TraceFlags::NONE)
};
