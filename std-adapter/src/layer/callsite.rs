//! What is the same for all spans, or all events, of one call site.

use std::sync::atomic::{AtomicU32, Ordering};

use clewline_core::Scope;
use tracing_core::Metadata;

use super::event::{Preset, describe};
use super::options::Options;
use super::sites::Sites;
use crate::pipeline::{GrowingBuffer, Pipeline};

/// How many root spans of a call site are recorded on trial though the sampler dropped them, to learn whether the program
/// sets a remote parent on such spans once they exist.
const TRIALS: u32 = 64;
/// In place of the number of trials: the program does.
const GETS_PARENTS: u32 = u32::MAX;

/// What the preset of a call site's events may take.
const PRESET_BYTES: usize = 4 * 1024;

const NAMES_ITSELF: u32 = 1 << 16;

/// What is known about the call sites of one pipeline's spans and events.
#[derive(Debug)]
pub(super) struct Callsites {
    spans: Sites<Facts>,
    events: Sites<Preset>,
}

#[derive(Debug)]
struct Facts {
    bits: u32,
    trials: AtomicU32,
}

/// What is known about one call site of spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callsite<'c> {
    facts: u32,
    /// Absent if there are more call sites than the table has room for.
    trials: Option<&'c AtomicU32>,
}

impl Callsites {
    pub(super) fn new() -> Self {
        Self { spans: Sites::new(), events: Sites::new() }
    }

    /// What is known about this call site of spans; learned at its first span.
    #[inline]
    pub(super) fn get(&self, pipeline: &'static Pipeline, metadata: &'static Metadata<'static>) -> Callsite<'_> {
        match self.spans.get(metadata) {
            Some(facts) => Callsite { facts: facts.bits, trials: Some(&facts.trials) },
            None => self.learn(pipeline, metadata),
        }
    }

    #[cold]
    fn learn(&self, pipeline: &'static Pipeline, metadata: &'static Metadata<'static>) -> Callsite<'_> {
        let scope = pipeline.scope(&Scope { name: scope_name(metadata.target()), ..Scope::default() });
        let names_itself = metadata.fields().iter().any(|field| matches!(field.name(), "otel.name" | "otel.kind"));
        let bits = u32::from(scope) | if names_itself { NAMES_ITSELF } else { 0 };
        let learned = self.spans.learn(metadata, Facts { bits, trials: AtomicU32::new(0) });
        Callsite { facts: bits, trials: learned.ok().map(|facts| &facts.trials) }
    }

    /// What all events of this call site begin with; encoded at its first event. `None` where there are more call sites than
    /// there is room for.
    #[inline]
    pub(super) fn event(
        &self,
        pipeline: &'static Pipeline,
        options: Options,
        metadata: &'static Metadata<'static>,
    ) -> Option<&Preset> {
        self.events.get(metadata).or_else(|| self.learn_event(pipeline, options, metadata))
    }

    #[cold]
    fn learn_event(
        &self,
        pipeline: &'static Pipeline,
        options: Options,
        metadata: &'static Metadata<'static>,
    ) -> Option<&Preset> {
        let mut attributes = Vec::new();
        describe(metadata, options, |key, value| attributes.push((key, value)));
        let limits = pipeline.options().limits;
        let preset = Preset::new(GrowingBuffer::new(PRESET_BYTES), &limits, &attributes);
        self.events.learn(metadata, preset).ok()
    }
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

    /// Whether [`wants_trial`](Self::wants_trial) may answer yes.
    #[inline]
    pub(super) fn may_want_trial(self, is_root: bool) -> bool {
        let Some(trials) = self.trials else { return is_root };
        let count = trials.load(Ordering::Relaxed);
        count == GETS_PARENTS || (is_root && count < TRIALS)
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
        assert!(!site.wants_trial(false) && !site.may_want_trial(false) && site.may_want_trial(true));
        assert_eq!((0..1000).filter(|_| site.wants_trial(true)).count(), TRIALS as usize);
        assert!(!site.may_want_trial(true));
        site.note_parent();
        assert!(site.may_want_trial(false));
        assert!(site.wants_trial(true) && site.wants_trial(false));
    }
}
