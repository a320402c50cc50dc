//! What a page or worker lends to Rust code in it: time and randomness, through `js-sys`.

use clewline_core::{Clock, RandomIds};
use js_sys::{Date, Uint32Array};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn get_random_values(array: &Uint32Array) -> Result<(), JsValue>;
}

/// How many milliseconds may lie between the readings of the two clocks that anchor one: what `Date.now()` is coarse.
const CLOSE: f64 = 1.0;
/// How often they are read for that. Some browsers count in steps of 100 ms.
const MOST_READINGS: u32 = 5;

/// The clock of a page: `performance.now()` from an anchor set by `Date.now()` when the clock was made.
///
/// It keeps counting where the system clock is corrected, and stops while the computer sleeps; make a new one to anchor anew.
#[derive(Clone, Copy, Debug)]
pub struct PageClock {
    anchor_millis: f64,
    origin: f64,
}

impl PageClock {
    /// Anchors a clock now.
    #[must_use]
    pub fn new() -> Self {
        let mut clock = Self { anchor_millis: 0.0, origin: 0.0 };
        let mut closest = f64::INFINITY;
        // A page that is held up between the two readings would be late by that as long as it lives.
        for _ in 0..MOST_READINGS {
            let before = performance_now();
            let (anchor_millis, origin) = (Date::now(), performance_now());
            if origin - before < closest {
                closest = origin - before;
                clock = Self { anchor_millis, origin };
            }
            if closest <= CLOSE {
                break;
            }
        }
        clock
    }
}

impl Default for PageClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for PageClock {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970 and nanoseconds since the anchor: both non-negative and far below 2^63"
    )]
    fn unix_nanos(&self) -> Option<u64> {
        // Multiplied apart: milliseconds since 1970 times a million is more than a double holds exactly.
        let nanos = (performance_now() - self.origin) * 1e6;
        Some(self.anchor_millis as u64 * 1_000_000 + nanos as u64)
    }
}

/// Ids seeded from `crypto.getRandomValues`; `None` where there is no such thing.
#[must_use]
pub fn random_ids() -> Option<RandomIds> {
    let array = Uint32Array::new_with_length(4);
    get_random_values(&array).ok()?;
    let word = |index| u64::from(array.get_index(index));
    Some(RandomIds::from_seed([word(0) << 32 | word(1), word(2) << 32 | word(3)]))
}
