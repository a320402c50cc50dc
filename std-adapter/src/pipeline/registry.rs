//! `Registry`: the rings of a pipeline's threads, from a thread's first span until what it left behind has been taken.

use std::sync::{Arc, Mutex, MutexGuard};

use super::ledger::Totals;
use super::lock;
use super::ring::Ring;

/// How many rings there may be before anyone looks for those of ended threads.
const FEW: usize = 64;

/// Which rings are to be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those whose threads have ended.
    Ended,
}

/// The rings, and the sums of those that are gone.
#[derive(Debug)]
pub(super) struct Registry {
    state: Mutex<State>,
}

/// The rings, locked: whoever holds this is the only consumer of every ring.
#[derive(Debug)]
pub(super) struct State {
    rings: Vec<Arc<Ring>>,
    /// The sums of threads that have ended.
    retired: Totals,
    /// With how many rings it is time to look for ended threads.
    crowd: usize,
}

impl Registry {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { rings: Vec::new(), retired: Totals::default(), crowd: FEW }) }
    }

    /// Adds a thread's ring. Answers whether those of ended threads should be taken now, lest they pile up while the exporter
    /// thread is held up: the rings are never more than twice the threads that are alive, or a few.
    pub(super) fn add(&self, ring: &Arc<Ring>) -> bool {
        let mut state = lock(&self.state);
        state.rings.push(Arc::clone(ring));
        state.rings.len() > state.crowd
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The sums over all threads that ever were.
    pub(super) fn totals(&self) -> Totals {
        let state = lock(&self.state);
        let mut totals = state.retired;
        for ring in &state.rings {
            totals.add(&ring.counters);
        }
        totals
    }
}

impl State {
    /// Hands out what the rings hold (scope, bytes) and forgets those of ended threads.
    pub(super) fn drain(&mut self, which: Which, mut take: impl FnMut(u16, &[u8])) {
        let Self { rings, retired, crowd } = self;
        rings.retain(|ring| {
            // Looked at first: what a closed ring holds now is all it will ever hold.
            let is_closed = ring.is_closed();
            if is_closed || which == Which::All {
                ring.drain(&mut take);
            }
            if is_closed {
                retired.add(&ring.counters);
            }
            !is_closed
        });
        *crowd = FEW.max(2 * rings.len());
    }
}
