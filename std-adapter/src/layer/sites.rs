//! `Sites`: what is the same for everything that comes from one call site, found by the address of its metadata.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing_core::Metadata;

const WIDTH: usize = 4;
const FIRST_BUCKETS: usize = 64;
const SEGMENTS: usize = 10;
/// A key that is being written.
const BUSY: usize = 1;

/// What is known about call sites. Grows by segments and is never moved, so reading needs no lock.
#[derive(Debug)]
pub(super) struct Sites<T> {
    segments: [OnceLock<Box<[Bucket<T>]>>; SEGMENTS],
}

type Bucket<T> = [Entry<T>; WIDTH];

#[derive(Debug)]
struct Entry<T> {
    key: AtomicUsize,
    known: OnceLock<T>,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { key: AtomicUsize::new(0), known: OnceLock::new() }
    }
}

impl<T> Sites<T> {
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }

    /// What is known about this call site.
    #[inline]
    pub(super) fn get(&self, metadata: &'static Metadata<'static>) -> Option<&T> {
        let key = std::ptr::from_ref(metadata).addr();
        for segment in &self.segments {
            for entry in bucket(segment.get()?, key) {
                if entry.key.load(Ordering::Acquire) == key {
                    return entry.known.get();
                }
            }
        }
        None
    }

    /// Notes what was learned. If there are more call sites than there is room for, it is given back.
    #[cold]
    #[inline(never)]
    pub(super) fn learn(&self, metadata: &'static Metadata<'static>, known: T) -> Result<&T, T> {
        let key = std::ptr::from_ref(metadata).addr();
        for (index, segment) in self.segments.iter().enumerate() {
            let buckets = segment.get_or_init(|| (0..FIRST_BUCKETS << index).map(|_| Default::default()).collect());
            for entry in bucket(buckets, key) {
                if entry.key.compare_exchange(0, BUSY, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    // Only who wrote `BUSY` comes here, so the cell is empty.
                    let known = entry.known.get_or_init(|| known);
                    entry.key.store(key, Ordering::Release);
                    return Ok(known);
                }
            }
        }
        Err(known)
    }
}

#[inline]
fn bucket<T>(buckets: &[Bucket<T>], key: usize) -> &Bucket<T> {
    // Metadata lies some hundred bytes apart; the number of buckets is a power of two.
    let mixed = (key >> 3) ^ (key >> 9) ^ (key >> 15);
    &buckets[mixed & (buckets.len() - 1)]
}

#[cfg(test)]
mod tests {
    use tracing_core::field::FieldSet;
    use tracing_core::metadata::Kind;
    use tracing_core::{Interest, Level, callsite::Callsite, identify_callsite};

    use super::*;

    struct Site;

    impl Callsite for Site {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody registers it")
        }
    }

    fn metadata() -> &'static Metadata<'static> {
        let fields = FieldSet::new(&[], identify_callsite!(&Site));
        Box::leak(Box::new(Metadata::new("site", "tests", Level::INFO, None, None, None, fields, Kind::SPAN)))
    }

    #[test]
    fn every_call_site_is_known_by_itself() {
        // More than the first segment has room for.
        const SITES: usize = if cfg!(miri) { 300 } else { 3_000 };
        let sites = Sites::new();
        let all: Vec<_> = (0..SITES).map(|_| metadata()).collect();
        for (number, metadata) in all.iter().enumerate() {
            assert_eq!(sites.get(metadata), None);
            assert_eq!(sites.learn(metadata, number), Ok(&number));
        }
        for (number, metadata) in all.iter().enumerate() {
            assert_eq!(sites.get(metadata), Some(&number));
        }
    }
}
