//! `Sampler`: decides at the start of a span whether it is recorded and whether it is kept.

mod basic;
mod composite;
mod parent;
mod probability;
mod rate;
mod ratio;
mod rules;
mod update;

pub use basic::{AlwaysOff, AlwaysOn, RecordOnly};
pub use composite::{ComposableSampler, CompositeSampler, ParentThreshold, SamplingIntent};
pub use parent::ParentBased;
pub use probability::ProbabilitySampler;
pub use rate::RateLimited;
pub use ratio::TraceIdRatio;
pub use rules::{Rules, SamplingRule};
pub use update::{TraceStateUpdate, UpdatedTraceState};

use crate::{Attribute, Link, SpanContext, SpanKind, TraceId};

/// What a sampler may look at (OpenTelemetry trace SDK, "ShouldSample").
#[derive(Clone, Copy, Debug)]
pub struct SamplingParameters<'a> {
    /// The parent's context, `None` for a root.
    pub parent: Option<&'a SpanContext>,
    /// The tracestate list that came with the parent, or the one that a root begins with; empty if none.
    pub trace_state: &'a str,
    /// The trace of the span to be: the parent's, or a new one.
    pub trace_id: TraceId,
    /// The name of the span to be.
    pub name: &'a str,
    /// Its role in a call.
    pub kind: SpanKind,
    /// The attributes known at its start.
    pub attributes: &'a [Attribute<'a>],
    /// The relations known at its start.
    pub links: &'a [Link<'a>],
}

/// What becomes of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplingDecision {
    /// Nothing is recorded; the context is passed on, not sampled.
    Drop,
    /// Recorded for local processors, but not exported; the context is passed on, not sampled.
    RecordOnly,
    /// Recorded and exported; the context is passed on, sampled.
    RecordAndSample,
}

/// A sampler's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingResult<'a> {
    /// What becomes of the span.
    pub decision: SamplingDecision,
    /// Attributes that the sampler adds to the span.
    pub attributes: &'a [Attribute<'a>],
    /// What becomes of the tracestate list, which goes on with the span's context whatever the decision is.
    pub trace_state: TraceStateUpdate,
}

impl SamplingResult<'_> {
    /// Whether it is a decision and no more.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.attributes.is_empty() && self.trace_state == TraceStateUpdate::Keep
    }
}

/// A decision that adds no attributes and passes the tracestate list on as it came.
impl From<SamplingDecision> for SamplingResult<'_> {
    #[inline]
    fn from(decision: SamplingDecision) -> Self {
        Self { decision, attributes: &[], trace_state: TraceStateUpdate::Keep }
    }
}

/// Decides at the start of a span. Called for every span, so it should be quick and must not block.
pub trait Sampler {
    /// The decision for the span that is about to start.
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_>;

    /// What it always decides where it looks at nothing but the parent's flags and adds nothing: hosts then need not ask it.
    /// [`ParentDecisions::OPEN`] is right for every sampler.
    fn by_parent(&self) -> ParentDecisions {
        ParentDecisions::OPEN
    }

    /// Whether it looks at the attributes of the span to be. Hosts to whom they take work leave them out otherwise. `true` is
    /// right for every sampler.
    fn sees_attributes(&self) -> bool {
        true
    }
}

impl<S: Sampler + ?Sized> Sampler for &S {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        (**self).should_sample(parameters)
    }

    fn by_parent(&self) -> ParentDecisions {
        (**self).by_parent()
    }

    fn sees_attributes(&self) -> bool {
        (**self).sees_attributes()
    }
}

/// What a sampler decides by the parent's flags alone; `None` where it looks at more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentDecisions {
    /// For spans without a parent.
    pub root: Option<SamplingDecision>,
    /// When the parent is remote and sampled.
    pub remote_parent_sampled: Option<SamplingDecision>,
    /// When the parent is remote and not sampled.
    pub remote_parent_not_sampled: Option<SamplingDecision>,
    /// When the parent is of this process and sampled.
    pub local_parent_sampled: Option<SamplingDecision>,
    /// When the parent is of this process and not sampled.
    pub local_parent_not_sampled: Option<SamplingDecision>,
}

impl ParentDecisions {
    /// Nothing is known before the sampler is asked.
    pub const OPEN: Self = Self::same(None);

    /// The same for all spans.
    #[must_use]
    pub const fn all(decision: SamplingDecision) -> Self {
        Self::same(Some(decision))
    }

    const fn same(decision: Option<SamplingDecision>) -> Self {
        Self {
            root: decision,
            remote_parent_sampled: decision,
            remote_parent_not_sampled: decision,
            local_parent_sampled: decision,
            local_parent_not_sampled: decision,
        }
    }
}
