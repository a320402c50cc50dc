//! `CompositeSampler`: samplers that say how likely a span is to be sampled, and one decision made of that.

use super::update::read_ot;
use super::{AlwaysOff, AlwaysOn, Sampler, SamplingDecision, SamplingParameters, SamplingResult, TraceStateUpdate};
use crate::header::ot::{OtError, OtState};
use crate::random::mix;
use crate::{Attribute, TraceId};

/// What a [`ComposableSampler`] wants (OpenTelemetry trace SDK, "GetSamplingIntent").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingIntent<'a> {
    /// The rejection threshold, 0 to 2^56 - 1: the span is sampled if its trace's randomness reaches it. `None` drops it.
    pub threshold: Option<u64>,
    /// Whether backends may count by the threshold: it then goes into the tracestate list.
    pub is_threshold_reliable: bool,
    /// Attributes to be added if the span is sampled.
    pub attributes: &'a [Attribute<'a>],
}

impl SamplingIntent<'_> {
    /// Drops the span.
    pub const DROP: Self = Self { threshold: None, is_threshold_reliable: false, attributes: &[] };
}

/// A sampler that says how likely a span is to be sampled instead of deciding (OpenTelemetry trace SDK, "ComposableSampler").
///
/// Shipped: [`AlwaysOn`], [`AlwaysOff`], [`ProbabilitySampler`](super::ProbabilitySampler), [`ParentThreshold`] and
/// [`Rules`](super::Rules). The threshold must not depend on the trace's randomness, or what backends count is wrong.
pub trait ComposableSampler {
    /// What is wanted for the span that is about to start. `parent_threshold` is the one in the parent's tracestate list, if
    /// there is one that agrees with the parent's sampled flag.
    fn sampling_intent(&self, parameters: &SamplingParameters<'_>, parent_threshold: Option<u64>)
    -> SamplingIntent<'_>;
}

impl<S: ComposableSampler + ?Sized> ComposableSampler for &S {
    fn sampling_intent(&self, parameters: &SamplingParameters<'_>, parent: Option<u64>) -> SamplingIntent<'_> {
        (**self).sampling_intent(parameters, parent)
    }
}

/// "ComposableAlwaysOn": threshold 0.
impl ComposableSampler for AlwaysOn {
    fn sampling_intent(&self, _: &SamplingParameters<'_>, _: Option<u64>) -> SamplingIntent<'_> {
        SamplingIntent { threshold: Some(0), is_threshold_reliable: true, attributes: &[] }
    }
}

/// "ComposableAlwaysOff": no threshold.
impl ComposableSampler for AlwaysOff {
    fn sampling_intent(&self, _: &SamplingParameters<'_>, _: Option<u64>) -> SamplingIntent<'_> {
        SamplingIntent::DROP
    }
}

/// Does what the parent did and passes its threshold on; asks another sampler where there is no parent (OpenTelemetry trace
/// SDK, "ComposableParentThreshold").
///
/// A threshold that contradicts the parent's sampled flag is not believed: the flag is followed, and no threshold passed on
/// (OpenTelemetry, "TraceState: Probability Sampling", "General requirements").
///
/// ```
/// use clewline_core::{CompositeSampler, ParentThreshold, ProbabilitySampler};
/// let tenth = ProbabilitySampler::new(0.1).unwrap();
/// let sampler = CompositeSampler::new(ParentThreshold::new(tenth));
/// # let _ = sampler;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParentThreshold<Root> {
    root: Root,
}

impl<Root: ComposableSampler> ParentThreshold<Root> {
    /// Follows the parent, and asks `root` where there is none.
    #[must_use]
    pub const fn new(root: Root) -> Self {
        Self { root }
    }
}

impl<Root: ComposableSampler> ComposableSampler for ParentThreshold<Root> {
    fn sampling_intent(&self, parameters: &SamplingParameters<'_>, threshold: Option<u64>) -> SamplingIntent<'_> {
        match (parameters.parent, threshold) {
            (None, _) => self.root.sampling_intent(parameters, None),
            (Some(_), Some(_)) => SamplingIntent { threshold, is_threshold_reliable: true, attributes: &[] },
            (Some(parent), None) if parent.is_sampled() => {
                SamplingIntent { threshold: Some(0), is_threshold_reliable: false, attributes: &[] }
            }
            (Some(_), None) => SamplingIntent::DROP,
        }
    }
}

/// Decides by what a [`ComposableSampler`] wants, and keeps the threshold in the tracestate list true (OpenTelemetry trace
/// SDK, "CompositeSampler").
///
/// ```
/// use clewline_core::{
///     AlwaysOff, AlwaysOn, ComposableSampler, CompositeSampler, ParentThreshold, ProbabilitySampler, Rules, SamplingRule,
/// };
/// let tenth = ProbabilitySampler::new(0.1).unwrap();
/// let rules = [
///     SamplingRule { name: "GET /health", kind: None, sampler: &AlwaysOff as &dyn ComposableSampler },
///     SamplingRule { name: "POST /checkout", kind: None, sampler: &AlwaysOn },
/// ];
/// let sampler = CompositeSampler::new(ParentThreshold::new(Rules::new(&rules, &tenth)));
/// # let _ = sampler;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompositeSampler<S> {
    sampler: S,
}

impl<S: ComposableSampler> CompositeSampler<S> {
    /// Decides by what `sampler` wants.
    #[must_use]
    pub const fn new(sampler: S) -> Self {
        Self { sampler }
    }
}

impl<S: ComposableSampler> Sampler for CompositeSampler<S> {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let stated = read_ot(parameters.trace_state);
        let parent_threshold = parameters.parent.and_then(|parent| {
            let state = stated.unwrap_or_default();
            let agrees = |threshold: &u64| parent.is_sampled() == (randomness(parameters, &state) >= *threshold);
            state.threshold().filter(agrees)
        });
        decide(parameters, stated, self.sampler.sampling_intent(parameters, parent_threshold))
    }
}

/// Compares randomness with the threshold, and says what becomes of the one in the tracestate list: it is that of a span
/// sampled by a reliable threshold, or there is none.
pub(super) fn decide<'s>(
    parameters: &SamplingParameters<'_>,
    stated: Result<OtState<'_>, OtError>,
    intent: SamplingIntent<'s>,
) -> SamplingResult<'s> {
    let state = stated.unwrap_or_default();
    let is_sampled = intent.threshold.is_some_and(|threshold| {
        let is_reliable = intent.is_threshold_reliable;
        threshold
            <= if is_reliable { randomness(parameters, &state) } else { unrelated_randomness(parameters.trace_id) }
    });
    let threshold = intent.threshold.filter(|_| is_sampled && intent.is_threshold_reliable);
    let trace_state = match threshold {
        // Said already: most spans' lists stay as they are.
        _ if stated.is_ok_and(|state| state.says(threshold)) => TraceStateUpdate::Keep,
        Some(threshold) => TraceStateUpdate::SetThreshold(threshold),
        None => TraceStateUpdate::EraseThreshold,
    };
    if is_sampled {
        SamplingResult { decision: SamplingDecision::RecordAndSample, attributes: intent.attributes, trace_state }
    } else {
        SamplingResult { decision: SamplingDecision::Drop, attributes: &[], trace_state }
    }
}

/// The trace's randomness: explicit, else that of the trace id.
fn randomness(parameters: &SamplingParameters<'_>, state: &OtState<'_>) -> u64 {
    state.randomness().unwrap_or_else(|| parameters.trace_id.randomness())
}

/// Randomness for a threshold that may depend on the trace's own, which must then not be used again ("CompositeSampler"):
/// all bits of the trace id, mixed so that the order of the right-most 56 has no influence on that of the result.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a number")]
fn unrelated_randomness(trace_id: TraceId) -> u64 {
    let bits = u128::from_le_bytes(trace_id.to_bytes());
    mix(bits as u64 ^ mix((bits >> 64) as u64)) >> 8
}
