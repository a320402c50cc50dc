//! The start of a span in a pipeline: the decision, memory, what it begins with.

use clewline_core::b3::SamplingState;
use clewline_core::{
    RandomIds, ReadWriteSpan, Sampler, Span, SpanContext, SpanDecision, SpanId, SpanKind, SpanRequest, SpanStart,
    TraceFlags, TraceId, TraceStateUpdate,
};

use super::buffer::GrowingBuffer;
use super::recording::{Recording, SpanDetails, Started};
use super::thread::{Local, begin, with_local};
use super::{Ordering, Pipeline, processing, told};
use crate::current::carried::{Carried, Shared};

impl Pipeline {
    /// Decides about a span and begins to record it.
    ///
    /// The arguments that every span has come in registers, the rare ones behind one pointer: what a caller has just written
    /// to memory piece by piece is slow to read back as a whole.
    #[inline(never)]
    pub(crate) fn start_span(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
    ) -> Started {
        if details.is_none()
            && let Some(context) = self.dropped_at_once(parent)
        {
            return Started::passing(Some(context), None);
        }
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
    ) -> Started {
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
    ) -> Started {
        let mut started = Started::default();
        let has_run = with_local(self, |local| {
            // Before the arguments are copied to where the sampler sees them, so that the rare other way does not disturb that.
            let Local { ids, sampler, pool, producer, .. } = local;
            let sampler = sampler.current(self);
            let parent = parent.copied();
            let (attributes, links) = details.map_or((&[][..], &[][..]), |details| (details.attributes, details.links));
            let trace_state = details.map_or("", |details| details.trace_state);
            let request = SpanRequest { name, kind, parent, trace_state, attributes, links };
            let decision = decide(&request, ids, sampler);
            let update = decision.sampling.trace_state;
            if update != TraceStateUpdate::Keep || details.is_some_and(|details| details.carried.is_some()) {
                started.carried = hand_on(details, update);
            }
            let context = decision.context;
            started.unrecorded = Some(context);
            if !decision.is_recording() || self.is_shut_down.load(Ordering::Relaxed) {
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
            let mut recording = begin(pool, producer).unwrap_or_else(|| self.refill(pool));
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
            started.recording = Some(recording);
        });
        if !has_run {
            return self.refuse(parent, details);
        }
        if !self.processors.is_empty()
            && let Some(recording) = &mut started.recording
        {
            // With nothing of this thread's in hand, as they may start spans of their own.
            self.announce(&mut recording.span);
            recording.start_ticks = if recording.start_ticks == 0 { 0 } else { self.clock.ticks() };
        }
        started
    }

    /// A span that cannot be recorded, as a sampler starts it while it decides about another, or its thread is being torn down.
    #[cold]
    #[inline(never)]
    fn refuse(&self, parent: Option<&SpanContext>, details: Option<&SpanDetails<'_>>) -> Started {
        self.refused_starts.fetch_add(1, Ordering::Relaxed);
        Started::passing(parent.copied(), details.and_then(|details| details.carried).cloned())
    }

    /// Records the entries of the baggage that are wanted.
    #[cold]
    pub(crate) fn record_baggage(&self, span: &mut Span<GrowingBuffer>, carried: &Carried) {
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
    pub(crate) fn announce(&self, span: &mut Span<GrowingBuffer>) {
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
        let span = Span::new(GrowingBuffer::new(self.options.span_bytes), &start);
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
fn restart_updated(span: &mut Span<GrowingBuffer>, start: &SpanStart<'_>, update: TraceStateUpdate) {
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
