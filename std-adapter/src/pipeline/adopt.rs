//! Spans that learn of their parent after they have begun: recorded on trial, sampled again, given a new place in a trace.

use clewline_core::b3::SamplingState;
use clewline_core::{
    Sampler, SamplingDecision, SamplingParameters, SamplingResult, SpanContext, SpanKind, SpanStart, TraceFlags,
    TraceId,
};

use super::thread::{Local, with_local};
use super::told::by_order;
use super::{Ordering, Pipeline, PipelineOptions, Recording};

impl Pipeline {
    /// The time of something that happens now: Unix nanoseconds.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.clock.to_unix_nanos(self.clock.ticks())
    }

    /// Records a span that the sampler dropped, on trial, as a parent may still come that changes the decision.
    ///
    /// The ledger knows nothing of it until [`Recording::adopt`] has made it a recorded span. `None` if the pipeline has been
    /// shut down or the thread is being torn down.
    pub(crate) fn record_on_trial(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        context: SpanContext,
        parent: Option<SpanContext>,
        trace_state: &str,
    ) -> Option<Box<Recording>> {
        if self.is_shut_down.load(Ordering::Relaxed) {
            return None;
        }
        let mut lent = None;
        with_local(self, |local| lent = Some(local.lend().unwrap_or_else(|| self.refill(&mut local.pool))));
        let mut recording = lent?;
        let limits = self.options.limits;
        recording.span.restart(&SpanStart { context, parent, name, kind, start_time: 0, trace_state, limits });
        recording.scope = scope;
        recording.is_on_trial = true;
        recording.start_ticks = self.clock.ticks();
        Some(recording)
    }

    /// How it records.
    pub(crate) fn options(&self) -> &PipelineOptions {
        &self.options
    }

    /// Whether anyone is told of spans that begin.
    pub(crate) fn has_processors(&self) -> bool {
        !self.processors.is_empty()
    }

    /// Counts something that a span could not take because processors were being told of it; see [`Recording::adopt`].
    #[cold]
    pub(crate) fn count_lost_content(&'static self) {
        with_local(self, Local::count_lost_content);
    }
}

/// Asks a pipeline's sampler about a span whose parent is known only now, or of which only the decision was handed on.
pub(crate) fn sample_again<'s>(
    sampler: &'s dyn Sampler,
    parent: Option<&SpanContext>,
    told: Option<SamplingState>,
    trace_state: &str,
    trace_id: TraceId,
    name: &str,
    kind: SpanKind,
) -> SamplingResult<'s> {
    let sampler = match told {
        Some(told) if parent.is_none() => by_order(told, sampler),
        _ => sampler,
    };
    sampler.should_sample(&SamplingParameters {
        parent: parent.filter(|_| told != Some(SamplingState::Defer)),
        trace_state,
        trace_id: parent.map_or(trace_id, SpanContext::trace_id),
        name,
        kind,
        attributes: &[],
        links: &[],
    })
}

/// The context of a span that gets `parent` after it has begun: it keeps its own id, and without a parent its trace.
pub(crate) fn adopted_context(
    context: &SpanContext,
    parent: Option<&SpanContext>,
    sampling: &SamplingResult<'_>,
) -> SpanContext {
    let sampled = sampling.decision == SamplingDecision::RecordAndSample;
    let of = parent.unwrap_or(context);
    let flags = TraceFlags::NONE.with_sampled(sampled).with_random(of.flags().is_random());
    SpanContext::new(of.trace_id(), context.span_id(), flags)
}

impl Recording {
    /// Moves the span to its new place. A trial ends here if the sampler now wants the span; a recorded span that it no longer
    /// wants goes on, and is counted as not exported when it ends.
    ///
    /// Answers whether a trial has ended, so that the span is now to be announced to the processors.
    pub(crate) fn adopt(
        &mut self,
        context: SpanContext,
        parent: Option<SpanContext>,
        sampling: &SamplingResult<'_>,
    ) -> bool {
        self.span.set_context(context, parent);
        if sampling.decision == SamplingDecision::Drop {
            return false;
        }
        for (key, value) in sampling.attributes {
            self.span.set(key, *value);
        }
        // Where its thread has no counters any more the span could not be accounted for, and so stays on trial.
        let has_begun = self.is_on_trial && with_local(self.pipeline, Local::count_started);
        self.is_on_trial &= !has_begun;
        has_begun
    }

    /// Whether it belongs to this pipeline.
    pub(crate) fn is_of(&self, pipeline: &Pipeline) -> bool {
        self.pipeline.id == pipeline.id
    }

    /// Whether the span is recorded on trial only.
    #[inline]
    pub(crate) fn is_on_trial(&self) -> bool {
        self.is_on_trial
    }

    /// Forgets a span that was recorded on trial, and keeps its memory.
    pub(crate) fn discard(mut self: Box<Self>) {
        self.is_on_trial = false;
        // While the thread is being torn down there is no pool, and the memory goes back to the allocator.
        with_local(self.pipeline, |local| local.keep(self));
    }
}
