//! Samplers that always answer the same.

use super::{ParentDecisions, Sampler, SamplingDecision, SamplingParameters, SamplingResult};

/// Records and samples every span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlwaysOn;

impl Sampler for AlwaysOn {
    #[inline]
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        SamplingDecision::RecordAndSample.into()
    }

    fn by_parent(&self) -> ParentDecisions {
        ParentDecisions::all(SamplingDecision::RecordAndSample)
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}

/// Drops every span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlwaysOff;

impl Sampler for AlwaysOff {
    #[inline]
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        SamplingDecision::Drop.into()
    }

    fn by_parent(&self) -> ParentDecisions {
        ParentDecisions::all(SamplingDecision::Drop)
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}

/// Records every span for local processors and exports none (OpenTelemetry trace SDK, "`RECORD_ONLY`").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOnly;

impl Sampler for RecordOnly {
    #[inline]
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        SamplingDecision::RecordOnly.into()
    }

    fn by_parent(&self) -> ParentDecisions {
        ParentDecisions::all(SamplingDecision::RecordOnly)
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}
