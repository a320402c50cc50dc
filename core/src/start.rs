//! The start of a span: ids, sampling, context. One piece of code behind every door.

use crate::{
    Attribute, IdSource, Sampler, SamplingDecision, SamplingParameters, SamplingResult, SpanContext, SpanKind,
    TraceFlags, UpdatedTraceState,
};

/// A relation to another span, of any trace (OpenTelemetry trace API, "Link").
///
/// ```
/// use clewline_core::{Link, SpanContext, Value, traceparent};
/// let context = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// let message = [("messaging.message.id", Value::from("17"))];
/// let link = Link { trace_state: "vendor=1", attributes: &message, ..Link::from(context) };
/// # let _ = link;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link<'a> {
    /// The span it leads to.
    pub context: SpanContext,
    /// The tracestate list that came with that context, empty if none.
    pub trace_state: &'a str,
    /// What there is to say about the relation.
    pub attributes: &'a [Attribute<'a>],
}

impl From<SpanContext> for Link<'_> {
    fn from(context: SpanContext) -> Self {
        Self { context, trace_state: "", attributes: &[] }
    }
}

/// What is asked for when a span starts.
#[derive(Clone, Copy, Debug)]
pub struct SpanRequest<'a> {
    /// What is going to happen.
    pub name: &'a str,
    /// The role in a call.
    pub kind: SpanKind,
    /// The parent's context, `None` for a new trace.
    pub parent: Option<SpanContext>,
    /// The tracestate list that came with the parent, or the one that a new trace begins with; empty if none.
    pub trace_state: &'a str,
    /// Attributes that are known already; samplers see them.
    pub attributes: &'a [Attribute<'a>],
    /// Relations that are known already; samplers see them.
    pub links: &'a [Link<'a>],
}

/// What was decided.
#[derive(Clone, Copy, Debug)]
pub struct SpanDecision<'s> {
    /// The new span's context. It travels on even if nothing is recorded.
    pub context: SpanContext,
    /// Whether the span is recorded, attributes that the sampler adds, and what becomes of the tracestate list.
    pub sampling: SamplingResult<'s>,
}

impl SpanDecision<'_> {
    /// The new span's tracestate list, made of the one in the request: for the span itself, its children and outgoing calls.
    #[must_use]
    pub fn trace_state<'l>(&self, requested: &'l str) -> UpdatedTraceState<'l> {
        self.sampling.trace_state.apply(requested)
    }

    /// Whether anything is recorded.
    #[must_use]
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.sampling.decision != SamplingDecision::Drop
    }
}

impl SpanRequest<'_> {
    /// Makes the ids and asks the sampler (OpenTelemetry trace SDK, "SDK Span creation").
    #[inline]
    pub fn decide<'s, I: IdSource + ?Sized, S: Sampler + ?Sized>(&self, ids: &I, sampler: &'s S) -> SpanDecision<'s> {
        let (trace_id, is_random) = match &self.parent {
            Some(parent) => (parent.trace_id(), parent.flags().is_random()),
            None => (ids.trace_id(), ids.is_random()),
        };
        let sampling = sampler.should_sample(&SamplingParameters {
            parent: self.parent.as_ref(),
            trace_state: self.trace_state,
            trace_id,
            name: self.name,
            kind: self.kind,
            attributes: self.attributes,
            links: self.links,
        });
        SpanDecision {
            context: SpanContext::new(trace_id, ids.span_id(), flags(sampling.decision, is_random)),
            sampling,
        }
    }
}

/// The flags of a new span.
///
/// The random flag of a parent is passed on; a root has it if its id is random (W3C Trace Context level 2, section
/// 3.2.2.5.2).
#[inline]
pub(crate) fn flags(decision: SamplingDecision, is_random: bool) -> TraceFlags {
    TraceFlags::NONE.with_sampled(decision == SamplingDecision::RecordAndSample).with_random(is_random)
}
