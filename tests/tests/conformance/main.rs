//! Core held against OpenTelemetry's own messages (`opentelemetry-proto`, `prost`) and against models written from the
//! specifications.
//!
//! Runs are reproducible: fixed seed, fixed number of cases. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change both.
//! `CLEWLINE_SPANS` says how many spans the differential test (`many.rs`) records; `cargo xtask test` asks for 100,000.

mod batch;
mod compact;
mod foreign;
mod heap;
mod hostile;
mod ids;
mod many;
mod model;
mod official;
mod oracle;
mod play;
mod recording;
mod script;
mod sizes;
mod strategy;
mod traceparent;
mod tree;
mod views;

use proptest::test_runner::{Config, RngSeed};

/// `cases` cases from a fixed seed, unless the environment asks otherwise.
fn config(cases: u32) -> Config {
    let is_set = |name| std::env::var_os(name).is_some();
    let mut config = Config::default();
    if !is_set("PROPTEST_CASES") {
        config.cases = cases;
    }
    if !is_set("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(0x0af7_6519_16cd_43dd);
    }
    config.failure_persistence = None;
    config
}
