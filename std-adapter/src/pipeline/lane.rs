//! `Lane`: one thread's finished spans on their way to the exporter threads, without a lock.
//!
//! The thread writes into a chain of [`Block`]s and never waits; whoever fetches spans follows behind. The thread has some blocks of
//! its own, which come back to it once their spans have left. While they are all on their way it borrows from the pipeline's
//! [`Burst`], and when that has no more to lend, spans are refused and counted.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clewline_core::{Storage, StorageView};

use super::block::{Block, Extent, LARGEST, Piece, memory};
use super::burst::Burst;

/// Bytes of a block. Large enough that sending it costs nothing beside sending its bytes, small enough for a thread's cache.
const BLOCK: usize = 32 * 1024;
/// The smallest block.
const SMALLEST_BLOCK: usize = 512;
/// Blocks of its own that a thread has at least: one to fill while the others leave.
const LEAST_BLOCKS: usize = 2;
/// Blocks that a thread's list has room for from the start: those of the default.
const USUAL_BLOCKS: usize = 8;

/// What happened to the spans of one thread. Written by that thread only, so no atomic addition is needed.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Recorded spans that began here.
    pub(crate) started: AtomicU64,
    /// Spans that ended here and did not fit.
    pub(crate) dropped_full: AtomicU64,
    /// Spans that ended here and that a processor or the sampler keeps from being exported.
    pub(crate) not_exported: AtomicU64,
    /// Attributes, events and links that spans which ended here had to refuse, and texts that were cut.
    pub(crate) dropped_content: AtomicU64,
}

/// Adds to a counter that only the current thread writes.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed) + amount, Ordering::Relaxed);
}

/// What a thread and those who fetch its spans share, besides the blocks.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// The thread has ended.
    is_closed: AtomicBool,
    pub(crate) counters: Counters,
}

impl Lane {
    /// Whether no more spans will come.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

/// How much memory the lanes of a pipeline use.
#[derive(Clone, Debug)]
pub(super) struct Sizes {
    /// Bytes of a block.
    block: usize,
    /// Blocks of its own that a thread may have.
    own: usize,
    burst: Arc<Burst>,
}

impl Sizes {
    /// For threads with so many bytes of their own, and so many to borrow from.
    pub(super) fn new(thread_bytes: usize, burst_bytes: usize) -> Self {
        let block = (thread_bytes / LEAST_BLOCKS).clamp(SMALLEST_BLOCK, BLOCK);
        let own = (thread_bytes / block).max(LEAST_BLOCKS);
        Self { block, own, burst: Arc::new(Burst::new(burst_bytes, block)) }
    }

    pub(super) fn burst(&self) -> &Burst {
        &self.burst
    }
}

/// The writing end of a lane. Dropping it closes the lane.
#[derive(Debug)]
pub(crate) struct Producer {
    lane: Arc<Lane>,
    sizes: Sizes,
    /// The block that is being filled.
    block: Arc<Block>,
    /// Where its free memory begins, and how much there is to write to.
    free: NonNull<MaybeUninit<u8>>,
    left: usize,
    /// How far it is filled.
    written: Extent,
    /// The scope of the run that is being written.
    scope: u16,
    /// The thread's own blocks, in the order in which they were filled, the oldest first.
    own: Vec<Arc<Block>>,
    /// Spans until others are told how many there are.
    until_told: usize,
    told_every: usize,
    /// How many of them were not written, as others are told earlier.
    untold: usize,
    /// More than half of its own blocks hold spans that have not left, and others have not been told.
    is_pressing: bool,
}

/// What others should know of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// Spans written since the last news.
    pub(crate) spans: usize,
    /// Much of the thread's memory is full.
    pub(crate) is_pressing: bool,
}

/// The reading end of a lane.
#[derive(Debug)]
pub(crate) struct Consumer {
    lane: Arc<Lane>,
    block: Arc<Block>,
    read: Extent,
    is_retired: bool,
}

/// A new lane. Every `told_every` spans [`Producer::has_news`] answers so.
pub(super) fn lane(sizes: Sizes, told_every: usize) -> (Producer, Consumer) {
    let lane = Arc::new(Lane::default());
    let block = Arc::new(Block::new(memory(sizes.block), None));
    let consumer =
        Consumer { lane: Arc::clone(&lane), block: Arc::clone(&block), read: Extent::EMPTY, is_retired: false };
    // A limit is no promise to use it all.
    let mut own = Vec::with_capacity(sizes.own.min(USUAL_BLOCKS));
    own.push(Arc::clone(&block));
    let told_every = told_every.max(1);
    let mut producer = Producer {
        lane,
        sizes,
        free: NonNull::dangling(),
        left: 0,
        written: Extent::EMPTY,
        block,
        scope: 0,
        own,
        until_told: told_every,
        told_every,
        untold: 0,
        is_pressing: false,
    };
    producer.begin_block();
    (producer, consumer)
}

// SAFETY: the pointer leads into memory that the block keeps alive, wherever the producer goes.
#[expect(unsafe_code, reason = "a pointer keeps the compiler from seeing that by itself")]
unsafe impl Send for Producer {}

impl Producer {
    #[inline]
    pub(crate) fn counters(&self) -> &Counters {
        &self.lane.counters
    }

    /// Counts a recorded span that begins.
    #[inline]
    pub(crate) fn count_started(&self) {
        add(&self.counters().started, 1);
    }

    /// Says which scope the next span belongs to.
    #[inline]
    pub(crate) fn set_scope(&mut self, scope: u16) {
        if scope != self.scope {
            self.change_scope(scope);
        }
    }

    #[cold]
    #[inline(never)]
    fn change_scope(&mut self, scope: u16) {
        self.scope = scope;
        if !self.block.begin_run(scope, &mut self.written) {
            // There is no place to note it, so that the block counts as full.
            self.left = 0;
        }
    }

    /// Every so many spans, and when much of its memory is full: what others should know.
    #[inline]
    pub(crate) fn has_news(&mut self) -> Option<News> {
        if self.until_told > 0 {
            return None;
        }
        let is_pressing = std::mem::take(&mut self.is_pressing);
        let spans = self.told_every - self.untold;
        (self.until_told, self.untold) = (self.told_every, 0);
        Some(News { spans, is_pressing })
    }

    /// Goes on in another block that has room for `additional` bytes.
    #[cold]
    #[inline(never)]
    fn next_block(&mut self, additional: usize) -> bool {
        let Some(next) = self.find_block(additional) else { return false };
        self.block.set_next(&next);
        self.block = next;
        self.begin_block();
        let in_use = self.own.iter().filter(|block| Arc::strong_count(block) > 1).count();
        if 2 * in_use > self.sizes.own {
            self.is_pressing = true;
            // Told with the span that is about to be written.
            self.untold += self.until_told.saturating_sub(1);
            self.until_told = 1;
        }
        true
    }

    /// Begins to fill the block.
    fn begin_block(&mut self) {
        self.free = self.block.start();
        self.left = self.block.capacity();
        self.written = Extent::EMPTY;
        // An empty block has room for a run.
        self.block.begin_run(self.scope, &mut self.written);
    }

    fn find_block(&mut self, additional: usize) -> Option<Arc<Block>> {
        if additional > LARGEST {
            return None;
        }
        if additional > self.sizes.block {
            return self.sizes.burst.borrow(additional);
        }
        // A block whose spans have left is held by nobody else. The oldest usually is the first to come back.
        let free = self.own.iter().rposition(|block| Arc::strong_count(block) == 1);
        if let Some(index) = free {
            let mut block = self.own.remove(index);
            // Nobody can have taken a share meanwhile, as there was none to take it from.
            Arc::get_mut(&mut block)?.reset();
            self.own.push(Arc::clone(&block));
            return Some(block);
        }
        if self.own.len() < self.sizes.own {
            let block = Arc::new(Block::new(memory(self.sizes.block), None));
            self.own.push(Arc::clone(&block));
            return Some(block);
        }
        self.sizes.burst.borrow(additional)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.lane.is_closed.store(true, Ordering::Release);
    }
}

impl Storage for Producer {
    type View = Self;

    fn view(&self) -> &Self {
        self
    }

    fn view_mut(&mut self) -> &mut Self {
        self
    }
}

// SAFETY: `spare` is the memory behind what is written, `advance` publishes it.
#[expect(unsafe_code, reason = "a span is written once, into the memory from which it is exported")]
unsafe impl StorageView for Producer {
    /// Nothing: what is written belongs to the readers at once.
    fn as_slice(&self) -> &[u8] {
        &[]
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut []
    }

    #[inline]
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        if additional > self.left && !self.next_block(additional) {
            return None;
        }
        // SAFETY: `free` and the `left` bytes behind it are the unpublished end of the block's memory, which the block keeps
        // alive and which is nobody else's; this is the only writing end, and it is borrowed exclusively.
        unsafe { Some(std::slice::from_raw_parts_mut(self.free.as_ptr(), additional)) }
    }

    fn room(&self) -> usize {
        self.left
    }

    #[inline]
    unsafe fn advance(&mut self, written: usize) {
        // SAFETY: `spare` gave at least `written` bytes from here on.
        self.free = unsafe { self.free.add(written) };
        self.left -= written;
        self.written.add_span(written);
        self.block.publish(self.written);
        self.until_told = self.until_told.saturating_sub(1);
    }

    fn truncate(&mut self, _: usize) {}
}

impl Consumer {
    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Says that everything was taken of a lane that is closed.
    pub(super) fn retire(&mut self) {
        self.is_retired = true;
    }

    pub(super) fn is_retired(&self) -> bool {
        self.is_retired
    }

    /// Hands out what was published since the last time, with the blocks that hold it, until `take` says that it is enough.
    /// Answers whether nothing was left when it looked.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&Arc<Block>, Piece) -> bool) -> bool {
        loop {
            let mut goes_on = true;
            let block = &self.block;
            let next = block.read(&mut self.read, |piece| goes_on = take(block, piece));
            let Some(next) = next else { return true };
            self.block = next;
            self.read = Extent::EMPTY;
            if !goes_on {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` as one span, as core would.
    fn push(producer: &mut Producer, scope: u16, bytes: &[u8]) -> bool {
        producer.set_scope(scope);
        let Some(spare) = producer.spare(bytes.len()) else { return false };
        spare.write_copy_of_slice(bytes);
        // SAFETY: the whole spare slice was written just now.
        #[expect(unsafe_code, reason = "the test plays core's part")]
        unsafe {
            producer.advance(bytes.len());
        }
        true
    }

    /// What a reader gets: scope, spans, bytes.
    type Seen = Vec<(u16, usize, Vec<u8>)>;

    fn drain(consumer: &mut Consumer) -> Seen {
        let mut seen = Seen::new();
        consumer.drain(|block, piece| {
            seen.push((piece.scope, piece.spans, (**block).as_ref()[piece.range].to_vec()));
            true
        });
        seen
    }

    fn small(burst_bytes: usize) -> (Producer, Consumer) {
        lane(Sizes::new(1024, burst_bytes), 4)
    }

    #[test]
    fn a_limit_that_no_memory_reaches_takes_none() {
        let (mut producer, _consumer) = lane(Sizes::new(usize::MAX, usize::MAX), 4);
        assert!(push(&mut producer, 0, &[7; 1500]));
    }

    #[test]
    fn spans_of_all_lengths_and_scopes_come_through_many_blocks_in_order() {
        let (mut producer, mut consumer) = lane(Sizes::new(2048, 64 * 1024), 4);
        let mut expected = Vec::new();
        let mut got = Vec::new();
        for round in 0..3_000_usize {
            let length = if round % 500 == 0 { 5_000 } else { 1 + round % 300 };
            let bytes: Vec<u8> = (0..length).map(|index| (index ^ round).to_le_bytes()[0]).collect();
            let scope = u16::try_from(round / (1 + round % 7) % 3).unwrap();
            assert!(push(&mut producer, scope, &bytes), "round {round}");
            expected.push((scope, bytes));
            if round % 11 == 0 {
                got.extend(drain(&mut consumer));
            }
        }
        got.extend(drain(&mut consumer));
        let mut expected = expected.into_iter();
        for (scope, spans, bytes) in got {
            let own: Vec<(u16, Vec<u8>)> = expected.by_ref().take(spans).collect();
            assert!(own.iter().all(|(other, _)| *other == scope), "a run has one scope");
            assert_eq!(own.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>(), bytes);
        }
        assert_eq!(expected.next(), None);
    }

    #[test]
    fn a_full_lane_refuses_and_recovers_once_its_spans_have_left() {
        let (mut producer, mut consumer) = small(0);
        let mut taken = 0;
        while push(&mut producer, 0, &[7; 100]) {
            taken += 1;
        }
        assert_eq!(taken, 2 * (512 / 100));
        let mut held = Vec::new();
        consumer.drain(|block, piece| {
            assert_eq!((**block).as_ref()[piece.range], [7; 500]);
            held.push(Arc::clone(block));
            true
        });
        assert!(!push(&mut producer, 0, &[7; 100]), "a reader holds the memory");
        held.remove(0);
        assert!(push(&mut producer, 0, &[8; 100]));
        drop(held);
        assert_eq!(drain(&mut consumer), [(0, 1, vec![8; 100])]);
    }

    #[test]
    fn a_burst_is_lent_up_to_its_limit_and_given_back() {
        let (mut producer, mut consumer) = small(4 * 512);
        for round in 0..3 {
            let taken = (0..100).take_while(|_| push(&mut producer, 0, &[7; 500])).count();
            // Two blocks of its own, of which the second time one is still being filled.
            assert_eq!(taken, if round == 0 { 6 } else { 5 }, "round {round}");
            assert!(!push(&mut producer, 0, &[7; 2000]), "larger than what is left");
            drop(drain(&mut consumer));
        }
        assert!(push(&mut producer, 0, &[7; 1500]), "a span larger than a block has one of its own");
        let seen = drain(&mut consumer);
        assert_eq!(seen.last().map(|(_, spans, bytes)| (*spans, bytes.len())), Some((1, 1500)));
    }

    #[test]
    fn a_block_that_changes_its_scope_all_the_time_is_left_when_its_table_is_full() {
        let (mut producer, mut consumer) = lane(Sizes::new(64 * 1024, 1 << 20), 4);
        for round in 0..1000_u16 {
            assert!(push(&mut producer, round % 2, &round.to_le_bytes()));
        }
        let seen = drain(&mut consumer);
        assert_eq!(seen.len(), 1000);
        let numbers = seen.iter().map(|(_, _, bytes)| u16::from_le_bytes([bytes[0], bytes[1]]));
        assert!(numbers.eq(0..1000));
    }

    #[test]
    fn news_come_every_so_many_spans_and_when_memory_fills_up() {
        let (mut producer, mut consumer) = lane(Sizes::new(4 * 32 * 1024, 0), 4);
        let news = |producer: &mut Producer, count: usize, bytes: usize| -> Vec<(usize, bool)> {
            let mut all = Vec::new();
            for _ in 0..count {
                assert!(push(producer, 0, &vec![7; bytes]));
                all.extend(producer.has_news().map(|news| (news.spans, news.is_pressing)));
            }
            all
        };
        assert_eq!(news(&mut producer, 11, 10), [(4, false), (4, false)]);
        // The third of four blocks is begun with the third of these, the fourth with the fourth.
        assert_eq!(news(&mut producer, 4, 30_000), [(4, false), (2, true), (1, true)]);
        drain(&mut consumer);
        assert_eq!(news(&mut producer, 1, 30_000), [], "their spans have left");
    }

    #[test]
    fn blocks_that_nobody_read_are_let_go_without_exhausting_the_stack() {
        let (mut producer, consumer) = small(64 << 20);
        while push(&mut producer, 0, &[7; 400]) {}
        drop(producer);
        drop(consumer);
    }

    #[test]
    fn two_threads_lose_nothing() {
        const SPANS: u64 = if cfg!(miri) { 200 } else { 60_000 };
        let (mut producer, mut consumer) = lane(Sizes::new(4096, 4096), 4);
        let writer = std::thread::spawn(move || {
            for number in 0..SPANS {
                let scope = u16::try_from(number / 50 % 5).unwrap();
                let bytes: Vec<u8> = number.to_le_bytes().repeat(usize::try_from(number % 9).unwrap() + 1);
                while !push(&mut producer, scope, &bytes) {
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        let mut held = std::collections::VecDeque::new();
        while expected < SPANS {
            let seen = expected;
            consumer.drain(|block, piece| {
                let bytes = &(**block).as_ref()[piece.range.clone()];
                let mut words = bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
                for _ in 0..piece.spans {
                    assert_eq!(u64::from(piece.scope), expected / 50 % 5);
                    for _ in 0..=expected % 9 {
                        assert_eq!(words.next(), Some(expected));
                    }
                    expected += 1;
                }
                assert_eq!(words.next(), None);
                // What is still on its way must not change.
                held.push_back((Arc::clone(block), piece.range.clone(), bytes.to_vec()));
                true
            });
            while held.len() > 3 {
                let (block, range, bytes) = held.pop_front().unwrap();
                assert_eq!((*block).as_ref()[range], bytes);
            }
            if expected == seen {
                std::thread::yield_now();
            }
        }
        writer.join().unwrap();
        assert!(consumer.lane().is_closed());
    }
}
