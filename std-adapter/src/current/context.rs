//! `Context`: what a span hands on to what happens within it.

use std::sync::Arc;

use clewline_core::SpanContext;

use super::{ContextGuard, Place};
use crate::Parent;

/// What a span hands on to what happens within it: its own context, and the tracestate list of its trace. Cheap to clone.
///
/// ```
/// use clewline::Context;
/// let incoming = clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok();
/// let context = Context::new(incoming).with_trace_state("congo=t61rcWkgMzE");
/// let attached = context.attach();
/// assert_eq!(Context::current().span_context(), incoming); // and so the parent of spans that start now
/// drop(attached);
/// assert_eq!(Context::current(), Context::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    span: Option<SpanContext>,
    /// Never empty.
    trace_state: Option<Arc<str>>,
}

impl Context {
    /// The context of a span, without a tracestate list; `None` is that of no span.
    #[must_use]
    #[inline]
    pub const fn new(span: Option<SpanContext>) -> Self {
        Self { span, trace_state: None }
    }

    /// The context of the span that this thread is in, whichever door it came through.
    #[must_use]
    pub fn current() -> Self {
        super::context()
    }

    /// The same context with the tracestate list that came with it; an empty one is none.
    #[must_use]
    pub fn with_trace_state(self, trace_state: &str) -> Self {
        self.with_shared_trace_state((!trace_state.is_empty()).then(|| trace_state.into()))
    }

    #[inline]
    pub(crate) fn with_shared_trace_state(mut self, trace_state: Option<Arc<str>>) -> Self {
        self.trace_state = trace_state;
        self
    }

    /// The span's own context.
    #[must_use]
    #[inline]
    pub const fn span_context(&self) -> Option<SpanContext> {
        self.span
    }

    /// The tracestate list of its trace; empty if none.
    #[must_use]
    #[inline]
    pub fn trace_state(&self) -> &str {
        self.trace_state.as_deref().unwrap_or_default()
    }

    #[inline]
    pub(crate) fn into_parts(self) -> (Option<SpanContext>, Option<Arc<str>>) {
        (self.span, self.trace_state)
    }

    /// Makes it current on this thread until the guard is dropped: spans that start meanwhile are its children, unless they
    /// are given a parent. For contexts that came from another thread or process.
    pub fn attach(self) -> ContextGuard {
        ContextGuard::enter(Place::Attached(Arc::new(self)))
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
