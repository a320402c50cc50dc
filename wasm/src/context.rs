//! Contexts between Rust and the page: JavaScript's spans as parents of Rust's, and the other way round.

use clewline::{Context, current_context, traceparent as header};

use crate::js;

/// The current span as the value of a `traceparent` header, for JavaScript to continue the trace with: npm's `clewline` takes it as
/// `parent`. `None` outside of all spans.
///
/// ```
/// let context = clewline_wasm::context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
/// let _attached = context.attach();
/// assert_eq!(clewline_wasm::traceparent().unwrap(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
/// ```
#[must_use]
pub fn traceparent() -> Option<String> {
    current_context().map(|context| header::Traceparent::new(context).as_str().to_owned())
}

/// What the text of a `traceparent` header says, such as `span.traceparent()` in JavaScript; an empty context if it breaks a rule
/// (W3C Trace Context, section 3.2).
///
/// Whatever starts while it is attached is its child, and so is a future's work:
///
/// ```
/// use clewline_wasm::{WithContext as _, context};
///
/// /// Called by JavaScript, with `span.traceparent()`.
/// pub async fn checkout(parent: String) {
///     async { /* … */ }.with_context(context(&parent)).await;
/// }
/// ```
#[must_use]
pub fn context(traceparent: &str) -> Context {
    Context::new(header::parse(traceparent.as_bytes()).ok())
}

/// The span of the server that made this page, if it said so in `<meta name="traceparent" content="…">`; else an empty context.
#[must_use]
pub fn page_context() -> Context {
    js::meta("traceparent").map(|text| context(&text)).unwrap_or_default()
}
