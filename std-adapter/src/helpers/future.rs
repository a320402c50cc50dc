//! Futures within spans: what fails in them is recorded.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::thread;

use clewline_core::{SpanKind, Value};
use pin_project_lite::pin_project;

use super::own_tracer;
use crate::current::{ContextGuard, Place, SharedSpan, set_error, shown_type};
use crate::limited::text;
use crate::{Span, tracer};

/// Runs `f` within a span of that name and kind, a child of the current one, and records its `Err`.
///
/// The span begins with the first poll. It ends with the future, also if that panics, which makes it an error, or is dropped
/// before it is done, which is the event `cancelled`.
///
/// ```
/// # async fn example() -> Result<(), std::io::Error> {
/// use clewline::{SpanKind, helpers::with_span};
/// let page = with_span("render", SpanKind::Internal, async || Ok::<_, std::io::Error>("<html>")).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of `f`.
pub async fn with_span<T, E, F>(name: &str, kind: SpanKind, f: impl FnOnce() -> F) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    run(own_tracer().span(name).kind(kind).start(), f).await
}

/// Runs `f` as a database query: a span `SELECT cart` of kind CLIENT with `db.operation.name` and `db.collection.name`
/// (semantic conventions, "Database client spans"). Otherwise as [`with_span`].
///
/// # Errors
/// Those of `f`.
pub async fn traced_query<T, E, F>(operation: &str, table: &str, f: impl FnOnce() -> F) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let attributes = [("db.operation.name", Value::from(operation)), ("db.collection.name", table.into())];
    let name = format!("{operation} {table}");
    run(own_tracer().span(&name).kind(SpanKind::Client).attributes(&attributes).start(), f).await
}

/// Runs `f` as a call of another service: a span `reserve stock` of kind CLIENT with `service.peer.name`. Otherwise as
/// [`with_span`].
///
/// # Errors
/// Those of `f`.
pub async fn traced_backend_call<T, E, F>(backend: &str, operation: &str, f: impl FnOnce() -> F) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let attributes = [("service.peer.name", Value::from(backend))];
    let name = format!("{operation} {backend}");
    run(own_tracer().span(&name).kind(SpanKind::Client).attributes(&attributes).start(), f).await
}

/// Runs `f` as a piece of the program's own work: a span `operation` of kind INTERNAL, in the instrumentation scope
/// `component`. Otherwise as [`with_span`].
///
/// # Errors
/// Those of `f`.
pub async fn traced_execution<T, E, F>(operation: &str, component: &str, f: impl FnOnce() -> F) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    run(tracer(component).span(operation).start(), f).await
}

/// Runs a future within a span that the caller has made, and records its `Err`. [`Span::instrument`] does it for futures
/// whose result is no `Result`.
///
/// ```
/// # async fn example() -> Result<(), std::io::Error> {
/// use clewline::helpers::{db_span, instrument_future};
/// let rows = instrument_future(db_span("SELECT * FROM cart", "sqlite"), async { Ok::<_, std::io::Error>(3) }).await?;
/// # Ok(()) }
/// ```
pub fn instrument_future<T, E, F>(span: Span, future: F) -> Instrumented<F>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    Instrumented::new(Running::new(span), future, record_err::<T, E>)
}

impl Span {
    /// Runs a future within this span, which ends with it: also if it panics, which makes the span an error, or is dropped
    /// before it is done, which is the event `cancelled`.
    ///
    /// ```
    /// # async fn example() {
    /// let span = clewline::tracer("shop").span("checkout").start();
    /// let items = span.instrument(async { clewline::current_span().set("cart.items", 3); 3 }).await;
    /// # }
    /// ```
    pub fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        Instrumented::new(Running::new(self), future, |_, _| {})
    }
}

/// Makes a future and runs it, both within the span.
async fn run<T, E, F>(span: Span, f: impl FnOnce() -> F) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let running = Running::new(span);
    let future = {
        let _current = running.enter();
        f()
    };
    Instrumented::new(running, future, record_err::<T, E>).await
}

fn record_err<T, E: Display>(span: &SharedSpan, result: &Result<T, E>) {
    if let Err(error) = result
        && span.with(|_| ()).is_some()
    {
        // Formatted before the span is locked: an error's `Display` is foreign code.
        let message = text(error);
        span.with(|recording| set_error(recording, shown_type::<E>(), &message, ""));
    }
}

pin_project! {
    /// A future within a span; made by [`instrument_future`] and [`Span::instrument`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Instrumented<F: Future> {
        // Before the span, so that it is dropped first.
        #[pin]
        future: F,
        running: Running,
        observe: fn(&SharedSpan, &F::Output),
    }
}

impl<F: Future> Instrumented<F> {
    fn new(running: Running, future: F, observe: fn(&SharedSpan, &F::Output)) -> Self {
        Self { future, running, observe }
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = {
            let current = this.running.enter();
            let output = ready!(this.future.poll(task));
            (this.observe)(current.span, &output);
            current.span.end();
            output
        };
        this.running.is_done = true;
        Poll::Ready(output)
    }
}

impl<F: Future> std::fmt::Debug for Instrumented<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Instrumented").field("running", &self.running).finish_non_exhaustive()
    }
}

/// The span of a future that is not done yet. Dropped before that, it says so.
#[derive(Debug)]
struct Running {
    span: SharedSpan,
    is_done: bool,
}

impl Running {
    fn new(span: Span) -> Self {
        Self { span: SharedSpan::new(span), is_done: false }
    }

    fn enter(&self) -> Current<'_> {
        let guard = ContextGuard::enter(Place::Native(self.span.clone()));
        Current { span: &self.span, was_panicking: thread::panicking(), _guard: guard }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_done {
            self.span.with(|recording| {
                let now = recording.now();
                drop(recording.span.event("cancelled", now));
            });
            self.span.end();
        }
    }
}

/// The span while it is current. A panic ends it.
struct Current<'s> {
    span: &'s SharedSpan,
    was_panicking: bool,
    // Dropped after the span has ended: processors may look at the span that is current.
    _guard: ContextGuard,
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.span.panicked();
        }
    }
}
