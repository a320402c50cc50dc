//! The exporter against a scripted collector: what is sent, what each answer leads to, and what the ledger says.
#![cfg(feature = "otlp-http")]

mod collector;
#[cfg(feature = "console")]
mod console;
mod full;
mod http;
mod memory;
mod payload;
mod worker;
mod worker_http;
#[cfg(feature = "zipkin")]
mod zipkin;
