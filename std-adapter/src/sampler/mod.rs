//! The samplers that a configuration names, put together for a pipeline whose threads share them.

mod guarded;
mod rate;

use std::sync::Once;

use clewline_core::{
    AlwaysOff, AlwaysOn, ComposableSampler, CompositeSampler, ParentBased, ParentDecisions, ParentThreshold,
    ProbabilitySampler, Sampler, SamplingIntent, SamplingParameters, SamplingResult, SamplingRule, SpanKind,
    TraceIdRatio,
};

use crate::config::{RuleConfig, RulesConfig, SamplerConfig};
use crate::pipeline::SharedSampler;
use crate::stderr::say;
pub(crate) use guarded::guarded;
pub use rate::{SharedRateLimited, SteadyClock};

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
    RateLimited(SharedRateLimited),
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
            SamplerConfig::RateLimited(rate) => Self::RateLimited(SharedRateLimited::per_second(*rate)),
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
            Self::AlwaysOn => Sampler::should_sample(&AlwaysOn, parameters),
            Self::AlwaysOff => Sampler::should_sample(&AlwaysOff, parameters),
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

    fn by_parent(&self) -> ParentDecisions {
        match self {
            Self::AlwaysOn => AlwaysOn.by_parent(),
            Self::AlwaysOff => AlwaysOff.by_parent(),
            Self::ParentBased(sampler) => sampler.by_parent(),
            _ => ParentDecisions::OPEN,
        }
    }

    fn sees_attributes(&self) -> bool {
        false
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
        say(format_args!(
            "clewline: the Probability sampler presumes that trace ids are random, which a caller does not confirm by the \
             random flag of its `traceparent`; the callers should be upgraded to W3C Trace Context level 2"
        ));
    });
}

#[cfg(test)]
mod tests {
    use clewline_core::{SamplingDecision, SpanContext, SpanId, TraceFlags, TraceId};

    use super::*;

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
