//! `Hand`: a batch that the exporter thread has taken from the queue, until what became of it is known.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chunk::Chunk;

/// A batch on its way. Where there is a disk spool, its thread may take care of a batch whose attempt hangs.
#[derive(Debug)]
pub(super) struct Hand {
    /// Batches are numbered in the order in which they were taken.
    pub(super) number: u64,
    pub(super) chunks: Vec<Chunk>,
    pub(super) spans: usize,
    place: Mutex<Place>,
}

/// Who answers for the spans of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Whoever holds the batch.
    Memory,
    /// The disk spool, which has a copy under the batch's number.
    #[cfg_attr(not(feature = "spool"), expect(dead_code, reason = "there is no disk spool"))]
    Disk,
    /// Nobody any more: what became of them is known.
    Settled,
}

impl Hand {
    pub(super) fn new(number: u64, chunks: Vec<Chunk>, spans: usize) -> Self {
        Self { number, chunks, spans, place: Mutex::new(Place::Memory) }
    }

    /// Who answers for the spans; nobody else decides about that while the guard is held.
    pub(super) fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
