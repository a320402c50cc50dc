//! The exporter against a scripted collector: what is sent, what each answer leads to, and what the ledger says.
#![cfg(feature = "otlp-http")]

mod collector;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "otlp-grpc")]
mod faults;
mod full;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(feature = "otlp-grpc")]
mod grpc_collector;
mod http;
mod memory;
mod payload;
#[cfg(feature = "otlp-grpc")]
mod shutdown;
#[cfg(feature = "otlp-grpc")]
mod tls;
mod worker;
mod worker_http;
#[cfg(feature = "zipkin")]
mod zipkin;

/// How much later than its limit anything may end on a machine that is busy otherwise: far less than what hangs would take.
const SLACK: std::time::Duration = std::time::Duration::from_secs(10);
