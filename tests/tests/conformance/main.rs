//! Core held against OpenTelemetry's own messages (`opentelemetry-proto`, `prost`) and against models written from the
//! specifications.
//!
//! Runs are reproducible: fixed seed, fixed number of cases. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change both.
//! `CLEWLINE_SPANS` says how many spans the differential test (`many.rs`) records; `cargo xtask test` asks for 100,000.

mod batch;
#[path = "../common/cases.rs"]
mod cases;
mod compact;
mod direct;
mod foreign;
mod heap;
mod hostile;
mod ids;
mod many;
mod model;
mod official;
mod oracle;
mod play;
mod postcard;
mod recording;
mod script;
mod sizes;
mod strategy;
mod traceparent;
mod tree;
mod views;

use cases::config;
