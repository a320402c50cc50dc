//! `Table`: where the layer keeps the spans that are going on, found by the number that `tracing` gave them.
//!
//! A registry's own extensions allocate for every span. This table does not: a bucket holds eight spans, a number names one
//! bucket in each segment, and a new segment, twice as large, is added only when that bucket is full in all of them. Buckets
//! are never moved, so looking up needs no lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use clewline_core::SpanContext;

use super::place::{Found, Place};
use super::recorder::Live;
use crate::current::carried::Shared;

/// Spans of one bucket.
const WIDTH: usize = 8;
/// Buckets of the first segment; every further one has twice as many as the one before.
const FIRST_BUCKETS: usize = 64;
/// Together room for eight million spans at once.
const SEGMENTS: usize = 14;
/// Stands in place of a number while a span moves in. `tracing-subscriber`'s registry never counts so far.
const BUSY: u64 = u64::MAX;

/// The spans of one layer.
#[derive(Debug)]
pub(super) struct Table {
    segments: [OnceLock<Box<[Bucket]>>; SEGMENTS],
}

/// Eight places. Their numbers share a cache line, so that looking one up touches one line per segment.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// The spans' numbers; zero marks a free place.
    numbers: [AtomicU64; WIDTH],
    places: [Place; WIDTH],
}

impl Table {
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }

    /// Keeps a span, which begins as [`Place::begin`] says. Should there be no room, which takes millions of open spans, its
    /// recording ends at once, and is not lost. Answers whether there was.
    #[inline]
    pub(super) fn insert(
        &self,
        number: u64,
        context: Option<&SpanContext>,
        is_foreign: bool,
        carried: Shared,
        recording: Live,
    ) -> bool {
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
                // Acquires what the place's former span left behind. Who comes second leaves the place to the other thread.
                if bucket.numbers[at].compare_exchange(0, BUSY, Ordering::Acquire, Ordering::Relaxed).is_err() {
                    continue;
                }
                bucket.places[at].begin(context, is_foreign, carried, recording);
                bucket.numbers[at].store(number, Ordering::Release);
                return true;
            }
        }
        false
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
                    return Some(Found::new(number, &bucket.numbers[at], &bucket.places[at]));
                }
            }
        }
        None
    }
}

impl Table {
    /// Works on every span.
    pub(super) fn for_each(&self, work: &mut dyn FnMut(Found<'_>)) {
        for bucket in self.segments.iter().filter_map(OnceLock::get).flatten() {
            for (number, place) in bucket.numbers.iter().zip(&bucket.places) {
                let wanted = number.load(Ordering::Acquire);
                if wanted != 0 && wanted != BUSY {
                    work(Found::new(wanted, number, place));
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clewline_core::{SpanId, TraceFlags, TraceId};

    use super::*;
    use crate::current::carried::Carried;
    use crate::layer::loan::Work;

    fn context(number: u64) -> SpanContext {
        let mut trace_id = [1; 16];
        trace_id[..8].copy_from_slice(&number.to_be_bytes());
        let span_id = SpanId::from_bytes(number.to_be_bytes()).unwrap();
        SpanContext::new(TraceId::from_bytes(trace_id).unwrap(), span_id, TraceFlags::SAMPLED)
    }

    #[test]
    fn spans_beyond_the_first_segment_are_found_and_their_places_reused() {
        const SPANS: u64 = if cfg!(miri) { 600 } else { 5_000 };
        let table = Table::new();
        for round in 0..3_u64 {
            // One bucket's worth of collisions over several segments, and a generation in the high bits.
            let numbers: Vec<u64> = (1..=SPANS).map(|index| (round + 1) << 51 | index).collect();
            for &number in &numbers {
                assert!(insert(&table, number, &context(number), None));
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
        assert!((2..=5).contains(&segments), "{segments} segments hold {SPANS} spans, again and again");
    }

    fn insert(table: &Table, number: u64, of: &SpanContext, carried: Shared) -> bool {
        table.insert(number, Some(of), false, carried, Live::default())
    }

    #[test]
    fn what_is_carried_goes_with_its_span() {
        let carried: Shared = Some(Arc::new(Carried { trace_state: "a=1".into(), ..Carried::default() }));
        let table = Table::new();
        assert!(insert(&table, 9, &context(9), carried.clone()));
        let found = table.find(9).unwrap();
        assert_eq!(found.carried(), carried);
        found.set_carried(None);
        assert_eq!((found.carried(), found.context()), (None, Some(context(9))));
        found.set_carried(carried.clone());
        found.set_context(&context(10));
        assert_eq!((found.carried(), found.context()), (carried.clone(), Some(context(10))));
        found.remove();
        assert!(insert(&table, 1 << 51 | 9, &context(77), None));
        assert_eq!((found.carried(), table.find(1 << 51 | 9).unwrap().carried()), (None, None));
        assert_eq!(Arc::strong_count(carried.as_ref().unwrap()), 1, "nobody else holds it any more");
    }

    #[test]
    fn a_place_that_was_looked_up_answers_no_more_for_another_span() {
        let table = Table::new();
        assert!(insert(&table, 9, &context(9), None));
        let old = table.find(9).unwrap();
        old.remove();
        assert_eq!(old.context(), None);
        // The same place, by its position.
        assert!(insert(&table, 1 << 51 | 9, &context(77), None));
        assert_eq!(old.context(), None);
        assert!(matches!(old.with(|_| ()), Work::NotRecorded));
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
                        assert!(insert(table, number, &context(number), None));
                        assert_eq!(table.find(number).and_then(|found| found.context()), Some(context(number)));
                        table.find(number).unwrap().remove();
                    }
                });
            }
        });
    }
}
