//! `Burst`: memory that a pipeline's threads share for the time in which spans end faster than they leave.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::block::{Block, Memory, memory};
use super::lock;
use crate::time::Instant;

/// How long memory that nobody borrows is kept for the next burst.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Burst {
    /// Bytes that may be lent at once.
    limit: usize,
    lent: AtomicUsize,
    /// The size of the pieces that are kept for the next borrower.
    piece: usize,
    free: Mutex<Vec<Memory>>,
    /// Somebody has borrowed since the last look.
    is_used: AtomicBool,
    next_look: Mutex<Option<Instant>>,
}

impl Burst {
    pub(super) fn new(limit: usize, piece: usize) -> Self {
        Self {
            limit,
            lent: AtomicUsize::new(0),
            piece,
            free: Mutex::default(),
            is_used: AtomicBool::new(false),
            next_look: Mutex::default(),
        }
    }

    /// A block of at least `bytes`, if that much may still be lent.
    pub(super) fn borrow(self: &Arc<Self>, bytes: usize) -> Option<Arc<Block>> {
        let bytes = bytes.max(self.piece);
        let lent = self.lent.fetch_add(bytes, Ordering::Relaxed);
        if lent + bytes > self.limit {
            self.lent.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        self.is_used.store(true, Ordering::Relaxed);
        let kept = if bytes == self.piece { lock(&self.free).pop() } else { None };
        let memory = kept.unwrap_or_else(|| memory(bytes));
        Some(Arc::new(Block::new(memory, Some(Arc::clone(self)))))
    }

    /// Takes back what was lent. It is kept while the burst lasts, so that it need not be touched for the first time again.
    pub(super) fn give_back(&self, memory: Memory) {
        let bytes = memory.len();
        if bytes == self.piece {
            lock(&self.free).push(memory);
        }
        self.lent.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Frees what nobody has borrowed for a while. To be called every now and then.
    pub(super) fn settle(&self, now: Instant) {
        let mut next_look = lock(&self.next_look);
        if next_look.is_some_and(|next_look| now < next_look) {
            return;
        }
        *next_look = Some(now + KEPT_FOR);
        drop(next_look);
        if !self.is_used.swap(false, Ordering::Relaxed) && self.lent.load(Ordering::Relaxed) == 0 {
            let free = std::mem::take(&mut *lock(&self.free));
            drop(free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lent_is_kept_for_the_next_burst_and_freed_when_none_comes() {
        let burst = Arc::new(Burst::new(4096, 1024));
        let start = Instant::now();
        let free = || lock(&burst.free).len();
        let blocks: Vec<_> = (0..5).filter_map(|_| burst.borrow(100)).collect();
        assert_eq!(blocks.len(), 4, "no more than the limit");
        drop(blocks);
        burst.settle(start);
        assert_eq!(free(), 4, "there was a burst just now");
        drop(burst.borrow(100));
        burst.settle(start + KEPT_FOR);
        assert_eq!(free(), 4);
        burst.settle(start + 2 * KEPT_FOR);
        assert_eq!(free(), 0);
        let large = burst.borrow(3000);
        assert!(large.is_some_and(|block| block.capacity() == 3000) && burst.borrow(5000).is_none());
        assert_eq!(free(), 0, "only pieces of the usual size are kept");
    }
}
