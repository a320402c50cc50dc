//! Handles: numbers that name a span's context, and its body while it records.
//!
//! A context outlives its span: children, links and headers may ask for it long after the end, and a span that is not
//! sampled is nothing but a context. So contexts live in a ring of their own, and the oldest one that no live span
//! uses makes room for a new one. The generation in the handle tells the two apart.

use clewline_core::SpanContext;
use heapless::Vec;

/// How many contexts are remembered; `1 << INDEX_BITS`.
const CONTEXTS: usize = 4096;
const INDEX_BITS: u32 = 12;
const GENERATION_BITS: u32 = 17;

/// The number JavaScript holds: bit 0 "records", 12 bits of place, 17 of generation. Below 2^30, so that engines keep it
/// as a small integer; never 0, which means "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(u32);

impl Handle {
    /// No span.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    const fn index(self) -> usize {
        (self.0 >> 1) as usize & (CONTEXTS - 1)
    }

    const fn generation(self) -> u32 {
        self.0 >> (1 + INDEX_BITS)
    }
}

/// One remembered context.
pub(crate) struct Entry {
    pub(crate) context: SpanContext,
    /// The slot of the span that records, until it ends.
    pub(crate) slot: Option<u8>,
    generation: u32,
}

/// The ring of contexts.
pub(crate) struct Contexts {
    entries: Vec<Entry, CONTEXTS>,
    next: usize,
}

impl Contexts {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), next: 0 }
    }

    /// Remembers a context in place of the oldest one that is not in use. `None` if all are, which fewer slots than
    /// contexts rule out.
    pub(crate) fn insert(&mut self, context: SpanContext, slot: Option<u8>) -> Option<Handle> {
        let index = self.entries.len();
        let (index, generation) = if self.entries.push(Entry { context, slot, generation: 1 }).is_ok() {
            (index, 1)
        } else {
            self.reuse(context, slot)?
        };
        Some(Handle(generation << (1 + INDEX_BITS) | u32::try_from(index).ok()? << 1 | u32::from(slot.is_some())))
    }

    fn reuse(&mut self, context: SpanContext, slot: Option<u8>) -> Option<(usize, u32)> {
        for _ in 0..CONTEXTS {
            let index = self.next;
            self.next = (index + 1) & (CONTEXTS - 1);
            let entry = self.entries.get_mut(index)?;
            if entry.slot.is_none() {
                let generation = (entry.generation + 1) & ((1 << GENERATION_BITS) - 1);
                *entry = Entry { context, slot, generation: generation.max(1) };
                return Some((index, entry.generation));
            }
        }
        None
    }

    /// What a handle names, unless its place was given to another.
    pub(crate) fn get(&mut self, handle: Handle) -> Option<&mut Entry> {
        self.entries.get_mut(handle.index()).filter(|entry| entry.generation == handle.generation())
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{CountingIds, IdSource, TraceFlags};

    use super::*;

    #[test]
    fn a_place_in_use_is_passed_over_and_old_handles_go_stale() {
        let ids = CountingIds::new();
        let mut contexts = Contexts::new();
        let insert = |contexts: &mut Contexts, slot| {
            contexts.insert(SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::NONE), slot).unwrap()
        };
        let live = insert(&mut contexts, Some(7));
        let ended = insert(&mut contexts, Some(8));
        contexts.get(ended).unwrap().slot = None;
        let context = contexts.get(ended).unwrap().context;
        for _ in 2..CONTEXTS {
            insert(&mut contexts, None);
        }
        assert_eq!(contexts.get(ended).unwrap().context, context, "the ring was not full yet");
        let newest = insert(&mut contexts, None);
        assert!(contexts.get(ended).is_none());
        assert_eq!(newest.index(), ended.index());
        assert_eq!(contexts.get(live).unwrap().slot, Some(7));
        assert!(contexts.get(Handle::from_number(0)).is_none());
        assert!(contexts.get(Handle::from_number(u32::MAX)).is_none());
        assert!(live.number() & 1 == 1 && newest.number() & 1 == 0);
    }

    #[test]
    fn generations_wrap_around_without_reaching_zero() {
        let ids = CountingIds::new();
        let mut contexts = Contexts::new();
        let context = SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::NONE);
        for _ in 0..CONTEXTS {
            contexts.insert(context, None);
        }
        contexts.entries[0].generation = (1 << GENERATION_BITS) - 1;
        let handle = contexts.insert(context, None).unwrap();
        assert_eq!(handle.generation(), 1);
        assert!(handle.number() < 1 << 30);
    }
}
