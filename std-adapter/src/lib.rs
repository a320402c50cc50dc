//! Distributed tracing for servers and other programs with an operating system: `tracing` spans, written once as OTLP.
//!
//! ```no_run
//! #[tracing::instrument(fields(tenant_id = 42))]
//! fn checkout(cart: u64) {
//!     tracing::info!("charging the card");
//! }
//!
//! # #[cfg(feature = "tracing")]
//! fn main() -> Result<(), clewline::InitError> {
//!     let _guard = clewline::init()?; // reads OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and their kin
//!     checkout(7);
//!     Ok(())
//! }
//! # #[cfg(not(feature = "tracing"))]
//! # fn main() {}
//! ```
//!
//! - [`init`] starts everything; [`start`] starts the pipeline alone, for programs with a `tracing` subscriber of their own,
//!   which add [`layer`] to it; [`Setup`] does both with processors, exporters and a sampler of the program's own.
//! - [`SpanExt`] does to a `tracing` span what its fields cannot: parents from elsewhere, links, kind, status.
//! - [`tracer`] is the door for code without `tracing`; [`current_span`] is the span that code is in, whichever door it came
//!   through, and [`Context`] carries it to other threads.
//! - [`helpers`] has spans for the things that servers do, and short forms for the current span.
//! - `opentelemetry` (feature) lets libraries that use the OpenTelemetry API record through Clewline.
//! - `log` (features `fmt`, `log`) puts the ids of the current span on log lines.
//! - `http` (feature) joins traces over HTTP; `server` (feature) is what `clewline serve` is made of.
//! - `testing` (feature) records for one test at a time, with assertions on spans.
//! - [`Ledger`] says what became of every span.
//!
//! What it does not do: metrics and logs.

#[cfg(all(web, not(feature = "web")))]
compile_error!(
    "on wasm32-unknown-unknown, clewline needs its feature `web`, for a page or worker; `clewline-wasm` has it on"
);

pub mod config;
mod current;
pub mod exporter;
#[cfg(any(feature = "http", feature = "otlp-grpc"))]
mod grpc_status;
pub mod helpers;
#[cfg(feature = "http")]
pub mod http;
mod init;
#[cfg(feature = "tracing")]
mod layer;
mod limited;
#[cfg(any(feature = "fmt", feature = "log"))]
pub mod log;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
pub mod pipeline;
pub mod propagation;
mod sampler;
mod scope;
#[cfg(feature = "server")]
pub mod server;
mod span;
#[cfg(feature = "spool")]
pub mod spool;
mod stderr;
#[cfg(any(feature = "console", feature = "cli"))]
#[doc(hidden)]
pub mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod tracer;
mod value;

pub use clewline_core::{
    Attribute, Link, ReadWriteSpan, Sampler, Scope, SpanContext, SpanId, SpanKind, SpanLimits, SpanProcessor, SpanView,
    Status, StatusCode, TraceFlags, TraceId, Value, Verdict, traceparent,
};
pub use config::TracingConfig;
pub use current::{Baggage, Context, ContextGuard, CurrentSpan, EnteredSpan, current_context, current_span};
pub use init::{Guard, InitError, Setup, start};
#[cfg(feature = "tracing")]
pub use init::{NoFilter, init, init_with};
#[cfg(feature = "tracing")]
pub use layer::{ClewlineLayer, ClewlineSubscriber, SetParentError, SpanExt, layer, subscriber};
pub use pipeline::{Ledger, Pipeline, PipelineOptions, TailSampling};
pub use sampler::{SharedRateLimited, SteadyClock};
pub use span::{Entry, Span};
pub use tracer::{Parent, SpanBuilder, Tracer, tracer, tracer_in};
pub use value::ToValue;
