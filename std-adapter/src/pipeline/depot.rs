//! `Depot`: memory of spans on its way from threads that end them to threads that start them.

use std::fmt;
use std::sync::{Mutex, TryLockError};

use super::thread::Pool;
use super::{Pipeline, Recording};

/// How many spans' memory it holds at most.
const CAPACITY: usize = 1024;
/// How many change hands at once.
const PORTION: usize = 32;

/// Where threads whose pool is full leave memory for those whose pool is empty. Nobody waits for it: whoever finds it in use goes
/// to the allocator.
#[derive(Default)]
pub(super) struct Depot(Mutex<Pool>);

impl Depot {
    /// Moves a portion out of a pool that is full. False if there is no room, or no getting in.
    fn leave(&self, pool: &mut Pool) -> bool {
        let mut held = match self.0.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let has_room = held.len() + PORTION <= CAPACITY;
        if has_room {
            held.extend(pool.drain(pool.len().saturating_sub(PORTION)..));
        }
        has_room
    }

    /// Moves a portion into a pool that is empty.
    fn take(&self, pool: &mut Pool) {
        let mut held = match self.0.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let rest = held.len().saturating_sub(PORTION);
        pool.extend(held.drain(rest..));
    }
}

impl fmt::Debug for Depot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Depot").finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Memory for a span where the thread's pool is empty: from the depot, or new.
    #[cold]
    #[inline(never)]
    pub(super) fn refill(&'static self, pool: &mut Pool) -> Box<Recording> {
        self.depot.take(pool);
        pool.pop().unwrap_or_else(|| self.allocate())
    }

    /// Keeps the memory of a span where the thread's pool is full, for another thread, or gives it up.
    #[cold]
    #[inline(never)]
    pub(super) fn put_by(&self, pool: &mut Pool, mut recording: Box<Recording>) {
        if self.depot.leave(pool) {
            recording.span.clear();
            pool.push(recording);
        }
    }
}
