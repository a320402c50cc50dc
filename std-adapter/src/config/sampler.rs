//! Which sampler the configuration asks for, by the names of `OTEL_TRACES_SAMPLER`.

use std::fmt;

/// The sampler that decides whether a new span is recorded (`trace/sdk.md`, "Built-in samplers").
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SamplerConfig {
    /// Every span.
    AlwaysOn,
    /// No span.
    AlwaysOff,
    /// This share of all traces, from 0.0 to 1.0, decided by the trace id.
    TraceIdRatio(f64),
    /// As the parent was decided; the inner sampler decides for spans without a parent.
    ParentBased(Box<SamplerConfig>),
}

impl SamplerConfig {
    /// Wraps a sampler so that it only decides for spans without a parent.
    #[must_use]
    pub fn parent_based(root: Self) -> Self {
        Self::ParentBased(Box::new(root))
    }

    /// The sampler of one of the specification's names, in any case; `None` for names that are not built in.
    ///
    /// A ratio sampler gets the ratio 1.0, the default of `OTEL_TRACES_SAMPLER_ARG`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "always_on" => Self::AlwaysOn,
            "always_off" => Self::AlwaysOff,
            "traceidratio" => Self::TraceIdRatio(1.0),
            "parentbased_always_on" => Self::parent_based(Self::AlwaysOn),
            "parentbased_always_off" => Self::parent_based(Self::AlwaysOff),
            "parentbased_traceidratio" => Self::parent_based(Self::TraceIdRatio(1.0)),
            _ => return None,
        })
    }

    /// The place of the ratio, where this sampler has one.
    pub(crate) fn ratio_mut(&mut self) -> Option<&mut f64> {
        match self {
            Self::TraceIdRatio(ratio) => Some(ratio),
            Self::ParentBased(root) => root.ratio_mut(),
            Self::AlwaysOn | Self::AlwaysOff => None,
        }
    }
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
            Self::ParentBased(root) => write!(f, "ParentBased({root})"),
        }
    }
}

/// Reads a ratio: a number from 0.0 to 1.0.
pub(crate) fn parse_ratio(text: &str) -> Option<f64> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}
