//! `Table`: where the layer keeps the spans that are going on, found by the number that `tracing` gave them.
//!
//! A registry's own extensions allocate for every span. This table does not: a bucket holds eight spans, a number names one
//! bucket in each segment, and a new segment, twice as large, is added only when that bucket is full in all of them. Buckets
//! are never moved, so looking up needs no lock. Only what is being recorded is behind a lock, one per span.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use clewline_core::{SpanContext, SpanId, TraceFlags, TraceId};

use crate::current::Context;
use crate::current::carried::Shared;
use crate::pipeline::Recording;

/// Spans of one bucket.
const WIDTH: usize = 8;
/// Buckets of the first segment; every further one has twice as many as the one before.
const FIRST_BUCKETS: usize = 64;
/// Together room for eight million spans at once.
const SEGMENTS: usize = 14;

/// The spans of one layer.
#[derive(Debug)]
pub(super) struct Table {
    segments: [OnceLock<Box<[Bucket]>>; SEGMENTS],
}

/// Eight places. Their numbers share a cache line, so that looking one up touches one line per segment.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// The spans' numbers; zero marks a free place, which is taken only while it is locked.
    numbers: [AtomicU64; WIDTH],
    places: [Place; WIDTH],
}

#[derive(Debug, Default)]
struct Place {
    context: ContextCell,
    held: Mutex<Held>,
}

/// What is behind a span's lock.
#[derive(Debug, Default)]
struct Held {
    /// `None` in a span that is not recorded.
    recording: Option<Box<Recording>>,
    /// What the span hands on beside its context; `None` in almost all.
    carried: Shared,
}

/// A place that held the wanted span when it was looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'t> {
    wanted: u64,
    number: &'t AtomicU64,
    place: &'t Place,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }

    /// Keeps a span. Gives the recording back if there is no room, which takes millions of open spans.
    #[inline]
    pub(super) fn insert(
        &self,
        number: u64,
        context: &SpanContext,
        recording: Option<Box<Recording>>,
        carried: Shared,
    ) -> Result<(), Option<Box<Recording>>> {
        let mut held = Held { recording, carried };
        for (index, segment) in self.segments.iter().enumerate() {
            let buckets = match segment.get() {
                Some(buckets) => buckets,
                None => make_segment(segment, index),
            };
            let bucket = bucket(buckets, number);
            let first = position(number);
            for offset in 0..WIDTH {
                let at = (first + offset) % WIDTH;
                if bucket.numbers[at].load(Ordering::Relaxed) != 0 {
                    continue;
                }
                let place = &bucket.places[at];
                // Who finds the lock taken leaves the place to the other thread.
                let Some(mut guard) = try_lock(&place.held) else { continue };
                if bucket.numbers[at].load(Ordering::Relaxed) != 0 {
                    continue;
                }
                place.context.begin(context, held.bits());
                *guard = std::mem::take(&mut held);
                bucket.numbers[at].store(number, Ordering::Release);
                return Ok(());
            }
        }
        Err(held.recording)
    }

    /// The place of a span, if this table has it.
    #[inline]
    pub(super) fn find(&self, number: u64) -> Option<Found<'_>> {
        for segment in &self.segments {
            let bucket = bucket(segment.get()?, number);
            let first = position(number);
            for offset in 0..WIDTH {
                let at = (first + offset) % WIDTH;
                if bucket.numbers[at].load(Ordering::Acquire) == number {
                    return Some(Found { wanted: number, number: &bucket.numbers[at], place: &bucket.places[at] });
                }
            }
        }
        None
    }
}

#[cold]
#[inline(never)]
fn make_segment(segment: &OnceLock<Box<[Bucket]>>, index: usize) -> &[Bucket] {
    segment.get_or_init(|| (0..FIRST_BUCKETS << index).map(|_| Bucket::default()).collect())
}

/// The bucket for a number. `tracing-subscriber`'s registry numbers spans by a reused index in the low 38 bits, the thread's
/// shard above it, and a generation. Neighbours by index share a bucket and shards lie apart, so that a thread goes on
/// using the same few cache lines and no other thread's. Any other numbering works too, only with less locality.
#[inline]
fn bucket(buckets: &[Bucket], number: u64) -> &Bucket {
    const INDEX_BITS: u32 = 38;
    const SHARDS: u64 = 0x1fff;
    let index = (number & ((1 << INDEX_BITS) - 1)) / WIDTH as u64;
    let shard = (number >> INDEX_BITS) & SHARDS;
    let mixed = index.wrapping_add(shard.wrapping_mul(37));
    // The number of buckets is a power of two, and a `usize`.
    &buckets[usize::try_from(mixed & (buckets.len() as u64 - 1)).unwrap_or(0)]
}

#[inline]
fn position(number: u64) -> usize {
    usize::from(number.to_le_bytes()[0]) % WIDTH
}

impl Found<'_> {
    /// The span's context; `None` if it has ended meanwhile.
    #[inline]
    pub(super) fn context(&self) -> Option<SpanContext> {
        let context = self.place.context.read()?;
        // Read after the context: unchanged, it proves that the context was this span's.
        (self.number.load(Ordering::Relaxed) == self.wanted).then_some(context)
    }

    /// Whether anything is recorded, on trial or not.
    #[inline]
    pub(super) fn has_recording(&self) -> bool {
        self.place.context.has(HAS_RECORDING)
    }

    /// What the span hands on; `None` if it has ended meanwhile.
    pub(super) fn hand_on(&self) -> Option<Context> {
        let carried = self.carried();
        Some(Context::with_carried(Some(self.context()?), carried))
    }

    /// What the span hands on beside its context.
    #[inline]
    pub(super) fn carried(&self) -> Shared {
        if self.place.context.has(HAS_CARRIED) { self.lock()?.carried.clone() } else { None }
    }

    /// Replaces what the span hands on beside its context.
    pub(super) fn set_carried(&self, carried: Shared) {
        if carried.is_none() && !self.place.context.has(HAS_CARRIED) {
            return;
        }
        let Some(mut guard) = self.lock() else { return };
        let former = std::mem::replace(&mut guard.carried, carried);
        if let Some(context) = self.place.context.read() {
            self.place.context.change(&context, guard.bits());
        }
        drop(guard);
        drop(former);
    }

    /// Works on what is being recorded, or does nothing. No foreign code may run inside `work`: it could come back here.
    #[inline]
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        if !self.has_recording() {
            return None;
        }
        let mut guard = self.lock()?;
        guard.recording.as_deref_mut().map(work)
    }

    /// Replaces context and recording at once. `change` gets the recording and answers the new context and recording.
    pub(super) fn replace(
        &self,
        change: impl FnOnce(Option<Box<Recording>>) -> (SpanContext, Option<Box<Recording>>),
    ) -> bool {
        let Some(mut guard) = self.lock() else { return false };
        let (context, recording) = change(guard.recording.take());
        guard.recording = recording;
        self.place.context.change(&context, guard.bits());
        true
    }

    /// Frees the place.
    #[inline]
    pub(super) fn remove(self) -> Option<Box<Recording>> {
        if !self.place.context.has(HAS_RECORDING | HAS_CARRIED) {
            self.number.store(0, Ordering::Release);
            return None;
        }
        let mut guard = self.lock()?;
        self.number.store(0, Ordering::Relaxed);
        // What is carried is dropped when the lock is free again.
        let Held { recording, carried } = std::mem::take(&mut *guard);
        drop(guard);
        drop(carried);
        recording
    }

    #[inline]
    fn lock(&self) -> Option<MutexGuard<'_, Held>> {
        // Nothing behind the lock can be left half done, so a panic elsewhere does not matter.
        let guard = self.place.held.lock().unwrap_or_else(PoisonError::into_inner);
        (self.number.load(Ordering::Relaxed) == self.wanted).then_some(guard)
    }
}

#[inline]
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A span context that is read without a lock: a sequence lock over four words.
#[derive(Debug, Default)]
struct ContextCell {
    trace_id: [AtomicU64; 2],
    span_id: AtomicU64,
    /// Flags in the lowest byte, then the three bits below, then the number of changes; odd while a change goes on.
    state: AtomicU64,
}

const IS_REMOTE: u64 = 1 << 8;
const HAS_RECORDING: u64 = 1 << 9;
const HAS_CARRIED: u64 = 1 << 10;
const ONE_CHANGE: u64 = 1 << 16;

impl ContextCell {
    /// Writes the context of a new span into a free place.
    #[inline]
    fn begin(&self, context: &SpanContext, held: u64) {
        // Who still reads for the former span and sees the new words also sees that the number has changed.
        fence(Ordering::Release);
        self.store(context);
        self.state.store(state_bits(context) | held, Ordering::Relaxed);
    }

    /// Changes the context of a span that others may be reading. Only one thread may do this at a time.
    fn change(&self, context: &SpanContext, held: u64) {
        let count = self.state.load(Ordering::Relaxed) / ONE_CHANGE;
        self.state.store((count + 1) * ONE_CHANGE, Ordering::Relaxed);
        fence(Ordering::Release);
        self.store(context);
        self.state.store(((count + 2) * ONE_CHANGE) | state_bits(context) | held, Ordering::Release);
    }

    #[inline]
    fn store(&self, context: &SpanContext) {
        let [high, low] = words(context.trace_id().to_bytes());
        self.trace_id[0].store(high, Ordering::Relaxed);
        self.trace_id[1].store(low, Ordering::Relaxed);
        self.span_id.store(u64::from_ne_bytes(context.span_id().to_bytes()), Ordering::Relaxed);
    }

    #[inline]
    fn read(&self) -> Option<SpanContext> {
        loop {
            let before = self.state.load(Ordering::Acquire);
            let [high, low] = [0, 1].map(|index| self.trace_id[index].load(Ordering::Relaxed));
            let span_id = self.span_id.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if (before / ONE_CHANGE).is_multiple_of(2) && self.state.load(Ordering::Relaxed) == before {
                let mut trace_id = [0; 16];
                trace_id[..8].copy_from_slice(&high.to_ne_bytes());
                trace_id[8..].copy_from_slice(&low.to_ne_bytes());
                let context = SpanContext::new(
                    TraceId::from_bytes(trace_id)?,
                    SpanId::from_bytes(span_id.to_ne_bytes())?,
                    TraceFlags::from_bits(before.to_le_bytes()[0]),
                );
                return Some(if before & IS_REMOTE == 0 { context } else { context.into_remote() });
            }
            std::hint::spin_loop();
        }
    }

    #[inline]
    fn has(&self, bits: u64) -> bool {
        self.state.load(Ordering::Relaxed) & bits != 0
    }
}

#[inline]
fn state_bits(context: &SpanContext) -> u64 {
    let remote = if context.is_remote() { IS_REMOTE } else { 0 };
    u64::from(context.flags().bits()) | remote
}

impl Held {
    #[inline]
    fn bits(&self) -> u64 {
        let recording = if self.recording.is_some() { HAS_RECORDING } else { 0 };
        let carried = if self.carried.is_some() { HAS_CARRIED } else { 0 };
        recording | carried
    }
}

#[inline]
fn words(bytes: [u8; 16]) -> [u64; 2] {
    let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|index| bytes[at + index]));
    [word(0), word(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(number: u64) -> SpanContext {
        let mut trace_id = [1; 16];
        trace_id[..8].copy_from_slice(&number.to_be_bytes());
        let span_id = SpanId::from_bytes(number.to_be_bytes()).unwrap();
        SpanContext::new(TraceId::from_bytes(trace_id).unwrap(), span_id, TraceFlags::SAMPLED)
    }

    #[test]
    fn spans_beyond_the_first_segment_are_found_and_their_places_reused() {
        let table = Table::new();
        for round in 0..3_u64 {
            // One bucket's worth of collisions over several segments, and a generation in the high bits.
            let numbers: Vec<u64> = (1..=5_000).map(|index| (round + 1) << 51 | index).collect();
            for &number in &numbers {
                assert!(table.insert(number, &context(number), None, None).is_ok());
            }
            for &number in &numbers {
                assert_eq!(table.find(number).and_then(|found| found.context()), Some(context(number)));
            }
            assert!(table.find(round << 51 | 7).is_none(), "the former generation has gone");
            for &number in &numbers {
                assert!(table.find(number).unwrap().remove().is_none());
            }
        }
        let segments = table.segments.iter().filter(|segment| segment.get().is_some()).count();
        assert!((4..=5).contains(&segments), "{segments} segments hold 5,000 spans, again and again");
    }

    #[test]
    fn what_is_carried_goes_with_its_span() {
        use crate::current::carried::{Carried, Shared};
        let carried: Shared = Some(std::sync::Arc::new(Carried { trace_state: "a=1".into(), ..Carried::default() }));
        let table = Table::new();
        assert!(table.insert(9, &context(9), None, carried.clone()).is_ok());
        let found = table.find(9).unwrap();
        assert_eq!(found.carried(), carried);
        found.set_carried(None);
        assert_eq!((found.carried(), found.context()), (None, Some(context(9))));
        found.set_carried(carried.clone());
        assert!(found.replace(|recording| (context(10), recording)));
        assert_eq!((found.carried(), found.context()), (carried.clone(), Some(context(10))));
        found.remove();
        assert!(table.insert(1 << 51 | 9, &context(77), None, None).is_ok());
        assert_eq!((found.carried(), table.find(1 << 51 | 9).unwrap().carried()), (None, None));
        assert_eq!(std::sync::Arc::strong_count(carried.as_ref().unwrap()), 1, "nobody else holds it any more");
    }

    #[test]
    fn a_place_that_was_looked_up_answers_no_more_for_another_span() {
        let table = Table::new();
        assert!(table.insert(9, &context(9), None, None).is_ok());
        let old = table.find(9).unwrap();
        old.remove();
        assert_eq!(old.context(), None);
        // The same place, by its position.
        assert!(table.insert(1 << 51 | 9, &context(77), None, None).is_ok());
        assert_eq!(old.context(), None);
        assert!(!old.replace(|_| unreachable!("the place belongs to another span")));
    }

    #[test]
    fn a_context_is_never_seen_half_changed() {
        const CHANGES: u64 = if cfg!(miri) { 50 } else { 100_000 };
        let table = Table::new();
        assert!(table.insert(5, &context(1), None, None).is_ok());
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while last < CHANGES {
                    let seen = table.find(5).and_then(|found| found.context()).unwrap();
                    let number = u64::from_be_bytes(seen.span_id().to_bytes());
                    assert_eq!(seen, context(number));
                    assert!(number >= last);
                    last = number;
                }
            });
            for number in 1..=CHANGES {
                table.find(5).unwrap().replace(|recording| (context(number), recording));
            }
            reader.join().unwrap();
        });
    }

    #[test]
    fn threads_do_not_take_each_others_places() {
        const ROUNDS: u64 = if cfg!(miri) { 20 } else { 100_000 };
        let table = Table::new();
        std::thread::scope(|scope| {
            for thread in 1..=3_u64 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        // All in one bucket, and all begin to look for a place at the same one.
                        let number = 8 * FIRST_BUCKETS as u64 * (round * 4 + thread);
                        assert!(table.insert(number, &context(number), None, None).is_ok());
                        assert_eq!(table.find(number).and_then(|found| found.context()), Some(context(number)));
                        table.find(number).unwrap().remove();
                    }
                });
            }
        });
    }
}
