//! `Registry`: the lanes of a pipeline's threads, from a thread's first span until what it left behind has been taken.

use std::sync::{Arc, Mutex, MutexGuard};

use super::block::{Block, Piece};
use super::lane::Consumer;
use super::ledger::Totals;
use super::lock;

/// How many lanes there may be before anyone looks for those of ended threads.
const FEW: usize = 64;

/// Which lanes are to be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those whose threads have ended.
    Ended,
}

/// The lanes, and the sums of those that are gone.
#[derive(Debug)]
pub(super) struct Registry {
    state: Mutex<State>,
}

/// The lanes, locked: whoever holds this is the only reader of every lane.
#[derive(Debug)]
pub(super) struct State {
    lanes: Vec<Consumer>,
    /// Which lane comes first next time, so that none is always the one for which there is no room.
    first: usize,
    /// The sums of threads that have ended.
    retired: Totals,
    /// With how many lanes it is time to look for ended threads.
    crowd: usize,
}

impl Registry {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { lanes: Vec::new(), first: 0, retired: Totals::default(), crowd: FEW }) }
    }

    /// Adds a thread's lane. Answers whether those of ended threads should be taken now, lest they pile up while the exporter
    /// thread is held up: the lanes are never more than twice the threads that are alive, or a few.
    pub(super) fn add(&self, lane: Consumer) -> bool {
        let mut state = lock(&self.state);
        state.lanes.push(lane);
        state.lanes.len() > state.crowd
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The sums over all threads that ever were.
    pub(super) fn totals(&self) -> Totals {
        let state = lock(&self.state);
        let mut totals = state.retired;
        for consumer in &state.lanes {
            totals.add(&consumer.lane().counters);
        }
        totals
    }
}

impl State {
    /// Hands out what the lanes hold, until at least `enough` spans were, and forgets the lanes of ended threads.
    pub(super) fn drain(&mut self, which: Which, enough: usize, mut take: impl FnMut(&Arc<Block>, Piece)) {
        let Self { lanes, first, retired, crowd } = self;
        let mut taken = 0;
        let count = lanes.len();
        *first = if count == 0 { 0 } else { (*first + 1) % count };
        let (behind, ahead) = lanes.split_at_mut(*first);
        let mut has_ended = false;
        for consumer in ahead.iter_mut().chain(behind) {
            // Looked at first: what a closed lane holds now is all it will ever hold.
            let is_closed = consumer.lane().is_closed();
            if which == Which::All || is_closed {
                let is_empty = taken < enough
                    && consumer.drain(|block, piece| {
                        taken += piece.spans;
                        take(block, piece);
                        taken < enough
                    });
                if is_empty && is_closed {
                    consumer.retire();
                    has_ended = true;
                }
            }
        }
        if has_ended {
            lanes.retain(|consumer| {
                if consumer.is_retired() {
                    retired.add(&consumer.lane().counters);
                }
                !consumer.is_retired()
            });
        }
        *crowd = FEW.max(2 * lanes.len());
    }
}
