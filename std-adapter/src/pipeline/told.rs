//! Decisions about recording that arrived in other words than a parent's sampled flag (b3-propagation, "Sampling State").

use clewline_core::b3::SamplingState;
use clewline_core::{
    AlwaysOff, AlwaysOn, IdSource, Sampler, SamplingDecision, SamplingParameters, SpanContext, SpanDecision,
    SpanRequest, TraceFlags,
};

/// Decides about a span that begins. One whose parent left the decision open stays in its trace, and is sampled as if it began
/// one; a decision that came without a parent is followed.
#[cold]
pub(super) fn decide<'s>(
    request: &SpanRequest<'_>,
    told: SamplingState,
    ids: &impl IdSource,
    sampler: &'s dyn Sampler,
) -> SpanDecision<'s> {
    let Some(parent) = request.parent else { return request.decide(ids, by_order(told, sampler)) };
    if told != SamplingState::Defer {
        return request.decide(ids, sampler);
    }
    let sampling = sampler.should_sample(&SamplingParameters {
        parent: None,
        trace_state: request.trace_state,
        trace_id: parent.trace_id(),
        name: request.name,
        kind: request.kind,
        attributes: request.attributes,
        links: request.links,
    });
    let sampled = sampling.decision == SamplingDecision::RecordAndSample;
    let flags = TraceFlags::NONE.with_sampled(sampled).with_random(parent.flags().is_random());
    SpanDecision { context: SpanContext::new(parent.trace_id(), ids.span_id(), flags), sampling }
}

/// The sampler of a span about which a decision arrived without a parent.
pub(super) fn by_order(told: SamplingState, sampler: &dyn Sampler) -> &dyn Sampler {
    match told {
        SamplingState::Defer => sampler,
        SamplingState::Deny => &AlwaysOff,
        SamplingState::Accept | SamplingState::Debug => &AlwaysOn,
    }
}
