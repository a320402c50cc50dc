//! The OpenTelemetry API and SDK at Clewline's doors: what goes in through the API, what comes out to the SDK's exporters, and
//! the one current span between them.

mod api;
mod context;
mod differential;
mod exporter;
mod propagator;
mod support;
