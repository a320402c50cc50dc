//! `Callsites`: what is the same for every span of one call site, found by the address of its metadata.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use clewline_core::Scope;
use tracing_core::Metadata;

use crate::pipeline::Pipeline;

const WIDTH: usize = 4;
const FIRST_BUCKETS: usize = 64;
const SEGMENTS: usize = 10;
/// A key that is being written.
const BUSY: usize = 1;

/// How many root spans of a call site are recorded on trial though the sampler dropped them, to learn whether the program
/// sets a remote parent on such spans once they exist.
const TRIALS: u32 = 64;
/// In place of the number of trials: the program does.
const GETS_PARENTS: u32 = u32::MAX;

const NAMES_ITSELF: u32 = 1 << 16;

/// What is known about the call sites of one pipeline's spans. Grows by segments and is never moved, so reading needs no lock.
#[derive(Debug)]
pub(super) struct Callsites {
    segments: [OnceLock<Box<[[Entry; WIDTH]]>>; SEGMENTS],
}

#[derive(Debug, Default)]
struct Entry {
    key: AtomicUsize,
    facts: AtomicU32,
    trials: AtomicU32,
}

/// What is known about one call site.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callsite<'c> {
    facts: u32,
    /// Absent if there are more call sites than the table has room for.
    trials: Option<&'c AtomicU32>,
}

impl Callsites {
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }

    /// What is known about this call site; learned at its first span.
    #[inline]
    pub(super) fn get(&self, pipeline: &'static Pipeline, metadata: &'static Metadata<'static>) -> Callsite<'_> {
        let key = std::ptr::from_ref(metadata).addr();
        for segment in &self.segments {
            let Some(buckets) = segment.get() else { break };
            for entry in bucket(buckets, key) {
                if entry.key.load(Ordering::Acquire) == key {
                    return Callsite { facts: entry.facts.load(Ordering::Relaxed), trials: Some(&entry.trials) };
                }
            }
        }
        self.learn(key, pipeline, metadata)
    }

    #[cold]
    #[inline(never)]
    fn learn(&self, key: usize, pipeline: &'static Pipeline, metadata: &'static Metadata<'static>) -> Callsite<'_> {
        let scope = pipeline.scope(&Scope { name: scope_name(metadata.target()), ..Scope::default() });
        let names_itself = metadata.fields().iter().any(|field| matches!(field.name(), "otel.name" | "otel.kind"));
        let facts = u32::from(scope) | if names_itself { NAMES_ITSELF } else { 0 };
        for (index, segment) in self.segments.iter().enumerate() {
            let buckets = segment.get_or_init(|| (0..FIRST_BUCKETS << index).map(|_| Default::default()).collect());
            for entry in bucket(buckets, key) {
                if entry.key.compare_exchange(0, BUSY, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    entry.facts.store(facts, Ordering::Relaxed);
                    entry.key.store(key, Ordering::Release);
                    return Callsite { facts, trials: Some(&entry.trials) };
                }
            }
        }
        Callsite { facts, trials: None }
    }
}

#[inline]
fn bucket(buckets: &[[Entry; WIDTH]], key: usize) -> &[Entry; WIDTH] {
    // Metadata lies some hundred bytes apart; the number of buckets is a power of two.
    let mixed = (key >> 3) ^ (key >> 9) ^ (key >> 15);
    &buckets[mixed & (buckets.len() - 1)]
}

/// The instrumentation scope of a target: its crate, `shop` for `shop::cart`.
pub(super) fn scope_name(target: &str) -> &str {
    target.split_once("::").map_or(target, |(name, _)| name)
}

impl Callsite<'_> {
    /// The number of the instrumentation scope.
    #[inline]
    pub(super) fn scope(self) -> u16 {
        let [low, high, ..] = self.facts.to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Whether the span has a field `otel.name` or `otel.kind`, which the sampler is to see.
    #[inline]
    pub(super) fn names_itself(self) -> bool {
        self.facts & NAMES_ITSELF != 0
    }

    /// Whether a span that the sampler dropped should be recorded on trial: while little is known about the call site if
    /// it is a root, and always if spans of this call site have been given a parent before.
    #[inline]
    pub(super) fn wants_trial(self, is_root: bool) -> bool {
        let Some(trials) = self.trials else { return is_root };
        let count = trials.load(Ordering::Relaxed);
        if count == GETS_PARENTS {
            return true;
        }
        if !is_root || count >= TRIALS {
            return false;
        }
        // A lost update only makes for one trial more. What must not be lost is `GETS_PARENTS`.
        let _ = trials.compare_exchange(count, count + 1, Ordering::Relaxed, Ordering::Relaxed);
        true
    }

    /// Notes that a span of this call site was given a parent after it had begun.
    pub(super) fn note_parent(self) {
        if let Some(trials) = self.trials {
            trials.store(GETS_PARENTS, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_of_a_target_is_its_crate() {
        for (target, scope) in [("shop::cart::db", "shop"), ("shop", "shop"), ("http.access", "http.access"), ("", "")]
        {
            assert_eq!(scope_name(target), scope);
        }
    }

    #[test]
    fn trials_end_unless_a_parent_comes() {
        let trials = AtomicU32::new(0);
        let site = Callsite { facts: 0, trials: Some(&trials) };
        assert!(!site.wants_trial(false));
        assert_eq!((0..1000).filter(|_| site.wants_trial(true)).count(), TRIALS as usize);
        site.note_parent();
        assert!(site.wants_trial(true) && site.wants_trial(false));
    }
}
