//! `IdSource`: the host lends us identifiers, or the entropy to make them.

use core::cell::Cell;

use crate::{SpanId, TraceId};

/// Where trace and span ids come from.
pub trait IdSource {
    /// A new trace id.
    fn trace_id(&self) -> TraceId;
    /// A new span id.
    fn span_id(&self) -> SpanId;
    /// Whether at least the right-most 56 bits of every trace id are random, so that a root may set the W3C random flag.
    fn is_random(&self) -> bool;
}

impl<I: IdSource + ?Sized> IdSource for &I {
    fn trace_id(&self) -> TraceId {
        (**self).trace_id()
    }
    fn span_id(&self) -> SpanId {
        (**self).span_id()
    }
    fn is_random(&self) -> bool {
        (**self).is_random()
    }
}

/// Random ids from a fast generator (xoroshiro128++) that was seeded once from real entropy.
///
/// Not for secrets: whoever sees some ids can compute the others. Trace ids are not secrets.
// In memory it is the two words of its state: the module of the npm package is seeded there.
#[derive(Clone, Debug)]
#[repr(transparent)]
pub struct RandomIds {
    state: Cell<[u64; 2]>,
}

impl RandomIds {
    /// Starts from 128 bits of entropy. Two sources with the same seed make the same ids, so take the seed from the
    /// host's random source. An all-zero seed, with which the generator would stand still, is replaced by a fixed one.
    #[must_use]
    pub const fn from_seed(seed: [u64; 2]) -> Self {
        let state = if seed[0] == 0 && seed[1] == 0 { [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9] } else { seed };
        Self { state: Cell::new(state) }
    }

    /// Goes on from other entropy, as [`from_seed`](Self::from_seed): for a process or a machine of which there is a copy now
    /// that would make the same ids.
    pub fn reseed(&self, seed: [u64; 2]) {
        self.state.set(Self::from_seed(seed).state.get());
    }

    /// Starts from a generator of the host's, such as a chip's own.
    #[cfg(feature = "rand_core")]
    #[must_use]
    pub fn from_rng(rng: &mut (impl rand_core::Rng + ?Sized)) -> Self {
        Self::from_seed([rng.next_u64(), rng.next_u64()])
    }

    #[inline]
    fn next(&self) -> u64 {
        let [a, mut b] = self.state.get();
        let result = a.wrapping_add(b).rotate_left(17).wrapping_add(a);
        b ^= a;
        self.state.set([a.rotate_left(49) ^ b ^ (b << 21), b.rotate_left(28)]);
        result
    }
}

impl IdSource for RandomIds {
    #[inline]
    fn trace_id(&self) -> TraceId {
        loop {
            if let Some(id) = TraceId::from_words([self.next(), self.next()]) {
                return id;
            }
        }
    }

    #[inline]
    fn span_id(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::from_words([self.next()]) {
                return id;
            }
        }
    }

    fn is_random(&self) -> bool {
        true
    }
}

/// Spreads every bit over all others (the finaliser of splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014).
pub(crate) const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Ids that count up from 1: for tests that compare whole outputs.
#[derive(Clone, Debug, Default)]
pub struct CountingIds {
    last: Cell<u64>,
}

impl CountingIds {
    /// Starts at 1.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: Cell::new(0) }
    }

    fn next(&self) -> u64 {
        let next = self.last.get().wrapping_add(1).max(1);
        self.last.set(next);
        next
    }
}

impl IdSource for CountingIds {
    fn trace_id(&self) -> TraceId {
        loop {
            if let Some(id) = TraceId::from_bytes(u128::from(self.next()).to_be_bytes()) {
                return id;
            }
        }
    }

    fn span_id(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::from_bytes(self.next().to_be_bytes()) {
                return id;
            }
        }
    }

    fn is_random(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_differ_and_a_zero_seed_does_not_stall() {
        let ids = RandomIds::from_seed([0, 0]);
        let (first, second) = (ids.span_id(), ids.span_id());
        assert_ne!(first, second);
        assert_ne!(ids.trace_id(), ids.trace_id());
    }

    /// The reference vector of xoroshiro128++ 1.0 for the state (1, 2): computed by hand from its definition.
    #[test]
    fn generator_follows_its_definition() {
        let ids = RandomIds::from_seed([1, 2]);
        let expected_first = 3u64.rotate_left(17).wrapping_add(1);
        assert_eq!(ids.next(), expected_first);
        let b = 2u64 ^ 1;
        let (a, b) = (1u64.rotate_left(49) ^ b ^ (b << 21), b.rotate_left(28));
        assert_eq!(ids.next(), a.wrapping_add(b).rotate_left(17).wrapping_add(a));
    }

    #[cfg(feature = "rand_core")]
    #[test]
    fn a_generator_of_the_hosts_gives_both_words_of_the_seed() {
        struct Counter(u64);
        impl rand_core::TryRng for Counter {
            type Error = rand_core::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                Ok(0)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                self.0 += 1;
                Ok(self.0)
            }
            fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
                Ok(())
            }
        }
        assert_eq!(RandomIds::from_rng(&mut Counter(0)).next(), RandomIds::from_seed([1, 2]).next());
    }
}
