//! The differential test: very many random spans, on all processors, each decoded by the official messages.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use crate::recording::{batch, check_batch};

/// How many spans are recorded if the environment does not say.
const SPANS: usize = 1_000;

/// Batches between two looks at how many spans there were.
const ROUND: u32 = 64;

fn wanted() -> usize {
    let Some(text) = std::env::var_os("CLEWLINE_SPANS") else { return SPANS };
    text.to_str().and_then(|text| text.parse().ok()).expect("CLEWLINE_SPANS is a number")
}

/// Each thread draws from seeds of its own, so a failure names the seed that shows it again.
#[test]
fn random_spans_decode_as_they_were_recorded() {
    let wanted = wanted();
    let recorded = AtomicUsize::new(0);
    let seeds = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while recorded.load(Ordering::Relaxed) < wanted {
                    let seed = seeds.fetch_add(1, Ordering::Relaxed) as u64;
                    record_round(seed, &recorded);
                }
            });
        }
    });
    let recorded = recorded.into_inner();
    assert!(recorded >= wanted, "{recorded} spans of {wanted}");
    println!("{recorded} random spans, each equal as recorded, as viewed and as opentelemetry-proto decodes it");
}

fn record_round(seed: u64, recorded: &AtomicUsize) {
    let config =
        Config { cases: ROUND, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&batch(), |(scripts, resource, scope)| {
        check_batch(&scripts, &resource, &scope)?;
        recorded.fetch_add(scripts.len(), Ordering::Relaxed);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => panic!("seed {seed}: {reason}\nsmallest input: {input:#?}"),
        Err(TestError::Abort(reason)) => panic!("seed {seed}: {reason}"),
    }
}
