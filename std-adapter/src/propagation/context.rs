//! `Context`: a span elsewhere, and what travels beside its ids.

use std::fmt;
use std::sync::{Arc, LazyLock};

use clewline_core::b3::SamplingState;
use clewline_core::baggage::BaggageError;
use clewline_core::{SpanContext, TraceId, baggage, tracestate};

use crate::pipeline::GrowingBuffer;
use crate::tracer::Parent;

/// A `baggage` list on the heap.
pub type Baggage = baggage::Baggage<GrowingBuffer>;

/// A `tracestate` list on the heap.
pub type TraceState = tracestate::TraceState<GrowingBuffer>;

/// What OpenTelemetry calls a context, as far as it travels: a span of this process or another, its `tracestate`, and the
/// baggage.
///
/// Cloning is cheap: lists are shared. A context without lists holds nothing on the heap.
///
/// ```
/// use clewline::propagation::Context;
/// let parent = clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// let context = Context::from(parent).with_baggage_entry("tenant", "Müller & Söhne").unwrap();
/// assert_eq!(context.baggage().as_str(), "tenant=M%C3%BCller%20&%20S%C3%B6hne");
/// let span = clewline::tracer("shop").span("GET /cart").child_of(&context).start();
/// # drop(span);
/// ```
#[derive(Clone, Default)]
pub struct Context {
    span: Option<SpanContext>,
    sampling: SamplingState,
    carried: Option<Arc<Carried>>,
}

/// What few contexts have.
#[derive(Clone, Default)]
struct Carried {
    /// The trace that the list belongs to.
    trace_id: Option<TraceId>,
    trace_state: TraceState,
    baggage: Baggage,
}

impl Context {
    /// A context of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { span: None, sampling: SamplingState::Defer, carried: None }
    }

    pub(super) fn arrived(span: Option<SpanContext>, sampling: SamplingState) -> Self {
        Self { span, sampling, carried: None }
    }

    /// The span; `None` starts a new trace.
    #[must_use]
    pub const fn span_context(&self) -> Option<SpanContext> {
        self.span
    }

    /// What was decided about recording, which B3 and Jaeger tell in more words than the sampled flag has: `Debug` is to be
    /// passed on, and `Defer` beside a span leaves the decision to this process.
    #[must_use]
    pub const fn sampling(&self) -> SamplingState {
        self.sampling
    }

    /// The span's `tracestate` list as it leaves; empty if there is none.
    #[must_use]
    pub fn trace_state(&self) -> &str {
        match (&self.carried, &self.span) {
            (Some(carried), Some(span)) if carried.trace_id == Some(span.trace_id()) => carried.trace_state.as_str(),
            _ => "",
        }
    }

    /// The baggage; empty if there is none.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        static NONE: LazyLock<Baggage> = LazyLock::new(Baggage::default);
        match &self.carried {
            Some(carried) => &carried.baggage,
            None => &NONE,
        }
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.span.is_none() && self.carried.is_none()
    }

    /// The same baggage beside another span. The `tracestate` list stays if the trace does.
    #[must_use]
    pub fn with_span_context(mut self, span: SpanContext) -> Self {
        let is_same_trace = self.span.is_some_and(|known| known.trace_id() == span.trace_id());
        if !is_same_trace || self.sampling != SamplingState::Debug {
            self.sampling = SamplingState::from_sampled(span.is_sampled());
        }
        self.span = Some(span);
        self
    }

    /// Gives the span another `tracestate` list. Without a span there is no place for one, and nothing changes.
    #[must_use]
    pub fn with_trace_state(mut self, trace_state: TraceState) -> Self {
        let Some(span) = self.span else { return self };
        if self.carried.is_some() || !trace_state.is_empty() {
            let carried = Arc::make_mut(self.carried.get_or_insert_default());
            carried.trace_id = Some(span.trace_id());
            carried.trace_state = trace_state;
        }
        self
    }

    /// Replaces the baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        if self.carried.is_some() || !baggage.is_empty() {
            Arc::make_mut(self.carried.get_or_insert_default()).baggage = baggage;
        }
        self
    }

    /// Sets one entry of the baggage, any text. It replaces all entries of that key.
    ///
    /// # Errors
    /// The key is no token, or the list would be longer than 64 entries or 8192 bytes (W3C Baggage, sections 3.3.1.2 and
    /// 3.3.2).
    pub fn with_baggage_entry(mut self, key: &str, value: &str) -> Result<Self, BaggageError> {
        let mut baggage = self.baggage().clone();
        baggage.set(key, value)?;
        self = self.with_baggage(baggage);
        Ok(self)
    }

    /// Removes one entry of the baggage.
    #[must_use]
    pub fn without_baggage_entry(self, key: &str) -> Self {
        if self.baggage().get(key).is_none() {
            return self;
        }
        let mut baggage = self.baggage().clone();
        baggage.remove(key);
        self.with_baggage(baggage)
    }
}

impl From<SpanContext> for Context {
    fn from(span: SpanContext) -> Self {
        Self { span: Some(span), sampling: SamplingState::from_sampled(span.is_sampled()), carried: None }
    }
}

impl Parent for Context {
    fn parent_context(&self) -> Option<SpanContext> {
        self.span
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        (self.span, self.sampling) == (other.span, other.sampling)
            && self.trace_state() == other.trace_state()
            && self.baggage() == other.baggage()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("span", &self.span)
            .field("sampling", &self.sampling)
            .field("trace_state", &self.trace_state())
            .field("baggage", &self.baggage().as_str())
            .finish()
    }
}
