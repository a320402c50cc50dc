//! The samplers that a configuration names, put together for a pipeline whose threads share them.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use clewline_core::{
    AlwaysOff, AlwaysOn, Clock, ComposableSampler, CompositeSampler, ParentBased, ParentThreshold, ProbabilitySampler,
    Sampler, SamplingDecision, SamplingIntent, SamplingParameters, SamplingResult, SamplingRule, SpanKind,
    TraceIdRatio,
};

use crate::config::{RuleConfig, RulesConfig, SamplerConfig};
use crate::pipeline::{HostClock, SharedSampler};

/// Puts together the sampler that `config` names.
pub(crate) fn build(config: &SamplerConfig) -> SharedSampler {
    // The default stands for itself: it is asked for most spans that there are.
    if *config == SamplerConfig::default() {
        Box::new(ParentBased::new(AlwaysOn))
    } else {
        Box::new(Built::new(config))
    }
}

enum Built {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatio(TraceIdRatio),
    Probability(ProbabilitySampler),
    ParentThreshold(Box<CompositeSampler<ParentThreshold<Self>>>),
    RateLimited(RateLimited<HostClock>),
    ParentBased(Box<ParentBased<Self, Self, Self, Self, Self>>),
    Rules(Vec<Rule>, Box<Self>),
}

struct Rule {
    name: String,
    kind: Option<SpanKind>,
    sampler: Built,
}

impl Built {
    fn new(config: &SamplerConfig) -> Self {
        match config {
            SamplerConfig::AlwaysOn => Self::AlwaysOn,
            SamplerConfig::AlwaysOff => Self::AlwaysOff,
            // The configuration has checked the range.
            SamplerConfig::TraceIdRatio(ratio) => TraceIdRatio::new(*ratio).map_or(Self::AlwaysOn, Self::TraceIdRatio),
            SamplerConfig::Probability(share) => {
                ProbabilitySampler::new(*share).map_or(Self::AlwaysOn, Self::Probability)
            }
            SamplerConfig::ParentThreshold(root) => {
                Self::ParentThreshold(Box::new(CompositeSampler::new(ParentThreshold::new(Self::new(root)))))
            }
            SamplerConfig::RateLimited(rate) => Self::RateLimited(RateLimited::new(HostClock::get(), *rate)),
            SamplerConfig::ParentBased(config) => Self::ParentBased(Box::new(ParentBased {
                root: Self::new(&config.root),
                remote_parent_sampled: Self::new(&config.remote_parent_sampled),
                remote_parent_not_sampled: Self::new(&config.remote_parent_not_sampled),
                local_parent_sampled: Self::new(&config.local_parent_sampled),
                local_parent_not_sampled: Self::new(&config.local_parent_not_sampled),
            })),
            SamplerConfig::Rules(config) => {
                let RulesConfig { rules, otherwise } = &**config;
                let rule = |RuleConfig { name, kind, sampler }: &RuleConfig| Rule {
                    name: name.clone(),
                    kind: *kind,
                    sampler: Self::new(sampler),
                };
                Self::Rules(rules.iter().map(rule).collect(), Box::new(Self::new(otherwise)))
            }
        }
    }
}

impl Built {
    /// The sampler of the first rule that fits.
    fn ruled<'b>(rules: &'b [Rule], otherwise: &'b Self, parameters: &SamplingParameters<'_>) -> &'b Self {
        let fits = |rule: &&Rule| {
            SamplingRule { name: &rule.name, kind: rule.kind, sampler: () }.fits(parameters.name, parameters.kind)
        };
        rules.iter().find(fits).map_or(otherwise, |rule| &rule.sampler)
    }
}

impl Sampler for Built {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        match self {
            Self::AlwaysOn => AlwaysOn.should_sample(parameters).decision.into(),
            Self::AlwaysOff => AlwaysOff.should_sample(parameters).decision.into(),
            Self::TraceIdRatio(sampler) => sampler.should_sample(parameters),
            Self::Probability(sampler) => {
                let result = sampler.should_sample(parameters);
                if sampler.has_presumed_randomness() {
                    warn_of_presumed_randomness();
                }
                result
            }
            Self::ParentThreshold(sampler) => sampler.should_sample(parameters),
            Self::RateLimited(sampler) => sampler.should_sample(parameters),
            Self::ParentBased(sampler) => sampler.should_sample(parameters),
            Self::Rules(rules, otherwise) => Self::ruled(rules, otherwise, parameters).should_sample(parameters),
        }
    }
}

impl ComposableSampler for Built {
    fn sampling_intent(&self, parameters: &SamplingParameters<'_>, parent: Option<u64>) -> SamplingIntent<'_> {
        match self {
            Self::AlwaysOn => SamplingIntent { threshold: Some(0), is_threshold_reliable: true, attributes: &[] },
            Self::Probability(sampler) => sampler.sampling_intent(parameters, parent),
            Self::Rules(rules, otherwise) => {
                Self::ruled(rules, otherwise, parameters).sampling_intent(parameters, parent)
            }
            // The configuration has checked that no other sampler stands here.
            _ => SamplingIntent::DROP,
        }
    }
}

/// "The SDK SHOULD issue a warning statement" (`trace/sdk.md`, "ProbabilitySampler"): once in a process.
fn warn_of_presumed_randomness() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        eprintln!(
            "clewline: the Probability sampler presumes that trace ids are random, which a caller does not confirm by the \
             random flag of its `traceparent`; the callers should be upgraded to W3C Trace Context level 2"
        );
    });
}

/// Samples at most so many spans a second, counted by all threads together: core's own counts on one thread only.
///
/// The bucket is kept as the time at which it would be full again, so that one exchange of one number takes a span out of it
/// (the generic cell rate algorithm).
struct RateLimited<C> {
    clock: C,
    /// Nanoseconds that one span costs.
    cost: u64,
    /// How far ahead of now the bucket may be filled up: what it holds, less the span that is asked for.
    ahead: u64,
    full_at: AtomicU64,
}

impl<C: Clock> RateLimited<C> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut at the ends of the integer's range, which is what is wanted"
    )]
    fn new(clock: C, spans_a_second: f64) -> Self {
        let cost = (1e9 / spans_a_second).max(1.0) as u64;
        Self { clock, cost, ahead: 1_000_000_000_u64.saturating_sub(cost), full_at: AtomicU64::new(0) }
    }

    fn takes(&self) -> bool {
        let Some(now) = self.clock.unix_nanos() else { return false };
        let mut is_taken = false;
        let take = |stored: u64| {
            // A clock that was set back must not keep the bucket empty until it has caught up.
            let full_at = stored.clamp(now, now.saturating_add(self.ahead).saturating_add(self.cost));
            is_taken = full_at - now <= self.ahead;
            let next = if is_taken { full_at.saturating_add(self.cost) } else { full_at };
            (next != stored).then_some(next)
        };
        // Whether anything was written is not asked: a full bucket that refuses a span stays as it is.
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        is_taken
    }
}

impl<C: Clock> Sampler for RateLimited<C> {
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let decision = if self.takes() { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        decision.into()
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{ManualClock, SpanContext, SpanId, TraceFlags, TraceId};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_rate_holds_a_second_s_worth_and_refills_evenly() {
        // Spans a second; how many are taken at once at first; then per step of time.
        let table = [
            (10.0, 10, vec![(SECOND / 10, 1), (SECOND / 20, 0), (SECOND / 20, 1), (SECOND, 10), (SECOND * 60, 10)]),
            (1.0, 1, vec![(SECOND / 2, 0), (SECOND / 2, 1)]),
            (0.5, 1, vec![(SECOND, 0), (SECOND, 1), (SECOND * 60, 1)]),
        ];
        for (rate, at_once, steps) in table {
            let clock = ManualClock::new(1_700_000_000 * SECOND);
            let sampler = RateLimited::new(&clock, rate);
            let taken = || (0..1000).filter(|_| sampler.takes()).count();
            assert_eq!(taken(), at_once, "{rate}");
            for (step, expected) in steps {
                clock.advance(step);
                assert_eq!(taken(), expected, "{rate} after {step}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_empties_the_bucket_for_no_longer_than_it_takes_to_fill_it() {
        let mut sampler = RateLimited::new(ManualClock::new(1_700_000_000 * SECOND), 10.0);
        assert_eq!((0..100).filter(|_| sampler.takes()).count(), 10);
        sampler.clock = ManualClock::new(1_600_000_000 * SECOND);
        assert!(!sampler.takes());
        sampler.clock.advance(SECOND);
        assert_eq!((0..100).filter(|_| sampler.takes()).count(), 10);
    }

    #[test]
    fn each_configured_sampler_decides_as_its_text_says() {
        let trace_id = TraceId::from_bytes([7; 16]).expect("not zero");
        let context = |flags| SpanContext::new(trace_id, SpanId::from_bytes([1; 8]).expect("not zero"), flags);
        let (on, off) = (context(TraceFlags::SAMPLED), context(TraceFlags::NONE));
        let (remote_on, remote_off) = (on.into_remote(), off.into_remote());
        let parents = [None, Some(&on), Some(&off), Some(&remote_on), Some(&remote_off)];
        let rules = r#"Rules(SERVER "GET /health*"=AlwaysOff, "*slow*"=AlwaysOn, otherwise=ParentBased(AlwaysOff))"#;
        // For no parent, and for parents that are local and sampled, local and not, remote and sampled, remote and not.
        let table = [
            ("AlwaysOn", "a", [true; 5]),
            ("AlwaysOff", "a", [false; 5]),
            ("TraceIdRatio(1)", "a", [true; 5]),
            ("TraceIdRatio(0)", "a", [false; 5]),
            ("ParentBased(AlwaysOn)", "a", [true, true, false, true, false]),
            ("ParentBased(AlwaysOff)", "a", [false, true, false, true, false]),
            ("ParentBased(TraceIdRatio(0))", "a", [false, true, false, true, false]),
            ("ParentBased(AlwaysOff, remote_parent_sampled=AlwaysOff)", "a", [false, true, false, false, false]),
            ("ParentBased(AlwaysOff, remote_parent_not_sampled=AlwaysOn)", "a", [false, true, false, true, true]),
            ("ParentBased(AlwaysOff, local_parent_sampled=AlwaysOff)", "a", [false, false, false, true, false]),
            ("ParentBased(AlwaysOff, local_parent_not_sampled=AlwaysOn)", "a", [false, true, true, true, false]),
            ("Probability(1)", "a", [true; 5]),
            ("Probability(0)", "a", [false; 5]),
            ("ParentThreshold(Probability(1))", "a", [true, true, false, true, false]),
            ("ParentThreshold(AlwaysOff)", "a", [false, true, false, true, false]),
            (r#"ParentThreshold(Rules("a"=AlwaysOn, otherwise=AlwaysOff))"#, "a", [true, true, false, true, false]),
            ("RateLimited(1000000)", "a", [true; 5]),
            (rules, "GET /health/live", [false; 5]),
            (rules, "very slow query", [true; 5]),
            (rules, "a", [false, true, false, true, false]),
        ];
        for (text, name, expected) in table {
            let sampler = build(&text.parse().expect(text));
            let seen = parents.map(|parent| {
                let parameters = SamplingParameters {
                    parent,
                    trace_state: "",
                    trace_id,
                    name,
                    kind: SpanKind::Server,
                    attributes: &[],
                    links: &[],
                };
                sampler.should_sample(&parameters).decision == SamplingDecision::RecordAndSample
            });
            assert_eq!(seen, expected, "{text} for {name}");
        }
    }
}
