//! `Ring`: one thread's finished spans on their way to the exporter thread, without a lock.
//!
//! One producer (the thread that ends spans) and one consumer (the exporter thread). The producer writes a record and then
//! publishes it by moving `head`; the consumer copies what is published and then frees it by moving `tail`. Neither ever
//! waits for the other. A full ring refuses, and the refusal is counted.
//!
//! A record is eight bytes (length, scope, zero) and the span as it stands in a batch, padded to eight bytes. It is never
//! split: where the end of the memory comes too early, a filler record skips it.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use clewline_core::{Storage, StorageView};

/// Marks a record without a span, which fills the memory up to its end.
const FILLER: u32 = u32::MAX;
const RECORD_HEADER: usize = 8;
const ALIGNMENT: usize = 8;

/// Keeps what two threads write on separate cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Separate<T>(T);

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

/// The part that producer and consumer share.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: Box<[UnsafeCell<MaybeUninit<u8>>]>,
    /// Bytes ever published.
    head: Separate<AtomicUsize>,
    /// Bytes ever freed.
    tail: Separate<AtomicUsize>,
    /// The producer's thread has ended.
    closed: AtomicBool,
    pub(crate) counters: Counters,
}

// SAFETY: the memory between `tail` and `head` is only read, and only by the consumer; the rest is only written, and only by
// the producer. There is one of each (`Producer` is unique and not cloned; `Ring::drain` is called under the registry's lock).
#[expect(unsafe_code, reason = "two threads share the memory without a lock")]
unsafe impl Sync for Ring {}

impl Ring {
    fn new(capacity: usize) -> Self {
        let capacity = capacity.next_power_of_two().max(1024);
        let memory = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Self {
            memory,
            head: Separate::default(),
            tail: Separate::default(),
            closed: AtomicBool::new(false),
            counters: Counters::default(),
        }
    }

    /// Whether no more spans will come.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn offset(&self, position: usize) -> usize {
        position & (self.memory.len() - 1)
    }

    /// Hands out every published span (scope, bytes) and frees its memory. Only one thread may do this at a time.
    pub(crate) fn drain(&self, mut take: impl FnMut(u16, &[u8])) {
        let head = self.head.0.load(Ordering::Acquire);
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        while tail != head {
            let offset = self.offset(tail);
            let [a, b, c, d, e, f, ..] = self.record_header(offset);
            let length = u32::from_le_bytes([a, b, c, d]);
            if length == FILLER {
                tail = tail.wrapping_add(self.memory.len() - offset);
                continue;
            }
            let length = length as usize;
            take(u16::from_le_bytes([e, f]), self.published(offset + RECORD_HEADER, length));
            tail = tail.wrapping_add(padded(RECORD_HEADER + length));
        }
        self.tail.0.store(tail, Ordering::Release);
    }

    fn record_header(&self, offset: usize) -> [u8; RECORD_HEADER] {
        let mut header = [0; RECORD_HEADER];
        header.copy_from_slice(self.published(offset, RECORD_HEADER));
        header
    }

    /// Bytes between `tail` and `head`.
    fn published(&self, offset: usize, length: usize) -> &[u8] {
        let cells = &self.memory[offset..offset + length];
        // SAFETY: the producer initialised these bytes before it published them (release store of `head`, acquire load in
        // `drain`), and does not write them again before `tail` has moved past them.
        #[expect(unsafe_code, reason = "reads what the other thread published")]
        unsafe {
            std::slice::from_raw_parts(cells.as_ptr().cast(), length)
        }
    }
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

/// The writing end. Dropping it closes the ring.
#[derive(Debug)]
pub(crate) struct Producer {
    ring: Arc<Ring>,
    /// Same as the ring's `head`, which only this end writes.
    head: usize,
    /// The ring's `tail` when last looked at; the true one may be further.
    tail: usize,
    /// Where the record under construction begins.
    record: usize,
    scope: u16,
    is_over_half: bool,
}

impl Producer {
    /// A new ring of at least `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { ring: Arc::new(Ring::new(capacity)), head: 0, tail: 0, record: 0, scope: 0, is_over_half: false }
    }

    pub(crate) fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    #[inline]
    pub(crate) fn counters(&self) -> &Counters {
        &self.ring.counters
    }

    /// Says which scope the next span belongs to.
    #[inline]
    pub(crate) fn set_scope(&mut self, scope: u16) {
        self.scope = scope;
    }

    /// Whether the ring has just become half full, so that the consumer should be woken: true once per crossing.
    #[inline]
    pub(crate) fn has_crossed_half(&mut self) -> bool {
        let half = self.ring.memory.len() / 2;
        if self.head.wrapping_sub(self.tail) <= half {
            self.is_over_half = false;
            return false;
        }
        self.tail = self.ring.tail.0.load(Ordering::Acquire);
        let is_over_half = self.head.wrapping_sub(self.tail) > half;
        is_over_half && !std::mem::replace(&mut self.is_over_half, is_over_half)
    }

    /// Whether `length` more bytes fit; looks at the consumer's progress only if they seem not to.
    #[inline]
    fn fits(&mut self, length: usize) -> bool {
        let capacity = self.ring.memory.len();
        if length <= capacity - self.head.wrapping_sub(self.tail) {
            return true;
        }
        self.tail = self.ring.tail.0.load(Ordering::Acquire);
        length <= capacity - self.head.wrapping_sub(self.tail)
    }

    /// Free memory, from `offset` on.
    #[inline]
    fn free(&mut self, offset: usize, length: usize) -> &mut [MaybeUninit<u8>] {
        let cells = &self.ring.memory[offset..offset + length];
        // SAFETY: callers checked with `fits` that these bytes are not between `tail` and `head`, so the consumer does not
        // read them; this end is unique and borrowed exclusively.
        #[expect(unsafe_code, reason = "writes what the other thread does not look at")]
        unsafe {
            std::slice::from_raw_parts_mut(UnsafeCell::raw_get(cells.as_ptr()), length)
        }
    }

    #[inline]
    fn write_header(&mut self, position: usize, length: u32) {
        let [a, b, c, d] = length.to_le_bytes();
        let [e, f] = self.scope.to_le_bytes();
        let offset = self.ring.offset(position);
        self.free(offset, RECORD_HEADER).write_copy_of_slice(&[a, b, c, d, e, f, 0, 0]);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.ring.closed.store(true, Ordering::Release);
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

// SAFETY: `spare` is the body of the next record, `advance` publishes it.
#[expect(unsafe_code, reason = "a span is written once, into the memory from which it is exported")]
unsafe impl StorageView for Producer {
    /// Nothing: what is written belongs to the consumer at once.
    fn as_slice(&self) -> &[u8] {
        &[]
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut []
    }

    #[inline]
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        let record = padded(RECORD_HEADER + additional);
        let until_end = self.ring.memory.len() - self.ring.offset(self.head);
        self.record = self.head;
        if record > until_end {
            if !self.fits(until_end + record) {
                return None;
            }
            self.write_header(self.head, FILLER);
            self.record = self.head.wrapping_add(until_end);
        } else if !self.fits(record) {
            return None;
        }
        let offset = self.ring.offset(self.record) + RECORD_HEADER;
        Some(self.free(offset, additional))
    }

    fn room(&self) -> usize {
        let free = self.ring.memory.len() - self.head.wrapping_sub(self.tail);
        free.saturating_sub(RECORD_HEADER)
    }

    #[inline]
    unsafe fn advance(&mut self, written: usize) {
        // A ring is far smaller than 4 GiB, and `spare` has checked that the record is within it.
        let length = u32::try_from(written).unwrap_or(0);
        self.write_header(self.record, length);
        self.head = self.record.wrapping_add(padded(RECORD_HEADER + written));
        self.ring.head.0.store(self.head, Ordering::Release);
    }

    fn truncate(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` as one record, as core's span would.
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

    #[test]
    fn records_of_all_lengths_survive_many_laps() {
        let mut producer = Producer::new(1024);
        let ring = Arc::clone(producer.ring());
        for round in 0..2_000_usize {
            let bytes: Vec<u8> = (0..round % 300).map(|index| (index ^ round).to_le_bytes()[0]).collect();
            let scope = u16::try_from(round % 7).unwrap();
            assert!(push(&mut producer, scope, &bytes), "round {round}");
            let mut seen = Vec::new();
            ring.drain(|scope, bytes| seen.push((scope, bytes.to_vec())));
            assert_eq!(seen, [(scope, bytes)]);
        }
    }

    #[test]
    fn a_full_ring_refuses_and_recovers() {
        let mut producer = Producer::new(1024);
        let ring = Arc::clone(producer.ring());
        let mut taken = 0;
        while push(&mut producer, 0, &[7; 100]) {
            taken += 1;
        }
        assert_eq!(taken, 1024 / 112);
        assert!(!push(&mut producer, 0, &[7; 2000]), "larger than the ring");
        let mut drained = 0;
        ring.drain(|_, bytes| {
            assert_eq!(bytes, [7; 100]);
            drained += 1;
        });
        assert_eq!(drained, taken);
        assert!(push(&mut producer, 0, &[7; 100]));
    }

    #[test]
    fn half_is_announced_once_per_crossing() {
        let mut producer = Producer::new(1024);
        let ring = Arc::clone(producer.ring());
        let announced = |producer: &mut Producer| {
            (0..6).filter(|_| push(producer, 0, &[0; 120]) && producer.has_crossed_half()).count()
        };
        assert_eq!(announced(&mut producer), 1);
        ring.drain(|_, _| {});
        assert_eq!(announced(&mut producer), 1);
    }

    #[test]
    fn two_threads_lose_nothing() {
        const RECORDS: u64 = if cfg!(miri) { 200 } else { 200_000 };
        let mut producer = Producer::new(4096);
        let ring = Arc::clone(producer.ring());
        let writer = std::thread::spawn(move || {
            let mut refused = 0_u64;
            for number in 0..RECORDS {
                let bytes: Vec<u8> = number.to_le_bytes().repeat(usize::try_from(number % 9).unwrap() + 1);
                while !push(&mut producer, 3, &bytes) {
                    refused += 1;
                    std::thread::yield_now();
                }
            }
            refused
        });
        let mut expected = 0;
        while expected < RECORDS {
            ring.drain(|scope, bytes| {
                assert_eq!(scope, 3);
                assert!(bytes.chunks(8).all(|chunk| chunk == expected.to_le_bytes()), "record {expected}");
                expected += 1;
            });
        }
        writer.join().unwrap();
        assert!(ring.is_closed());
    }
}
