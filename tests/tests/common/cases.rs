//! How many cases a property test tries, and from which seed.

use proptest::test_runner::{Config, RngSeed};

/// `cases` cases from a fixed seed, unless the environment asks otherwise.
pub(crate) fn config(cases: u32) -> Config {
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
