//! The host side of Clewline.

pub mod config;
pub mod exporter;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "otlp-http")]
mod init;
#[cfg(feature = "tracing")]
mod layer;
pub mod pipeline;
#[cfg(feature = "server")]
pub mod server;
mod span;
mod tracer;

pub use clewline_core::{
    Attribute, Sampler, Scope, SpanContext, SpanId, SpanKind, SpanLimits, SpanProcessor, SpanView, Status, StatusCode,
    TraceFlags, TraceId, Value, Verdict, traceparent,
};
#[cfg(feature = "otlp-http")]
pub use init::{Guard, InitError, start};
#[cfg(all(feature = "otlp-http", feature = "tracing"))]
pub use init::{init, init_with};
#[cfg(feature = "tracing")]
pub use layer::{ClewlineLayer, SpanExt, current_context, layer};
pub use pipeline::{Ledger, Pipeline, PipelineOptions};
pub use span::{Entry, Span};
pub use tracer::{Parent, SpanBuilder, Tracer, tracer};
