//! Ids from core's generator, its code kept once.

use clewline_core::{IdSource, RandomIds, SpanId, TraceId};

/// `RandomIds`, whose one step is inlined three times into a start; here it is a call, for 150 bytes less.
#[repr(transparent)]
pub struct Ids(RandomIds);

impl Ids {
    /// Of a seed of which JavaScript replaces all but the last byte: so it is never zero, with which the generator would stand still.
    #[must_use]
    pub const fn unseeded() -> Self {
        Self(RandomIds::from_seed([0, 1 << 56]))
    }

    /// A word, which a call answers in a register as it does no id.
    #[inline(never)]
    fn next(&self) -> u64 {
        u64::from_ne_bytes(self.0.span_id().to_bytes())
    }
}

impl IdSource for Ids {
    #[inline]
    fn trace_id(&self) -> TraceId {
        loop {
            let [a, b, c, d, e, f, g, h] = self.next().to_ne_bytes();
            let [i, j, k, l, m, n, o, p] = self.next().to_ne_bytes();
            // Neither half is zero, so the first answer is one.
            if let Some(id) = TraceId::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]) {
                return id;
            }
        }
    }

    #[inline]
    fn span_id(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::from_bytes(self.next().to_ne_bytes()) {
                return id;
            }
        }
    }

    fn is_random(&self) -> bool {
        true
    }
}
