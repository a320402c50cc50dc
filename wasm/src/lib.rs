//! Clewline for Rust in pages and workers: `tracing` spans that leave as OTLP over `fetch`, one trace with the page's JavaScript and
//! with the server.
//!
//! ```no_run
//! use clewline_wasm::SendTraced as _;
//! use gloo_net::http::Request;
//!
//! # mod page { // as in a page: `wasm_bindgen(start)`, or `main` with trunk
//! pub fn main() -> Result<(), clewline_wasm::InitError> {
//!     clewline_wasm::builder("shop-web").endpoint("/otlp").init() // every `tracing` span is recorded from here on
//! }
//! # }
//!
//! #[tracing::instrument]
//! async fn checkout(cart: u32) -> Result<String, gloo_net::Error> {
//!     let response = Request::post("/api/checkout").send_traced().await?; // a CLIENT span; the server continues the trace
//!     response.text().await
//! }
//! ```
//!
//! - [`init`] and [`builder`] start everything. To combine Clewline with other layers, call [`Builder::start`] and add [`layer`] to
//!   a registry.
//! - Parents are right in asynchronous code too, however tasks take turns: `#[instrument]` and `.instrument(span)` enter the span
//!   whenever the future is polled. A task that [`spawn_local`](wasm_bindgen_futures::spawn_local) starts begins a trace of its own
//!   unless it is given a span, or [`WithContext::with_current_context`].
//! - [`SendTraced`] (features `gloo-net`, `reqwest`) sends a request as a CLIENT span, with `traceparent` where it may go: to the
//!   page's own origin, and where [`Builder::propagate_to`] says. [`inject`] writes the headers alone, for any other client.
//! - [`traceparent`] is what JavaScript continues the trace with, and [`context`] what Rust makes of JavaScript's:
//!   `context(text).attach()`, or [`SpanExt::set_parent`]. [`page_context`] is that of the server that made the page.
//! - Ended spans leave after a second, in requests of at most 60 KiB, and at once when the page is hidden or left; what fails is
//!   tried again, five times in all. [`ledger`] says what became of every span, and [`flush`] sends what there is.
//! - [`tracer`] is the door for code without `tracing`.
//!
//! # What it costs
//!
//! A page that has this module, `#[instrument]` and traced requests grows by 58 KB after brotli (`opt-level = "z"`, `lto = "fat"`,
//! `panic = "abort"`, then `wasm-opt -Oz`): what is not asked for, such as a [filter](Builder::filter), is not linked.
//!
//! # What it does not do
//!
//! What cannot leave a closing page within the 60 KiB that a browser allows is lost with it. Spans that are open at that moment are
//! not sent. Where JavaScript on the page traces every `fetch` (npm's `traceFetch`), it leaves alone what Rust sends with `traceparent`,
//! and spans on their way; what Rust sends without, to origins that are not listed, it records a second time. On other targets than
//! `wasm32-unknown-unknown` the crate compiles, for code that is shared with a server, but only `inject` and what it re-exports work
//! there.
//!
//! The npm package `clewline`, for JavaScript, is built from `wasm/module` and `wasm/js` beside this crate.

mod builder;
mod context;
mod headers;
pub mod host;
mod js;
mod request;
#[cfg(any(feature = "gloo-net", feature = "reqwest"))]
mod send;
mod transport;

pub use builder::{Builder, InitError, builder, init};
pub use clewline::propagation::WithContext;
pub use clewline::{
    ClewlineLayer, Context, CurrentSpan, Ledger, Span, SpanContext, SpanExt, SpanKind, Status, Tracer, current_context,
    current_span, layer, tracer,
};
pub use context::{context, page_context, traceparent};
pub use headers::{Carrier, inject};
pub use request::ClientRequest;
#[cfg(any(feature = "gloo-net", feature = "reqwest"))]
pub use send::SendTraced;
pub use transport::{flush, ledger};
