//! Handles: numbers that name a span's context, and its slot while it records.
//!
//! A context outlives its span: children, links and headers may ask for it long after the end, and a span that is not sampled is
//! nothing but a context. So contexts live in a ring of their own, in which the oldest that no live span uses makes room.

use core::cell::Cell;

use clewline_core::SpanContext;

/// How many contexts are remembered.
const CONTEXTS: u32 = 4096;

/// Handles stay below 2^30, so that engines keep them as small integers.
const LAST_NUMBER: u32 = (1 << 29) - 1;

/// One remembered context.
pub(crate) struct Entry {
    /// The number of the start, and in bit 0 whether it records; 0: nothing is here.
    handle: u32,
    pub(crate) slot: u16,
    /// Whether the slot holds the span.
    pub(crate) live: Cell<bool>,
    /// `None` only where there was never one.
    pub(crate) context: Option<SpanContext>,
}

/// The ring of contexts.
#[repr(C)]
pub(crate) struct Contexts {
    last: u32,
    entries: [Entry; CONTEXTS as usize],
}

impl Contexts {
    pub(crate) const fn new() -> Self {
        Self {
            entries: [const { Entry { handle: 0, slot: 0, live: Cell::new(false), context: None } }; CONTEXTS as usize],
            last: 0,
        }
    }

    #[inline]
    fn at(&self, number: u32) -> Option<&Entry> {
        self.entries.get((number & (CONTEXTS - 1)) as usize)
    }

    /// Remembers a context in place of the oldest that no live span uses, and the slot of its span if it records; its handle.
    #[inline]
    pub(crate) fn insert(&mut self, context: SpanContext, slot: Option<u16>) -> u32 {
        loop {
            self.last = self.last % LAST_NUMBER + 1;
            let number = self.last;
            // Fewer slots than contexts: one is found.
            if let Some(entry) = self.entries.get_mut((number & (CONTEXTS - 1)) as usize)
                && !entry.live.get()
            {
                entry.live = Cell::new(slot.is_some());
                entry.slot = slot.unwrap_or_default();
                entry.handle = number << 1 | u32::from(slot.is_some());
                entry.context = Some(context);
                return entry.handle;
            }
        }
    }

    /// What a handle names, unless its place was given to another.
    #[inline(never)]
    pub(crate) fn get(&self, handle: u32) -> Option<&Entry> {
        self.at(handle >> 1).filter(|entry| entry.handle == handle)
    }

    /// Takes the slot from the span that began first among the live ones: after so many others, it was most likely forgotten.
    #[cold]
    #[inline(never)]
    pub(crate) fn abandon_oldest(&self) -> Option<&Entry> {
        let mut number = self.last;
        for _ in 0..CONTEXTS {
            number += 1;
            if let Some(entry) = self.at(number)
                && entry.live.replace(false)
            {
                return Some(entry);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{CountingIds, IdSource, TraceFlags};

    use super::*;

    fn contexts() -> impl FnMut() -> SpanContext {
        let ids = CountingIds::new();
        move || SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED)
    }

    #[test]
    fn a_place_in_use_is_passed_over_and_old_handles_go_stale() {
        let mut new = contexts();
        let mut ring = Contexts::new();
        let live = ring.insert(new(), Some(7));
        let other = ring.insert(new(), None);
        assert_eq!((live & 1, other & 1), (1, 0));
        for _ in 2..CONTEXTS {
            ring.insert(new(), None);
        }
        assert!(ring.get(other).is_some(), "the ring was not full yet");
        let newest = ring.insert(new(), None);
        assert!(ring.get(other).is_none() && ring.get(newest).is_some());
        assert!(ring.get(live).is_some_and(|entry| entry.live.get() && entry.slot == 7));
        assert_eq!(ring.get(newest).unwrap().context.unwrap().span_id().to_bytes()[6..], [0x20, 0x02]);
        for nonsense in [0, 1, u32::MAX, live ^ 1] {
            assert!(ring.get(nonsense).is_none());
        }
    }

    #[test]
    fn the_oldest_live_one_is_abandoned() {
        let mut new = contexts();
        let mut ring = Contexts::new();
        let abandoned = |ring: &Contexts| ring.abandon_oldest().map(|entry| entry.slot);
        assert_eq!(abandoned(&ring), None);
        for slot in [None, Some(1), Some(2)] {
            ring.insert(new(), slot);
        }
        assert_eq!([(); 3].map(|()| abandoned(&ring)), [Some(1), Some(2), None]);
    }

    #[test]
    fn numbers_start_again_without_reaching_zero() {
        let mut new = contexts();
        let mut ring = Contexts::new();
        ring.last = LAST_NUMBER - 1;
        let handles = [0, 1].map(|slot| ring.insert(new(), Some(slot)));
        assert_eq!(handles, [LAST_NUMBER << 1 | 1, 1 << 1 | 1]);
        assert!(handles[0] < 1 << 30);
    }
}
