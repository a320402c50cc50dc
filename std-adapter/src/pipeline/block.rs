//! `Block`: memory that one thread fills with finished spans and the exporter threads send from, without a copy or a lock.
//!
//! The thread writes a span behind those that are published and then publishes it. What is published never changes, so it can be
//! read, and sent, while the thread goes on behind it. A full block names the next one. When the last reader has let go of a
//! block, its thread fills it anew.
//!
//! Spans stand in a block as in a batch, dense, in runs of one instrumentation scope.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::burst::Burst;

/// Runs that a block can hold: enough for a change of scope with nearly every span.
const RUNS: usize = 128;
/// Bytes that a block can hold at most.
pub(super) const LARGEST: usize = (1 << BYTES_BITS) - 1;

const BYTES_BITS: u32 = 28;
const SPANS_BITS: u32 = 20;
const LAST_SHIFT: u32 = BYTES_BITS + SPANS_BITS;

/// Bytes that a thread writes and others read once they are published.
pub(super) type Memory = Box<[UnsafeCell<MaybeUninit<u8>>]>;

/// Memory for a block.
pub(super) fn memory(bytes: usize) -> Memory {
    let cells: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(bytes);
    // SAFETY: a cell has the layout of what is in it, and a box is a unique pointer, whose content may as well be shared cells.
    #[expect(unsafe_code, reason = "there is no safe way to get a slice of cells that nobody has touched")]
    unsafe {
        Box::from_raw(Box::into_raw(cells) as *mut [UnsafeCell<MaybeUninit<u8>>])
    }
}

/// How far a block is filled, or read: bytes, spans, and runs that have begun, in one word, so that a reader never sees the one
/// of now with the other of before. Where a run begins, its scope stands in place of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent(u64);

impl Extent {
    pub(super) const EMPTY: Self = Self(0);

    /// Adds a span of so many bytes.
    #[inline]
    pub(super) fn add_span(&mut self, bytes: usize) {
        self.0 += bytes as u64 + (1 << BYTES_BITS);
    }

    const fn bytes(self) -> usize {
        self.part(0, BYTES_BITS)
    }

    const fn spans(self) -> usize {
        self.part(BYTES_BITS, SPANS_BITS)
    }

    /// Runs, or a scope.
    const fn last(self) -> u16 {
        (self.0 >> LAST_SHIFT) as u16
    }

    const fn with_last(self, last: u16) -> Self {
        Self(self.0 & ((1 << LAST_SHIFT) - 1) | (last as u64) << LAST_SHIFT)
    }

    #[expect(clippy::cast_possible_truncation, reason = "every part has fewer bits than a usize")]
    const fn part(self, from: u32, bits: u32) -> usize {
        ((self.0 >> from) & ((1 << bits) - 1)) as usize
    }
}

/// Spans of one scope that stand behind one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) scope: u16,
    pub(super) range: Range<usize>,
    pub(super) spans: usize,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Block {
    memory: Memory,
    /// How far it is filled.
    published: AtomicU64,
    /// Where runs begin, and their scopes.
    runs: [AtomicU64; RUNS],
    /// The block behind it, once it is full; a share of it, for the reader to take.
    next: AtomicPtr<Self>,
    /// Where its memory goes in the end, if it was borrowed.
    burst: Option<Arc<Burst>>,
}

// SAFETY: bytes below the published extent are only read; those above it are only written, and only by the one thread that holds
// the block as a `Lane`'s writing end.
#[expect(unsafe_code, reason = "threads share the memory without a lock")]
unsafe impl Sync for Block {}
// SAFETY: the cells hold plain bytes, which may move between threads.
#[expect(unsafe_code, reason = "the cells keep the compiler from seeing that by itself")]
unsafe impl Send for Block {}

impl Block {
    pub(super) fn new(memory: Memory, burst: Option<Arc<Burst>>) -> Self {
        Self {
            memory,
            published: AtomicU64::new(0),
            runs: [const { AtomicU64::new(0) }; RUNS],
            next: AtomicPtr::new(ptr::null_mut()),
            burst,
        }
    }

    /// Makes it an empty block, for a thread to fill anew.
    pub(super) fn reset(&mut self) {
        *self.published.get_mut() = 0;
        drop(self.take_next());
    }

    pub(super) fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Where the memory begins. Only the writing thread may write, and only above the published extent.
    pub(super) fn start(&self) -> NonNull<MaybeUninit<u8>> {
        // A slice is never at null.
        NonNull::new(UnsafeCell::raw_get(self.memory.as_ptr())).unwrap_or(NonNull::dangling())
    }

    /// Begins a run of `scope` at the end of what is written; it counts from the next publication on. False if there is no place
    /// to note it.
    pub(super) fn begin_run(&self, scope: u16, written: &mut Extent) -> bool {
        let Some(run) = self.runs.get(usize::from(written.last())) else { return false };
        run.store(written.with_last(scope).0, Ordering::Relaxed);
        *written = written.with_last(written.last() + 1);
        true
    }

    /// Has everything written so far be read by others.
    #[inline]
    pub(super) fn publish(&self, written: Extent) {
        self.published.store(written.0, Ordering::Release);
    }

    /// Says which block goes on where this one ends. Nothing is published here any more.
    pub(super) fn set_next(&self, next: &Arc<Self>) {
        // There is none yet: a block gets one once, when it is full.
        self.next.store(Arc::into_raw(Arc::clone(next)).cast_mut(), Ordering::Release);
    }

    /// Hands out what was published behind `read`, and moves that on. Answers the next block if this one is done with.
    pub(super) fn read(&self, read: &mut Extent, mut take: impl FnMut(Piece)) -> Option<Arc<Self>> {
        // Looked at first: behind a block that has a next one nothing more is published.
        let next = self.take_next();
        let published = Extent(self.published.load(Ordering::Acquire));
        while read.bytes() < published.bytes() {
            let scope = self.run(read.last().saturating_sub(1)).last();
            let has_next_run = read.last() < published.last();
            let end = if has_next_run { self.run(read.last()) } else { published };
            if end.bytes() > read.bytes() {
                take(Piece { scope, range: read.bytes()..end.bytes(), spans: end.spans() - read.spans() });
            }
            *read = end.with_last(read.last() + u16::from(has_next_run));
        }
        next
    }

    fn run(&self, index: u16) -> Extent {
        Extent(self.runs.get(usize::from(index)).map_or(0, |run| run.load(Ordering::Relaxed)))
    }

    fn take_next(&self) -> Option<Arc<Self>> {
        if self.next.load(Ordering::Acquire).is_null() {
            return None;
        }
        let share = self.next.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: `next` holds null or what `Arc::into_raw` gave in `set_next`, and whoever takes it out leaves null.
        #[expect(unsafe_code, reason = "an atomic pointer holds the share")]
        (!share.is_null()).then(|| unsafe { Arc::from_raw(share) })
    }
}

impl AsRef<[u8]> for Block {
    /// What is published.
    fn as_ref(&self) -> &[u8] {
        let bytes = Extent(self.published.load(Ordering::Acquire)).bytes();
        // SAFETY: the thread that fills the block initialised these bytes before it published them (release store, acquire load
        // here), and does not write them again while somebody holds the block.
        #[expect(unsafe_code, reason = "reads what another thread published")]
        unsafe {
            std::slice::from_raw_parts(self.memory.as_ptr().cast(), bytes)
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(burst) = self.burst.take() {
            burst.give_back(std::mem::take(&mut self.memory));
        }
        // The blocks of a thread that nobody read are let go one by one, not each inside the one before it.
        let mut next = self.take_next();
        while let Some(block) = next {
            next = Arc::into_inner(block).and_then(|block| block.take_next());
        }
    }
}
