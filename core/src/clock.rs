//! `Clock`: the host lends us time.

use core::cell::Cell;

/// Where timestamps come from. The host supplies one; core never looks at a clock by itself.
pub trait Clock {
    /// Nanoseconds since the Unix epoch, or `None` while the host does not know the time
    /// (a chip before its first synchronisation). A span without a time carries 0, OTLP's "unknown".
    fn unix_nanos(&self) -> Option<u64>;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn unix_nanos(&self) -> Option<u64> {
        (**self).unix_nanos()
    }
}

/// A host without a clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn unix_nanos(&self) -> Option<u64> {
        None
    }
}

/// A clock that moves only when told to: for tests.
///
/// ```
/// use clewline_core::{Clock, ManualClock};
/// let clock = ManualClock::new(1_700_000_000_000_000_000);
/// clock.advance(250);
/// assert_eq!(clock.unix_nanos(), Some(1_700_000_000_000_000_250));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    now: Cell<u64>,
}

impl ManualClock {
    /// Starts at `unix_nanos`.
    #[must_use]
    pub const fn new(unix_nanos: u64) -> Self {
        Self { now: Cell::new(unix_nanos) }
    }

    /// Moves forward; stops at the greatest time there is.
    pub fn advance(&self, nanos: u64) {
        self.now.set(self.now.get().saturating_add(nanos));
    }
}

impl Clock for ManualClock {
    fn unix_nanos(&self) -> Option<u64> {
        Some(self.now.get())
    }
}
