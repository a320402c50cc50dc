//! The service that the W3C trace-context test harness drives, built on the axum layer and the traced reqwest client.
//!
//! ```text
//! cargo run -p examples --example trace-context-service -- --port 5000
//! SERVICE_ENDPOINT=http://127.0.0.1:5000/test python3 test/test.py     # in a checkout of w3c/trace-context
//! ```

mod service;

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::Parser;
use clewline::config::TracingConfig;
use tokio::net::TcpListener;

/// Passes requests on as the W3C trace-context test harness asks, with the context that they came with.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on at 127.0.0.1; 0 lets the system choose.
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    port: u16,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trace-context-service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    // What is tested is what is handed on. Spans are recorded, and exported if the environment says where to.
    let _guard = clewline::init_with(&config())?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(arguments.port))
}

/// The environment's configuration, without an exporter unless it names one.
fn config() -> TracingConfig {
    const NAMES: [&str; 3] =
        ["OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    let is_named = NAMES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let config = TracingConfig::from_env().with_service_name("trace-context-service");
    if is_named { config } else { config.with_exporters([]) }
}

async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("Trace context service: POST http://{}/test (Ctrl-C ends)", listener.local_addr()?);
    let asked_to_end = async {
        // An error means that the signal cannot be heard; then only killing ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, service::router()).with_graceful_shutdown(asked_to_end).await?;
    Ok(())
}
