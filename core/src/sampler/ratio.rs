//! `TraceIdRatio`: keeps a share of all traces, the same ones in every process.

use super::{Sampler, SamplingDecision, SamplingParameters, SamplingResult};
use crate::TraceId;
use crate::error::ProbabilityError;

const WHOLE: u64 = 1 << 56;

/// Samples a trace if the right-most 56 bits of its id reach a threshold.
///
/// The decision depends on nothing but the trace id, so processes with the same probability keep the same traces, and a
/// process with a higher one keeps those and more. The comparison is that of consistent probability sampling (`R >= T`,
/// OpenTelemetry "TraceState: Probability Sampling"), which needs trace ids whose last 56 bits are random.
///
/// Usually the root of a [`ParentBased`](super::ParentBased) sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceIdRatio {
    threshold: u64,
}

impl TraceIdRatio {
    /// Keeps all traces.
    pub const ALL: Self = Self { threshold: 0 };

    /// Keeps this share of all traces: 0 none, 1 all. Shares below 2^-56 keep none.
    ///
    /// # Errors
    /// `probability` is not a number from 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a number from 0 to 2^56, of which a double holds every multiple it can produce"
    )]
    pub fn new(probability: f64) -> Result<Self, ProbabilityError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(ProbabilityError);
        }
        Ok(Self { threshold: WHOLE - (probability * WHOLE as f64) as u64 })
    }

    /// The decision for a trace.
    #[must_use]
    #[inline]
    pub const fn keeps(&self, trace_id: TraceId) -> bool {
        trace_id.randomness() >= self.threshold
    }
}

impl Sampler for TraceIdRatio {
    #[inline]
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        if self.keeps(parameters.trace_id) {
            SamplingDecision::RecordAndSample.into()
        } else {
            SamplingDecision::Drop.into()
        }
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IdSource, RandomIds, SpanKind, TraceId};

    fn keeps(sampler: TraceIdRatio, trace_id: TraceId) -> bool {
        let parameters = SamplingParameters {
            parent: None,
            trace_state: "",
            trace_id,
            name: "",
            kind: SpanKind::Internal,
            attributes: &[],
            links: &[],
        };
        sampler.should_sample(&parameters).decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn shares_nest_and_have_the_right_size() {
        let ids = RandomIds::from_seed([1, 2]);
        let sampler = |probability| TraceIdRatio::new(probability).unwrap();
        let mut kept = [0; 4];
        for _ in 0..20_000 {
            let id = ids.trace_id();
            let verdicts = [0.0, 0.1, 0.5, 1.0].map(|probability| keeps(sampler(probability), id));
            assert!(verdicts.is_sorted(), "what a small share keeps, a larger one keeps too");
            for (count, verdict) in kept.iter_mut().zip(verdicts) {
                *count += u32::from(verdict);
            }
        }
        assert_eq!((kept[0], kept[3]), (0, 20_000));
        assert!(kept[1].abs_diff(2_000) < 200 && kept[2].abs_diff(10_000) < 400, "{kept:?}");
    }

    #[test]
    fn the_threshold_itself_is_kept() {
        let half = TraceIdRatio::new(0.5).unwrap();
        let id = |text| TraceId::from_hex(text).unwrap();
        assert!(keeps(half, id("00000000000000010080000000000000")));
        assert!(!keeps(half, id("ffffffffffffffffff7fffffffffffff")));
    }

    #[test]
    fn only_probabilities_are_taken() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(TraceIdRatio::new(wrong), Err(ProbabilityError));
        }
    }
}
