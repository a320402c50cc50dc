//! `SharedIds`: a source of ids for a `static` tracer.

use core::cell::Cell;

use critical_section::Mutex;

use crate::random::mix;
use crate::{IdSource, SpanId, TraceId};

/// Random ids for main code and interrupts alike, from generators that are small where it matters.
///
/// Trace ids come from xoshiro128++. Span ids come from the engine of xoroshiro64: in 2⁶⁴ - 1 of them none comes twice and none is
/// zero, for a handful of instructions.
///
/// A chip with a random number generator seeds it from there; one without takes its device id and a counter of its boots
/// that survives, mixed by [`seed_from`](Self::seed_from), so that no two devices and no two boots make the same ids.
/// As with [`RandomIds`](crate::RandomIds), whoever sees some ids can compute the others.
#[derive(Debug)]
pub struct SharedIds {
    generators: Mutex<Generators>,
}

impl SharedIds {
    /// Ids from this seed, until another one is set.
    #[must_use]
    pub const fn new(seed: [u64; 2]) -> Self {
        let (trace, span) = states(seed);
        Self { generators: Mutex::new(Generators { trace: Cell::new(trace), span: Cell::new(span) }) }
    }

    /// Starts again from 128 bits of entropy.
    pub fn seed(&self, seed: [u64; 2]) {
        critical_section::with(|section| {
            let generators = self.generators.borrow(section);
            let (trace, span) = states(seed);
            generators.trace.set(trace);
            generators.span.set(span);
        });
    }

    /// Starts again from a number that no other device has, and one that is another at each boot of this one.
    pub fn seed_from(&self, device: u64, boot: u64) {
        self.seed([mix(device), mix(boot ^ device.rotate_left(32))]);
    }
}

impl IdSource for SharedIds {
    fn trace_id(&self) -> TraceId {
        critical_section::with(|section| {
            let generator = &self.generators.borrow(section).trace;
            let mut state = generator.get();
            loop {
                let mut word = || u64::from(step(&mut state)) << 32 | u64::from(step(&mut state));
                if let Some(id) = TraceId::from_words([word(), word()]) {
                    generator.set(state);
                    return id;
                }
            }
        })
    }

    #[inline]
    fn span_id(&self) -> SpanId {
        let next = critical_section::with(|section| {
            let generator = &self.generators.borrow(section).span;
            let next = next_pair(generator.get());
            generator.set(next);
            next
        });
        SpanId::from_generator(next)
    }

    fn is_random(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Generators {
    trace: Cell<[u32; 4]>,
    /// Never both zero.
    span: Cell<[u32; 2]>,
}

/// The next of all pairs but zeros, each of which comes once (the engine of xoroshiro64: Blackman, Vigna, "Scrambled linear
/// pseudorandom number generators", 2021).
///
/// Each step can be undone, and undoing it makes zeros of zeros only: so what follows a pair that is not zero is not zero.
#[inline(always)]
const fn next_pair([a, b]: [u32; 2]) -> [u32; 2] {
    let b = a ^ b;
    [a.rotate_left(26) ^ b ^ (b << 9), b.rotate_left(13)]
}

/// xoshiro128++ 1.0.
#[inline(always)]
const fn step(state: &mut [u32; 4]) -> u32 {
    let [a, b, c, d] = *state;
    let (c, d) = (c ^ a, d ^ b);
    *state = [a ^ d, b ^ c, c ^ (b << 9), d.rotate_left(11)];
    // The third word of the state before this step is `c ^ a` here, so its sum starts from the fourth as it was.
    a.wrapping_add(d ^ b).rotate_left(7).wrapping_add(a)
}

/// The seed as the generators' states. An all-zero seed, with which they would stand still, is replaced by a fixed one.
const fn states([first, second]: [u64; 2]) -> ([u32; 4], [u32; 2]) {
    let (first, second) =
        if first == 0 && second == 0 { (0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9) } else { (first, second) };
    let ([a, b], [c, d]) = (halves(first), halves(second));
    let span = mix(first ^ mix(second));
    ([a, b, c, d], if span == 0 { [1, 0] } else { halves(span) })
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a number")]
const fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator as its authors define it, step by step.
    #[test]
    fn generator_follows_its_definition() {
        let mut ours = [1, 2, 3, 4];
        let mut s = [1_u32, 2, 3, 4];
        for _ in 0..100 {
            let expected = s[0].wrapping_add(s[3]).rotate_left(7).wrapping_add(s[0]);
            let t = s[1] << 9;
            s[2] ^= s[0];
            s[3] ^= s[1];
            s[1] ^= s[2];
            s[0] ^= s[3];
            s[2] ^= t;
            s[3] = s[3].rotate_left(11);
            assert_eq!((step(&mut ours), ours), (expected, s));
        }
    }

    /// The steps of the generator are a permutation of all pairs, and zeros are only followed by zeros.
    #[test]
    fn the_generator_of_span_ids_can_be_run_backwards() {
        let mut pair = [1, 0];
        for _ in 0..1000 {
            let next = next_pair(pair);
            let mixed = next[1].rotate_right(13);
            let a = (next[0] ^ mixed ^ (mixed << 9)).rotate_right(26);
            assert_eq!([a, a ^ mixed], pair);
            assert_ne!(next, [0, 0]);
            pair = next;
        }
        assert_eq!(next_pair([0, 0]), [0, 0]);
    }

    #[test]
    fn a_zero_seed_does_not_stall() {
        let ids = SharedIds::new([0, 0]);
        assert_ne!(ids.span_id(), ids.span_id());
        assert_ne!(ids.trace_id(), ids.trace_id());
    }
}
