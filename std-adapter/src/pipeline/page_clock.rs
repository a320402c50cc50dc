//! The clock of a page or worker: `performance.now()` from an anchor that follows `Date.now()`.
//!
//! `performance.now()` is steady but stops while the computer sleeps and knows nothing of corrected time; `Date.now()` follows
//! both but jumps and has only milliseconds. So readings come from the first, and are compared with the second once a second, and
//! whenever it is known that the computer may have slept. They never run backwards.

use std::cell::Cell;

use clewline_core::Clock;
use js_sys::Date;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// How far the two may be apart, in milliseconds, before readings follow `Date.now()`: more than it is coarse.
const TOLERANCE: f64 = 50.0;
/// Milliseconds between two comparisons.
const COMPARED_EVERY: f64 = 1000.0;
const NANOS_PER_MILLI: f64 = 1e6;

/// The clock of the page or worker. Free to copy: all copies read the same anchor.
#[derive(Clone, Copy, Debug)]
pub struct HostClock(());

/// Where readings count from. Each worker that shares the program's memory has a `performance.now()` of its own.
struct Anchor {
    /// Whole milliseconds since 1970.
    unix_millis: Cell<f64>,
    /// The `performance.now()` that corresponds to it.
    origin: Cell<f64>,
    /// Nanoseconds from the anchor to the last reading.
    last: Cell<f64>,
    /// The `performance.now()` at which the two clocks are compared next.
    compare_at: Cell<f64>,
}

thread_local! {
    static ANCHOR: Anchor = {
        let now = performance_now();
        Anchor {
            unix_millis: Cell::new(Date::now()),
            origin: Cell::new(now),
            last: Cell::new(0.0),
            compare_at: Cell::new(now + COMPARED_EVERY),
        }
    };
}

impl Anchor {
    fn read(&self) -> u64 {
        let now = performance_now();
        if now >= self.compare_at.get() {
            self.compare(now, Date::now());
        }
        let last = ((now - self.origin.get()) * NANOS_PER_MILLI).round().max(self.last.get());
        self.last.set(last);
        // Multiplied apart: milliseconds since 1970 times a million is more than a double holds exactly.
        whole(self.unix_millis.get()) * 1_000_000 + whole(last)
    }

    /// Follows `date` after sleep or a correction. Forward at once; backward only as far as no reading was given yet, so that what
    /// was given stays in order and the rest is caught up later.
    fn compare(&self, now: f64, date: f64) {
        self.compare_at.set(now + COMPARED_EVERY);
        let steady = now - self.origin.get();
        let behind = date - self.unix_millis.get() - steady;
        if behind > TOLERANCE {
            self.origin.set(self.origin.get() - behind);
        } else if behind < -TOLERANCE {
            let unread = (steady - self.last.get() / NANOS_PER_MILLI).max(0.0);
            self.origin.set(self.origin.get() + unread.min(-behind));
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor near 2^63")]
fn whole(number: f64) -> u64 {
    number as u64
}

impl HostClock {
    /// The clock.
    #[must_use]
    pub fn get() -> Self {
        // Anchors it.
        ANCHOR.with(|_| Self(()))
    }

    /// The same: a page has no other.
    #[must_use]
    pub fn system() -> Self {
        Self::get()
    }

    /// Compares with `Date.now()` now: the computer may have slept.
    pub fn compare(self) {
        ANCHOR.with(|anchor| anchor.compare(performance_now(), Date::now()));
    }

    /// Now, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn ticks(self) -> u64 {
        ANCHOR.with(Anchor::read)
    }

    /// The Unix time of a moment that `ticks` named, in nanoseconds.
    #[must_use]
    pub fn to_unix_nanos(self, ticks: u64) -> u64 {
        ticks
    }

    /// The Unix times of a span's start and its end.
    pub(crate) fn interval(self, start: u64, end: u64) -> (u64, u64) {
        (start, end.max(start))
    }
}

impl Clock for HostClock {
    fn unix_nanos(&self) -> Option<u64> {
        Some(self.ticks())
    }
}
