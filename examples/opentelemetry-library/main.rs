//! A program whose libraries are instrumented with the OpenTelemetry API: their spans and those of `tracing` are one trace.
//!
//! ```sh
//! OTEL_TRACES_EXPORTER=console cargo run -p examples --example opentelemetry-library
//! ```

mod stock;

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _guard = clewline::init()?;
    // From here on, whoever asks OpenTelemetry for a tracer or a propagator gets ours.
    clewline::opentelemetry::install();

    checkout().await;
    Ok(())
}

#[tracing::instrument]
async fn checkout() {
    let found = stock::reserve("book", 5).await;
    tracing::info!(found, "reserved");
}
