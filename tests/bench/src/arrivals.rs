//! Counts what reaches the end of a pipeline, so that a row's work can be checked.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static SPANS: AtomicU64 = AtomicU64::new(0);
static ATTRIBUTES: AtomicU64 = AtomicU64::new(0);
static EVENTS: AtomicU64 = AtomicU64::new(0);
static INSPECTING: AtomicBool = AtomicBool::new(false);

/// What arrived since the process started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Arrivals {
    /// Finished spans.
    pub spans: u64,
    /// Attributes of those spans; counted while [inspecting](inspect).
    pub attributes: u64,
    /// Events of those spans; counted while [inspecting](inspect).
    pub events: u64,
}

impl Arrivals {
    /// What arrived after `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            spans: self.spans - earlier.spans,
            attributes: self.attributes - earlier.attributes,
            events: self.events - earlier.events,
        }
    }
}

/// Counts a batch of `spans`; `details` yields its attributes and events and runs only while inspecting.
///
/// One addition per batch: this is the exporter that costs nothing.
pub fn count_batch(spans: usize, details: impl FnOnce() -> (usize, usize)) {
    SPANS.fetch_add(spans as u64, Ordering::Relaxed);
    if INSPECTING.load(Ordering::Relaxed) {
        let (attributes, events) = details();
        ATTRIBUTES.fetch_add(attributes as u64, Ordering::Relaxed);
        EVENTS.fetch_add(events as u64, Ordering::Relaxed);
    }
}

/// Counts one span on the caller's thread, only while inspecting, so that a row without a batch pays one plain load.
#[inline]
pub fn count_span(attributes: usize, events: usize) {
    if INSPECTING.load(Ordering::Relaxed) {
        count_batch(1, || (attributes, events));
    }
}

/// Turns the counting of attributes and events (and of single spans) on or off.
pub fn inspect(on: bool) {
    INSPECTING.store(on, Ordering::Relaxed);
}

/// What has arrived so far.
#[must_use]
pub fn now() -> Arrivals {
    Arrivals {
        spans: SPANS.load(Ordering::Relaxed),
        attributes: ATTRIBUTES.load(Ordering::Relaxed),
        events: EVENTS.load(Ordering::Relaxed),
    }
}
