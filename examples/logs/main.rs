//! Logs beside traces: every line within a span has the ids by which a backend finds its trace, whichever way it is logged.
//!
//! ```text
//! cargo run -p examples --example logs
//! cargo run -p examples --example logs -- --json
//! ```
//!
//! Lines go to stdout, spans to the collector (`OTEL_EXPORTER_OTLP_ENDPOINT`; `OTEL_TRACES_EXPORTER=console` prints them).

mod lines;
mod shop;

use std::io::stdout;

use clewline::TracingConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_json = std::env::args().skip(1).any(|argument| argument == "--json");
    // Spans and lines side by side: so the pipeline is started alone, and the subscriber is put together here.
    let _guard = clewline::start(&TracingConfig::from_env().with_service_name("shop"))?;
    tracing::dispatcher::set_global_default(lines::subscriber(stdout, is_json))?;
    log::set_boxed_logger(Box::new(lines::logger(stdout)))?;
    log::set_max_level(log::LevelFilter::Info);

    tokio::runtime::Builder::new_multi_thread().enable_time().build()?.block_on(shop::checkout(7));
    Ok(())
}
