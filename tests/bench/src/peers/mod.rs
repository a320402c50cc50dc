//! The rows: one module per library, with its configuration and its version of the cases.

pub mod clocks;
pub mod fastrace;
pub mod opentelemetry;
pub mod tracing_opentelemetry;
pub mod tracing_plain;

use crate::clewline_core::ClewlineCore;
use crate::clewline_native::ClewlineNative;
use crate::clewline_opentelemetry::ClewlineOpenTelemetry;
use crate::clewline_tracing::ClewlineTracing;
use crate::library::Library;
use crate::peers::opentelemetry::OpenTelemetry;

/// Every row, in the table's order: first what nobody can undercut, then Clewline and the libraries.
#[must_use]
pub fn all() -> Vec<Box<dyn Library>> {
    vec![
        Box::new(clocks::Clocks::System),
        Box::new(clocks::Clocks::Counter),
        Box::new(clocks::Copy),
        Box::new(ClewlineCore),
        Box::new(ClewlineNative),
        Box::new(ClewlineTracing::Subscriber),
        Box::new(ClewlineTracing::Layer),
        Box::new(ClewlineOpenTelemetry),
        Box::new(fastrace::Fastrace),
        Box::new(OpenTelemetry::Discarding),
        Box::new(OpenTelemetry::Batching),
        Box::new(tracing_plain::TracingPlain),
        Box::new(tracing_opentelemetry::TracingOpenTelemetry(OpenTelemetry::Discarding)),
        Box::new(tracing_opentelemetry::TracingOpenTelemetry(OpenTelemetry::Batching)),
    ]
}
