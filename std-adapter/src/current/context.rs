//! `Context`: what a span hands on to what happens within it, here and elsewhere.

use std::fmt;
use std::sync::LazyLock;

use clewline_core::SpanContext;
use clewline_core::b3::SamplingState;
use clewline_core::baggage::BaggageError;

use super::carried::{Baggage, Carried, Shared};
use super::{ContextGuard, Place};
use crate::Parent;

/// What a span hands on to what happens within it: its own context, the tracestate list of its trace, and the baggage.
///
/// Cheap to clone: lists are shared. A context without lists holds nothing on the heap. [`propagation`](crate::propagation)
/// reads and writes it.
///
/// ```
/// use clewline::Context;
/// let incoming = clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok();
/// let context = Context::new(incoming).with_trace_state("congo=t61rcWkgMzE").with_baggage_entry("tenant", "Müller").unwrap();
/// let attached = context.attach();
/// assert_eq!(Context::current().span_context(), incoming); // and so the parent of spans that start now
/// assert_eq!(Context::current().baggage().get("tenant").unwrap(), "Müller");
/// drop(attached);
/// assert_eq!(Context::current(), Context::default());
/// ```
#[derive(Clone, Default)]
pub struct Context {
    span: Option<SpanContext>,
    carried: Shared,
}

impl Context {
    /// The context of a span, without lists; `None` is that of no span.
    #[must_use]
    #[inline]
    pub const fn new(span: Option<SpanContext>) -> Self {
        Self { span, carried: None }
    }

    #[inline]
    pub(crate) const fn with_carried(span: Option<SpanContext>, carried: Shared) -> Self {
        Self { span, carried }
    }

    /// The context of the span that this thread is in, whichever door it came through.
    ///
    /// A `tracing` span that filters keep from the layer counts as its nearest ancestor that they let through.
    #[must_use]
    pub fn current() -> Self {
        super::handed_on()
    }

    /// The span's own context; `None` starts a new trace.
    #[must_use]
    #[inline]
    pub const fn span_context(&self) -> Option<SpanContext> {
        self.span
    }

    /// The tracestate list of its trace, as it leaves; empty if none.
    #[must_use]
    #[inline]
    pub fn trace_state(&self) -> &str {
        self.carried.as_ref().map_or("", |carried| &carried.trace_state)
    }

    /// The baggage; empty if none.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        static NONE: LazyLock<Baggage> = LazyLock::new(Baggage::default);
        self.carried.as_ref().map_or_else(|| &*NONE, |carried| &carried.baggage)
    }

    /// What was decided about recording, which B3 and Jaeger tell in more words than the sampled flag has: `Debug` is to be
    /// passed on, and `Defer` beside a span leaves the decision to this process.
    #[must_use]
    pub fn sampling(&self) -> SamplingState {
        let told = self.carried.as_ref().and_then(|carried| carried.sampling);
        told.unwrap_or_else(|| {
            self.span.map_or(SamplingState::Defer, |span| SamplingState::from_sampled(span.is_sampled()))
        })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.span.is_none() && self.carried.is_none()
    }

    /// The same lists beside another span. The tracestate list, and a wish to debug, stay with their trace.
    #[must_use]
    pub fn with_span_context(mut self, span: SpanContext) -> Self {
        let is_same_trace = self.span.is_some_and(|known| known.trace_id() == span.trace_id());
        if !is_same_trace {
            self.carried = Carried::into_new_trace(self.carried);
        } else if self.sampling() == SamplingState::Defer {
            Carried::change(&mut self.carried, |carried| carried.sampling = None);
        }
        self.span = Some(span);
        self
    }

    /// The same context with the tracestate list that came with it; an empty one, or one that breaks a rule, is none (W3C
    /// Trace Context level 2, section 3.3).
    #[must_use]
    pub fn with_trace_state(mut self, trace_state: &str) -> Self {
        Carried::set_trace_state(&mut self.carried, trace_state);
        self
    }

    /// The same context with other baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        if self.carried.is_some() || !baggage.is_empty() {
            Carried::change(&mut self.carried, |carried| carried.baggage = baggage);
        }
        self
    }

    /// Sets one entry of the baggage, any text. It replaces all entries of that key.
    ///
    /// # Errors
    /// The key is no token, or the list would be longer than 64 entries or 8192 bytes (W3C Baggage, sections 3.3.1.2 and
    /// 3.3.2).
    pub fn with_baggage_entry(self, key: &str, value: &str) -> Result<Self, BaggageError> {
        let mut baggage = self.baggage().clone();
        baggage.set(key, value)?;
        Ok(self.with_baggage(baggage))
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

    /// Notes what arrived, where the sampled flag does not say it.
    pub(crate) fn with_sampling(mut self, sampling: SamplingState) -> Self {
        if self.sampling() != sampling {
            Carried::change(&mut self.carried, |carried| carried.sampling = Some(sampling));
        }
        self
    }

    #[inline]
    pub(crate) fn into_parts(self) -> (Option<SpanContext>, Shared) {
        (self.span, self.carried)
    }

    /// Makes it current on this thread until the guard is dropped: spans that start meanwhile are its children, unless they
    /// are given a parent. For contexts that came from another thread or process, and for baggage.
    pub fn attach(self) -> ContextGuard {
        ContextGuard::enter(Place::Attached(self.into()))
    }
}

impl From<SpanContext> for Context {
    fn from(span: SpanContext) -> Self {
        Self::new(Some(span))
    }
}

impl Parent for Context {
    fn parent_context(&self) -> Option<SpanContext> {
        self.span
    }

    fn parent(&self) -> Self {
        self.clone()
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.span == other.span && self.carried == other.carried
    }
}

impl Eq for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("span", &self.span)
            .field("trace_state", &self.trace_state())
            .field("baggage", &self.baggage().as_str())
            .field("sampling", &self.sampling())
            .finish()
    }
}
