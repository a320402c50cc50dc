//! `ProbabilitySampler`: keeps a share of all traces, and says in the tracestate list which share it was.

use core::sync::atomic::{AtomicBool, Ordering};

use super::composite::{ComposableSampler, SamplingIntent, decide};
use super::update::read_ot;
use super::{Sampler, SamplingParameters, SamplingResult};
use crate::error::ProbabilityError;
use crate::header::ot::MAX_VALUE;

/// All there is: the number of random values, 2^56.
const WHOLE: u64 = MAX_VALUE + 1;

/// The bits of a threshold, and of a digit in which it is written.
const BITS: i32 = 56;
const DIGIT: i32 = 4;

/// "OpenTelemetry SDKs are recommended to use 4 digits of precision by default."
const DEFAULT_PRECISION: u8 = 4;

/// Samples a trace if its randomness R reaches the rejection threshold T, and writes T into the tracestate list: `ot=th:…`
/// (OpenTelemetry trace SDK, "ProbabilitySampler"; "TraceState: Probability Sampling").
///
/// R is the explicit randomness `rv` of the list if there is one, else the right-most 56 bits of the trace id. With T in the
/// list, backends know how many spans a sampled one stands for: 2^56 / (2^56 - T). A span that is not sampled passes no
/// threshold on. What the parent decided has no influence; for that, make it the root of a
/// [`ParentThreshold`](super::ParentThreshold), which passes the parent's threshold on, or of a
/// [`ParentBased`](super::ParentBased) sampler.
///
/// Where a parent does not confirm that its trace id is random, by the random flag of W3C Trace Context level 2, the id is
/// presumed to be random, and [`has_presumed_randomness`](Self::has_presumed_randomness) says so from then on.
///
/// ```
/// use clewline_core::ProbabilitySampler;
/// let one_percent = ProbabilitySampler::new(0.01).unwrap();
/// assert_eq!(one_percent.threshold(), Some(0xfd_70a0_0000_0000));
/// ```
#[derive(Debug)]
pub struct ProbabilitySampler {
    /// `None` samples nothing: that is no probability.
    threshold: Option<u64>,
    has_presumed_randomness: AtomicBool,
}

impl ProbabilitySampler {
    /// Keeps this share of all traces, from 2^-56 to 1, or none if it is 0, which is not a probability to the specification.
    ///
    /// The share is rounded so that the threshold has four hexadecimal digits behind its leading `f`s: 1 % becomes
    /// 1.00002 %, written `th:fd70a`.
    ///
    /// # Errors
    /// `probability` is none of these.
    pub fn new(probability: f64) -> Result<Self, ProbabilityError> {
        Self::with_precision(probability, DEFAULT_PRECISION)
    }

    /// Like [`new`](Self::new), rounded to `digits` of the threshold, 1 to 14, behind its leading `f`s: the fewer, the
    /// shorter the list; the more, the nearer to `probability` ("Converting floating-point probability to threshold value").
    ///
    /// # Errors
    /// As with [`new`](Self::new).
    pub fn with_precision(probability: f64, digits: u8) -> Result<Self, ProbabilityError> {
        let threshold = if probability == 0.0 { None } else { Some(threshold_of(probability, digits)?) };
        Ok(Self { threshold, has_presumed_randomness: AtomicBool::new(false) })
    }

    /// Rejects exactly the traces whose randomness is below `threshold`, 0 to 2^56 - 1. A greater one rejects all.
    #[must_use]
    pub const fn from_threshold(threshold: u64) -> Self {
        let threshold = if threshold < WHOLE { Some(threshold) } else { None };
        Self { threshold, has_presumed_randomness: AtomicBool::new(false) }
    }

    /// The rejection threshold, 0 to 2^56 - 1; `None` if nothing is sampled.
    #[must_use]
    pub const fn threshold(&self) -> Option<u64> {
        self.threshold
    }

    /// Whether it ever took a parent's trace id for random that was not confirmed to be. The callers should then be upgraded
    /// to W3C Trace Context level 2, as the share of sampled traces is not known to be right (OpenTelemetry trace SDK,
    /// "Compatibility warnings"). Only decisions that this sampler makes itself count, not those of a composition.
    #[must_use]
    pub fn has_presumed_randomness(&self) -> bool {
        self.has_presumed_randomness.load(Ordering::Relaxed)
    }
}

impl Clone for ProbabilitySampler {
    fn clone(&self) -> Self {
        let presumed = AtomicBool::new(self.has_presumed_randomness());
        Self { threshold: self.threshold, has_presumed_randomness: presumed }
    }
}

impl Sampler for ProbabilitySampler {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let stated = read_ot(parameters.trace_state);
        let is_explicit = stated.is_ok_and(|state| state.randomness().is_some());
        let is_confirmed = parameters.parent.is_none_or(|parent| parent.flags().is_random());
        // Read before it is written, so that threads do not take the line from each other.
        if !is_explicit && !is_confirmed && !self.has_presumed_randomness() {
            self.has_presumed_randomness.store(true, Ordering::Relaxed);
        }
        decide(parameters, stated, self.sampling_intent(parameters, None))
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}

/// "ComposableProbability".
impl ComposableSampler for ProbabilitySampler {
    fn sampling_intent(&self, _: &SamplingParameters<'_>, _: Option<u64>) -> SamplingIntent<'_> {
        SamplingIntent { threshold: self.threshold, is_threshold_reliable: self.threshold.is_some(), attributes: &[] }
    }
}

/// The threshold of a probability from 2^-56 to 1, rounded half up at `digits` behind the leading `f`s.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a number from 1 to 2^56, which a double holds"
)]
fn threshold_of(probability: f64, digits: u8) -> Result<u64, ProbabilityError> {
    let scaled = probability * WHOLE as f64;
    if !(1.0..=WHOLE as f64).contains(&scaled) {
        return Err(ProbabilityError);
    }
    // Rounded half up: what is below a half is cut off, and from 2^52 on there are no halves, and to add one would round.
    let kept = if scaled < (1_u64 << 52) as f64 { (scaled + 0.5) as u64 } else { scaled as u64 };
    // As many leading digits are `f` as the probability has leading zeros; those carry no precision.
    let leading = (kept.leading_zeros().cast_signed() - (u64::BITS.cast_signed() - BITS)).max(0) / DIGIT;
    let precision = (i32::from(digits.max(1)) + leading).min(BITS / DIGIT);
    let cut = (BITS - DIGIT * precision).cast_unsigned();
    let half = (1_u64 << cut) >> 1;
    Ok(((WHOLE - kept + half) >> cut) << cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::ot::OtState;
    use std::string::ToString;

    fn text(probability: f64, digits: u8) -> std::string::String {
        let sampler = ProbabilitySampler::with_precision(probability, digits).unwrap();
        OtState::default().with_threshold(sampler.threshold()).to_text().unwrap().as_str().to_string()
    }

    /// The table of "Converting floating-point probability to threshold value": 1-in-N, with precision 3, 4 and 5.
    #[test]
    fn specification_table() {
        let table: &[(f64, [&str; 3])] = &[
            (1.0, ["0", "0", "0"]),
            (2.0, ["8", "8", "8"]),
            (3.0, ["aab", "aaab", "aaaab"]),
            (4.0, ["c", "c", "c"]),
            (5.0, ["ccd", "cccd", "ccccd"]),
            (8.0, ["e", "e", "e"]),
            (10.0, ["e66", "e666", "e6666"]),
            (16.0, ["f", "f", "f"]),
            (100.0, ["fd71", "fd70a", "fd70a4"]),
            (1_000.0, ["ffbe7", "ffbe77", "ffbe76d"]),
            (10_000.0, ["fff972", "fff9724", "fff97247"]),
            (100_000.0, ["ffff584", "ffff583a", "ffff583a5"]),
            (1_000_000.0, ["ffffef4", "ffffef39", "ffffef391"]),
        ];
        for (one_in, thresholds) in table {
            for (digits, threshold) in (3..).zip(thresholds) {
                assert_eq!(
                    text(1.0 / one_in, digits),
                    std::format!("th:{threshold}"),
                    "1 in {one_in}, {digits} digits"
                );
            }
        }
        assert_eq!(
            ProbabilitySampler::new(0.01).unwrap().threshold(),
            Some(0xfd_70a0_0000_0000),
            "4 digits by default"
        );
    }

    #[test]
    fn the_ends_of_the_range() {
        let threshold = |probability, digits| {
            ProbabilitySampler::with_precision(probability, digits).map(|sampler| sampler.threshold())
        };
        let smallest = (-56.0_f64).exp2();
        assert_eq!(threshold(smallest, 4), Ok(Some(MAX_VALUE)));
        assert_eq!(threshold(smallest, 1), Ok(Some(MAX_VALUE)), "leading digits are not counted");
        assert_eq!(threshold(smallest * 3.0, 0), Ok(Some(MAX_VALUE - 2)));
        assert_eq!(threshold(1.0 - f64::EPSILON, 14), Ok(Some(16)));
        // 2^56 / 15 as a double is an odd integer between 2^52 and 2^53: half more of it would be a tie.
        assert_eq!(threshold(1.0 / 15.0, 14), Ok(Some(0xee_eeee_eeee_eeef)));
        assert_eq!(threshold(1.0 - f64::EPSILON, 4), Ok(Some(0)), "near 1 there is no need for precision");
        assert_eq!(threshold(0.0, 4), Ok(None));
        assert_eq!(threshold(-0.0, 4), Ok(None));
        for wrong in [smallest / 1.001, f64::MIN_POSITIVE, 1.0 + f64::EPSILON, -0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(threshold(wrong, 4), Err(ProbabilityError), "{wrong}");
        }
        assert_eq!(ProbabilitySampler::from_threshold(MAX_VALUE).threshold(), Some(MAX_VALUE));
        assert_eq!(ProbabilitySampler::from_threshold(WHOLE).threshold(), None);
    }

    /// Rounded, a threshold is at most half a unit of its last digit away, for every width of probability.
    #[test]
    fn rounding_is_to_the_nearest() {
        for exponent in 0..56 {
            for mantissa in [1.0, 1.1, 1.25, 1.499, 1.999_999] {
                let probability = mantissa * (-f64::from(exponent) - 1.0).exp2();
                if probability > 1.0 || probability < (-56.0_f64).exp2() {
                    continue;
                }
                let exact = threshold_of(probability, 14).unwrap();
                for digits in 1..=14_u8 {
                    let rounded = threshold_of(probability, digits).unwrap();
                    let digits = (i32::from(digits) + exponent / DIGIT).min(14);
                    let unit = 1_u64 << (BITS - DIGIT * digits);
                    assert!(
                        rounded.is_multiple_of(unit) && rounded.abs_diff(exact) <= unit / 2,
                        "{probability} {digits}"
                    );
                    assert!(rounded < WHOLE);
                }
            }
        }
    }
}
