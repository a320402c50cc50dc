//! `Guarded`: a sampler of the program's own whose panics cost nobody a request.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clewline_core::{ParentDecisions, Sampler, SamplingDecision, SamplingParameters, SamplingResult};

use crate::pipeline::SharedSampler;

/// Asks another sampler. Where that panics, which the panic hook has then said, spans do as their parents do, and roots are
/// recorded: instrumentation must not throw into the application (OpenTelemetry specification, "Error handling").
struct Guarded(SharedSampler);

/// Guards `sampler`, where a panic can be caught at all.
pub(crate) fn guarded(sampler: SharedSampler) -> SharedSampler {
    if cfg!(panic = "unwind") { Box::new(Guarded(sampler)) } else { sampler }
}

impl Sampler for Guarded {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        // What a sampler leaves behind in itself is its own affair.
        catch_unwind(AssertUnwindSafe(|| self.0.should_sample(parameters))).unwrap_or_else(|_| {
            let is_sampled = parameters.parent.is_none_or(clewline_core::SpanContext::is_sampled);
            if is_sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop }.into()
        })
    }

    fn by_parent(&self) -> ParentDecisions {
        catch_unwind(AssertUnwindSafe(|| self.0.by_parent())).unwrap_or(ParentDecisions::OPEN)
    }

    fn sees_attributes(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.0.sees_attributes())).unwrap_or(true)
    }
}
