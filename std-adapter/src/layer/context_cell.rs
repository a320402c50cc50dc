//! `ContextCell`: a span context that is read without a lock, by a sequence lock over four words.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use clewline_core::{SpanContext, SpanId, TraceFlags, TraceId};

/// A context, or none. Written once when its span begins, and changed when a span gets a parent later.
#[derive(Debug, Default)]
pub(super) struct ContextCell {
    trace_id: [AtomicU64; 2],
    /// Zero if there is no context.
    span_id: AtomicU64,
    /// Flags in the lowest byte, then the four bits below, then the number of changes; odd while a change goes on.
    state: AtomicU64,
}

const IS_REMOTE: u64 = 1 << 8;
const HAS_CARRIED: u64 = 1 << 9;
const IS_FOREIGN: u64 = 1 << 10;
const HAS_CHILDREN: u64 = 1 << 11;
const ONE_CHANGE: u64 = 1 << 16;

impl ContextCell {
    /// Writes the context of a new span into a free place.
    #[inline]
    pub(super) fn begin(&self, context: Option<&SpanContext>, has_carried: bool, is_foreign: bool) {
        // Who still reads for the former span and sees the new words also sees that the number has changed.
        fence(Ordering::Release);
        let bits = if has_carried { HAS_CARRIED } else { 0 } | if is_foreign { IS_FOREIGN } else { 0 };
        match context {
            Some(context) => {
                self.store(context);
                self.state.store(state_bits(context) | bits, Ordering::Relaxed);
            }
            None => {
                self.span_id.store(0, Ordering::Relaxed);
                self.state.store(bits, Ordering::Relaxed);
            }
        }
    }

    /// Whether the span hands on more than its context.
    #[inline]
    pub(super) fn has_carried(&self) -> bool {
        self.state.load(Ordering::Relaxed) & HAS_CARRIED != 0
    }

    /// Whether the context is not the span's own: it only hands on what came.
    pub(super) fn is_foreign(&self) -> bool {
        self.state.load(Ordering::Relaxed) & IS_FOREIGN != 0
    }

    /// Whether a child got the context.
    pub(super) fn has_children(&self) -> bool {
        self.state.load(Ordering::Relaxed) & HAS_CHILDREN != 0
    }

    /// Notes that a child gets the context.
    #[inline]
    pub(super) fn note_child(&self) {
        if !self.has_children() {
            // Changes keep the bit, and who changes while this comes reads it again.
            self.state.fetch_or(HAS_CHILDREN, Ordering::Relaxed);
        }
    }

    /// Notes whether the span hands on more than its context.
    pub(super) fn set_has_carried(&self, has_carried: bool) {
        self.change_with(|state| (state & !HAS_CARRIED) | if has_carried { HAS_CARRIED } else { 0 });
    }

    /// Changes the context of a span that others may be reading.
    pub(super) fn change(&self, context: &SpanContext) {
        self.change_with(|state| {
            self.store(context);
            (state & (HAS_CARRIED | IS_FOREIGN | HAS_CHILDREN)) | state_bits(context)
        });
    }

    /// Runs `write` while nobody else changes anything, and nobody believes what they read. It gets the bits below the number
    /// of changes, and answers the new ones.
    fn change_with(&self, write: impl FnOnce(u64) -> u64) {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let next = (state / ONE_CHANGE).wrapping_add(1).wrapping_mul(ONE_CHANGE);
            if is_even(state)
                && self.state.compare_exchange_weak(state, next, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                fence(Ordering::Release);
                let bits = write(state % ONE_CHANGE);
                self.state.store(next.wrapping_add(ONE_CHANGE) | bits, Ordering::Release);
                return;
            }
            std::hint::spin_loop();
            state = self.state.load(Ordering::Relaxed);
        }
    }

    #[inline]
    fn store(&self, context: &SpanContext) {
        let [high, low] = words(context.trace_id().to_bytes());
        self.trace_id[0].store(high, Ordering::Relaxed);
        self.trace_id[1].store(low, Ordering::Relaxed);
        self.span_id.store(u64::from_ne_bytes(context.span_id().to_bytes()), Ordering::Relaxed);
    }

    /// The context, all of one moment.
    #[inline]
    pub(super) fn read(&self) -> Option<SpanContext> {
        loop {
            let before = self.state.load(Ordering::Acquire);
            let [high, low] = [0, 1].map(|index| self.trace_id[index].load(Ordering::Relaxed));
            let span_id = self.span_id.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if is_even(before) && self.state.load(Ordering::Relaxed) == before {
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
}

#[inline]
fn is_even(state: u64) -> bool {
    (state / ONE_CHANGE).is_multiple_of(2)
}

#[inline]
fn state_bits(context: &SpanContext) -> u64 {
    let remote = if context.is_remote() { IS_REMOTE } else { 0 };
    u64::from(context.flags().bits()) | remote
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
    fn a_context_is_never_seen_half_changed() {
        const CHANGES: u64 = if cfg!(miri) { 50 } else { 100_000 };
        let cell = ContextCell::default();
        cell.begin(Some(&context(1)), false, false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while last < CHANGES {
                    let seen = cell.read().unwrap();
                    let number = u64::from_be_bytes(seen.span_id().to_bytes());
                    assert_eq!(seen, context(number));
                    assert!(number >= last);
                    last = number;
                }
            });
            for number in 1..=CHANGES {
                cell.change(&context(number));
            }
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_cell_may_have_no_context_and_gets_one_later() {
        let cell = ContextCell::default();
        cell.begin(None, true, true);
        assert_eq!((cell.read(), cell.has_carried()), (None, true));
        cell.change(&context(5).into_remote());
        assert_eq!((cell.read(), cell.has_carried()), (Some(context(5).into_remote()), true));
        cell.set_has_carried(false);
        assert_eq!((cell.read(), cell.has_carried()), (Some(context(5).into_remote()), false));
        cell.set_has_carried(true);
        assert!(cell.is_foreign());
        cell.begin(Some(&context(6)), false, false);
        assert_eq!((cell.read(), cell.has_carried(), cell.is_foreign()), (Some(context(6)), false, false));
    }
}
