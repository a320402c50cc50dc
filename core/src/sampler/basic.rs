//! Samplers that always answer the same.

use super::{Sampler, SamplingDecision, SamplingParameters, SamplingResult};

/// Records and samples every span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlwaysOn;

impl Sampler for AlwaysOn {
    #[inline]
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        SamplingDecision::RecordAndSample.into()
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
}
