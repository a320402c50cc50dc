//! `WithContext`: futures that run within a context, wherever they are polled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use crate::Context;
use crate::current::{ContextGuard, Place};

/// Gives futures a context.
pub trait WithContext: Future + Sized {
    /// Runs the future within `context`: it is current whenever the future is polled, and only then.
    ///
    /// ```
    /// # async fn example() -> Result<(), clewline::propagation::BaggageError> {
    /// use clewline::Context;
    /// use clewline::propagation::WithContext as _;
    ///
    /// let tenant = Context::current().with_baggage_entry("tenant", "acme")?;
    /// async { /* requests made here carry the entry */ }.with_context(tenant).await;
    /// # Ok(()) }
    /// ```
    fn with_context(self, context: Context) -> InContext<Self> {
        InContext { inner: self, context: Arc::new(context) }
    }

    /// Runs the future within the context that is current now, for a task of its own.
    fn with_current_context(self) -> InContext<Self> {
        self.with_context(Context::current())
    }
}

impl<F: Future> WithContext for F {}

pin_project! {
    /// A future that runs within a context; made by [`WithContext`].
    #[derive(Clone, Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct InContext<F> {
        #[pin]
        inner: F,
        context: Arc<Context>,
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = ContextGuard::enter(Place::Attached(Arc::clone(this.context)));
        this.inner.poll(task)
    }
}
