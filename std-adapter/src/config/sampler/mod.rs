//! Which sampler the configuration asks for, and how it is written as text.

mod text;

use std::fmt;

use clewline_core::{ProbabilitySampler, SpanKind};

pub use text::SamplerTextError;
#[cfg(feature = "serde")]
pub(crate) use text::kind;

/// The sampler that decides whether a new span is recorded (`trace/sdk.md`, "Built-in samplers").
///
/// It can be written as text, in configuration files and in `OTEL_TRACES_SAMPLER`: the names of the specification, or the
/// form in which it is displayed.
///
/// ```
/// use clewline::config::SamplerConfig;
/// let sampler: SamplerConfig = "parentbased_traceidratio(0.25)".parse()?;
/// assert_eq!(sampler.to_string(), "ParentBased(TraceIdRatio(0.25))");
/// # Ok::<(), clewline::config::SamplerTextError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SamplerConfig {
    /// Every span.
    AlwaysOn,
    /// No span.
    AlwaysOff,
    /// This share of all traces, from 0.0 to 1.0, decided by the trace id.
    TraceIdRatio(f64),
    /// This share of all traces, 0 or from 2^-56 to 1, decided by consistent probability: the threshold goes into the
    /// tracestate list (`trace/sdk.md`, "ProbabilitySampler").
    Probability(f64),
    /// As the parent was decided, whose threshold in the tracestate list is passed on; the sampler in it decides where there
    /// is no parent (`trace/sdk.md`, "ComposableParentThreshold"). That can be [`AlwaysOn`](Self::AlwaysOn),
    /// [`AlwaysOff`](Self::AlwaysOff), [`Probability`](Self::Probability), or [`Rules`](Self::Rules) of these.
    ParentThreshold(Box<Self>),
    /// At most so many spans a second; more than zero. At once no more than a second's worth, and at least one.
    RateLimited(f64),
    /// As the parent was decided; see [`ParentBasedConfig`].
    ParentBased(Box<ParentBasedConfig>),
    /// By name and kind of the span; see [`RulesConfig`].
    Rules(Box<RulesConfig>),
}

/// Which sampler decides, by what the parent is (`trace/sdk.md`, "ParentBased").
#[derive(Clone, Debug, PartialEq)]
pub struct ParentBasedConfig {
    /// For spans without a parent.
    pub root: SamplerConfig,
    /// For a parent from elsewhere that is sampled: every span by default.
    pub remote_parent_sampled: SamplerConfig,
    /// For a parent from elsewhere that is not sampled: no span by default.
    pub remote_parent_not_sampled: SamplerConfig,
    /// For a parent of this process that is sampled: every span by default.
    pub local_parent_sampled: SamplerConfig,
    /// For a parent of this process that is not sampled: no span by default.
    pub local_parent_not_sampled: SamplerConfig,
}

impl ParentBasedConfig {
    /// The names of the samplers.
    #[cfg(feature = "serde")]
    pub(crate) const FIELDS: [&str; 5] = [
        "root",
        "remote_parent_sampled",
        "remote_parent_not_sampled",
        "local_parent_sampled",
        "local_parent_not_sampled",
    ];

    /// Follows the parent, and asks `root` where there is none.
    #[must_use]
    pub const fn new(root: SamplerConfig) -> Self {
        Self {
            root,
            remote_parent_sampled: SamplerConfig::AlwaysOn,
            remote_parent_not_sampled: SamplerConfig::AlwaysOff,
            local_parent_sampled: SamplerConfig::AlwaysOn,
            local_parent_not_sampled: SamplerConfig::AlwaysOff,
        }
    }

    /// The four samplers for parents by name, each with what it is by default.
    fn parents(&self) -> [(&'static str, &SamplerConfig, SamplerConfig); 4] {
        [
            ("remote_parent_sampled", &self.remote_parent_sampled, SamplerConfig::AlwaysOn),
            ("remote_parent_not_sampled", &self.remote_parent_not_sampled, SamplerConfig::AlwaysOff),
            ("local_parent_sampled", &self.local_parent_sampled, SamplerConfig::AlwaysOn),
            ("local_parent_not_sampled", &self.local_parent_not_sampled, SamplerConfig::AlwaysOff),
        ]
    }

    /// The place of one of the four samplers for parents, by its name.
    pub(crate) fn parent_mut(&mut self, name: &str) -> Option<&mut SamplerConfig> {
        match name {
            "remote_parent_sampled" => Some(&mut self.remote_parent_sampled),
            "remote_parent_not_sampled" => Some(&mut self.remote_parent_not_sampled),
            "local_parent_sampled" => Some(&mut self.local_parent_sampled),
            "local_parent_not_sampled" => Some(&mut self.local_parent_not_sampled),
            _ => None,
        }
    }
}

/// Other samplers for some spans; the first rule that fits decides.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesConfig {
    /// The rules, in the order in which they are tried.
    pub rules: Vec<RuleConfig>,
    /// For spans that no rule fits.
    pub otherwise: SamplerConfig,
}

/// Another sampler for some spans.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleConfig {
    /// What the span's name at its start must look like: `*` stands for any text, also none.
    pub name: String,
    /// What its kind must be; any if `None`.
    pub kind: Option<SpanKind>,
    /// Decides about these spans.
    pub sampler: SamplerConfig,
}

impl SamplerConfig {
    /// Wraps a sampler so that it only decides for spans without a parent.
    #[must_use]
    pub fn parent_based(root: Self) -> Self {
        Self::ParentBased(Box::new(ParentBasedConfig::new(root)))
    }

    /// Other samplers for some spans: each rule is the pattern of a span name and a sampler, and the first that fits decides.
    ///
    /// ```
    /// use clewline::config::SamplerConfig;
    /// let sampler = SamplerConfig::rules([("GET /health", SamplerConfig::AlwaysOff)], SamplerConfig::default());
    /// ```
    #[must_use]
    pub fn rules<N: Into<String>>(rules: impl IntoIterator<Item = (N, Self)>, otherwise: Self) -> Self {
        let rules = rules.into_iter().map(|(name, sampler)| RuleConfig { name: name.into(), kind: None, sampler });
        Self::Rules(Box::new(RulesConfig { rules: rules.collect(), otherwise }))
    }

    /// The place of the number that `OTEL_TRACES_SAMPLER_ARG` gives, where this sampler has one at its root.
    pub(crate) fn argument_mut(&mut self) -> Option<Argument<'_>> {
        match self {
            Self::TraceIdRatio(ratio) => Some(Argument::Ratio(ratio)),
            Self::Probability(share) => Some(Argument::Probability(share)),
            Self::ParentThreshold(root) => root.argument_mut(),
            Self::RateLimited(rate) => Some(Argument::Rate(rate)),
            Self::ParentBased(parent_based) => parent_based.root.argument_mut(),
            Self::AlwaysOn | Self::AlwaysOff | Self::Rules(_) => None,
        }
    }

    /// Whether it can stand in [`ParentThreshold`](Self::ParentThreshold): it says how likely a span is to be sampled.
    pub(crate) fn is_composable(&self) -> bool {
        match self {
            Self::AlwaysOn | Self::AlwaysOff | Self::Probability(_) => true,
            Self::TraceIdRatio(_) | Self::RateLimited(_) | Self::ParentBased(_) | Self::ParentThreshold(_) => false,
            Self::Rules(rules) => {
                rules.otherwise.is_composable() && rules.rules.iter().all(|rule| rule.sampler.is_composable())
            }
        }
    }

    /// Whether all its samplers can work with what they are given.
    ///
    /// # Errors
    /// The first thing that one of them cannot work with.
    pub fn check(&self) -> Result<(), SamplerError> {
        let or = |is_good: bool, error| if is_good { Ok(()) } else { Err(error) };
        match self {
            Self::AlwaysOn | Self::AlwaysOff => Ok(()),
            Self::TraceIdRatio(ratio) => or(is_ratio(*ratio), SamplerError::Ratio),
            Self::Probability(share) => or(is_probability(*share), SamplerError::Probability),
            Self::RateLimited(rate) => or(is_rate(*rate), SamplerError::Rate),
            Self::ParentThreshold(root) => or(root.is_composable(), SamplerError::NotComposable).and(root.check()),
            Self::ParentBased(parent_based) => {
                parent_based.root.check()?;
                parent_based.parents().iter().try_for_each(|(_, sampler, _)| sampler.check())
            }
            Self::Rules(rules) => {
                rules.rules.iter().try_for_each(|rule| rule.sampler.check()).and(rules.otherwise.check())
            }
        }
    }
}

/// Why a sampler cannot do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SamplerError {
    /// A share of traces that is not from 0 to 1.
    Ratio,
    /// A probability that is neither 0 nor from 2^-56 to 1.
    Probability,
    /// A rate that is not above 0.
    Rate,
    /// A sampler in [`SamplerConfig::ParentThreshold`] that does not say how likely a span is to be sampled.
    NotComposable,
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ratio => "a share of traces is not a number from 0 to 1",
            Self::Probability => "a probability is not 0 or a number from 2^-56 to 1",
            Self::Rate => "a rate is not a number of spans a second above 0",
            Self::NotComposable => {
                "ParentThreshold holds a sampler other than AlwaysOn, AlwaysOff, Probability and Rules of these"
            }
        })
    }
}

impl std::error::Error for SamplerError {}

/// A number that a sampler is given, and what it means.
pub(crate) enum Argument<'a> {
    /// A share of all traces.
    Ratio(&'a mut f64),
    /// A share that has a threshold.
    Probability(&'a mut f64),
    /// Spans a second.
    Rate(&'a mut f64),
}

impl Argument<'_> {
    /// Takes the number, or says what is wrong with it.
    pub(crate) fn set(self, text: &str) -> Result<(), String> {
        let number = text.parse::<f64>().ok();
        let (place, is_good, wanted): (_, fn(f64) -> bool, _) = match self {
            Self::Ratio(place) => (place, is_ratio, "a number from 0.0 to 1.0"),
            Self::Probability(place) => (place, is_probability, PROBABILITY),
            Self::Rate(place) => (place, is_rate, "a number of spans a second above 0"),
        };
        match number.filter(|number| is_good(*number)) {
            Some(number) => *place = number,
            None => return Err(format!("not {wanted}; {place} is used")),
        }
        Ok(())
    }
}

pub(crate) fn is_ratio(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

/// What a probability has to be.
const PROBABILITY: &str = "0 or a number from 2^-56 to 1";

pub(crate) fn is_probability(number: f64) -> bool {
    ProbabilitySampler::new(number).is_ok()
}

pub(crate) fn is_rate(number: f64) -> bool {
    number > 0.0 && number.is_finite()
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self::parent_based(Self::AlwaysOn)
    }
}

impl fmt::Display for SamplerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlwaysOn => f.write_str("AlwaysOn"),
            Self::AlwaysOff => f.write_str("AlwaysOff"),
            Self::TraceIdRatio(ratio) => write!(f, "TraceIdRatio({ratio})"),
            Self::Probability(share) => write!(f, "Probability({share})"),
            Self::ParentThreshold(root) => write!(f, "ParentThreshold({root})"),
            Self::RateLimited(rate) => write!(f, "RateLimited({rate})"),
            Self::ParentBased(parent_based) => {
                write!(f, "ParentBased({}", parent_based.root)?;
                for (name, sampler, default) in parent_based.parents() {
                    if *sampler != default {
                        write!(f, ", {name}={sampler}")?;
                    }
                }
                f.write_str(")")
            }
            Self::Rules(rules) => {
                f.write_str("Rules(")?;
                for RuleConfig { name, kind, sampler } in &rules.rules {
                    if let Some(kind) = kind {
                        write!(f, "{} ", kind.name())?;
                    }
                    write!(f, "{}={sampler}, ", text::quoted(name))?;
                }
                write!(f, "otherwise={})", rules.otherwise)
            }
        }
    }
}
