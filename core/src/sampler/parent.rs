//! `ParentBased`: does what the parent did.

use super::{AlwaysOff, AlwaysOn, ParentDecisions, Sampler, SamplingParameters, SamplingResult};

/// Asks one of five samplers, by what the parent is (OpenTelemetry trace SDK, "ParentBased").
///
/// ```
/// use clewline_core::{ParentBased, TraceIdRatio};
/// let sampler = ParentBased::new(TraceIdRatio::new(0.25).unwrap());
/// # let _ = sampler;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParentBased<
    Root,
    RemoteSampled = AlwaysOn,
    RemoteNotSampled = AlwaysOff,
    LocalSampled = AlwaysOn,
    LocalNotSampled = AlwaysOff,
> {
    /// Asked for spans without a parent.
    pub root: Root,
    /// Asked when the parent is remote and sampled.
    pub remote_parent_sampled: RemoteSampled,
    /// Asked when the parent is remote and not sampled.
    pub remote_parent_not_sampled: RemoteNotSampled,
    /// Asked when the parent is of this process and sampled.
    pub local_parent_sampled: LocalSampled,
    /// Asked when the parent is of this process and not sampled.
    pub local_parent_not_sampled: LocalNotSampled,
}

impl<Root> ParentBased<Root> {
    /// Follows the parent, and asks `root` where there is none.
    #[must_use]
    pub const fn new(root: Root) -> Self {
        Self {
            root,
            remote_parent_sampled: AlwaysOn,
            remote_parent_not_sampled: AlwaysOff,
            local_parent_sampled: AlwaysOn,
            local_parent_not_sampled: AlwaysOff,
        }
    }
}

impl<A: Sampler, B: Sampler, C: Sampler, D: Sampler, E: Sampler> Sampler for ParentBased<A, B, C, D, E> {
    #[inline]
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        match parameters.parent {
            None => self.root.should_sample(parameters),
            Some(parent) => match (parent.is_remote(), parent.is_sampled()) {
                (true, true) => self.remote_parent_sampled.should_sample(parameters),
                (true, false) => self.remote_parent_not_sampled.should_sample(parameters),
                (false, true) => self.local_parent_sampled.should_sample(parameters),
                (false, false) => self.local_parent_not_sampled.should_sample(parameters),
            },
        }
    }

    fn by_parent(&self) -> ParentDecisions {
        ParentDecisions {
            root: self.root.by_parent().root,
            remote_parent_sampled: self.remote_parent_sampled.by_parent().remote_parent_sampled,
            remote_parent_not_sampled: self.remote_parent_not_sampled.by_parent().remote_parent_not_sampled,
            local_parent_sampled: self.local_parent_sampled.by_parent().local_parent_sampled,
            local_parent_not_sampled: self.local_parent_not_sampled.by_parent().local_parent_not_sampled,
        }
    }

    fn sees_attributes(&self) -> bool {
        self.root.sees_attributes()
            || self.remote_parent_sampled.sees_attributes()
            || self.remote_parent_not_sampled.sees_attributes()
            || self.local_parent_sampled.sees_attributes()
            || self.local_parent_not_sampled.sees_attributes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RecordOnly, SamplingDecision, SpanContext, SpanId, SpanKind, TraceFlags, TraceId, TraceIdRatio};

    #[test]
    fn each_parent_has_its_delegate() {
        let trace_id = TraceId::from_bytes([7; 16]).unwrap();
        let context = |flags| SpanContext::new(trace_id, SpanId::from_bytes([1; 8]).unwrap(), flags);
        let (on, off) = (context(TraceFlags::SAMPLED), context(TraceFlags::NONE));
        let decide = |sampler: &dyn Sampler, parent: Option<&SpanContext>| {
            let parameters = SamplingParameters {
                parent,
                trace_state: "",
                trace_id,
                name: "n",
                kind: SpanKind::Internal,
                attributes: &[],
                links: &[],
            };
            sampler.should_sample(&parameters).decision == SamplingDecision::RecordAndSample
        };
        let usual = ParentBased::new(AlwaysOn);
        assert!(decide(&usual, None) && decide(&usual, Some(&on)) && decide(&usual, Some(&on.into_remote())));
        assert!(!decide(&usual, Some(&off)) && !decide(&usual, Some(&off.into_remote())));
        let reversed = ParentBased {
            root: AlwaysOff,
            remote_parent_sampled: AlwaysOff,
            remote_parent_not_sampled: AlwaysOn,
            local_parent_sampled: AlwaysOff,
            local_parent_not_sampled: AlwaysOn,
        };
        assert!(
            !decide(&reversed, None) && !decide(&reversed, Some(&on)) && !decide(&reversed, Some(&on.into_remote()))
        );
        assert!(decide(&reversed, Some(&off)) && decide(&reversed, Some(&off.into_remote())));
    }

    #[test]
    fn what_is_known_beforehand_is_what_is_decided() {
        let (yes, no) = (Some(SamplingDecision::RecordAndSample), Some(SamplingDecision::Drop));
        let known = |sampler: &dyn Sampler| {
            let all = sampler.by_parent();
            [
                all.root,
                all.remote_parent_sampled,
                all.remote_parent_not_sampled,
                all.local_parent_sampled,
                all.local_parent_not_sampled,
            ]
        };
        assert_eq!(known(&ParentBased::new(AlwaysOff)), [no, yes, no, yes, no]);
        let (root, remote) = (AlwaysOn, RecordOnly);
        let mixed = ParentBased {
            root,
            remote_parent_sampled: remote,
            remote_parent_not_sampled: AlwaysOn,
            local_parent_sampled: AlwaysOff,
            local_parent_not_sampled: ParentBased::new(AlwaysOn),
        };
        assert_eq!(known(&mixed), [yes, Some(SamplingDecision::RecordOnly), yes, no, no]);
        let ratio = ParentBased::new(TraceIdRatio::new(0.5).unwrap());
        assert_eq!((known(&ratio), ratio.sees_attributes()), ([None, yes, no, yes, no], false));
        assert_eq!(known(&ratio.root), [None; 5]);
    }
}
