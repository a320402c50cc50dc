//! Core held against OpenTelemetry's own messages (`opentelemetry-proto`, `prost`) and against models written from the
//! specifications.
//!
//! Runs are reproducible: fixed seed, fixed number of cases. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change both.
//! `CLEWLINE_SPANS` says how many spans the differential test (`many.rs`) records. Without it every property is tried with a
//! quarter of its cases, which is what a build without optimisation does in seconds; `cargo xtask test` runs both, and asks for
//! 100,000 spans of the optimised build.

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

/// The `cases` of a property, or a quarter of them where nobody asks for many spans either.
fn config(cases: u32) -> proptest::test_runner::Config {
    cases::config(if std::env::var_os("CLEWLINE_SPANS").is_some() { cases } else { cases.div_ceil(4) })
}
