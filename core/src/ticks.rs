//! `TickSource`: a chip's counter, for spans whose times the host converts.

use crate::Clock;

/// A counter that never goes back: what a chip has instead of a clock.
pub trait TickSource {
    /// The counter. 0 means "unknown", so it should not stay there.
    fn ticks(&self) -> u64;

    /// How fast it counts.
    fn ticks_per_second(&self) -> u32;
}

impl<T: TickSource + ?Sized> TickSource for &T {
    fn ticks(&self) -> u64 {
        (**self).ticks()
    }

    fn ticks_per_second(&self) -> u32 {
        (**self).ticks_per_second()
    }
}

/// A counter in a clock's place: for tracers whose spans are in [`Compact`](crate::Compact) form, whose times are ticks.
///
/// The host learns of the rate by the resource frame and of the epoch by time requests, and converts both by a
/// [`TimeAnchor`](crate::TimeAnchor): a division that costs a chip hundreds of instructions.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickClock<T>(pub T);

impl<T: TickSource> Clock for TickClock<T> {
    #[inline]
    fn unix_nanos(&self) -> Option<u64> {
        Some(self.0.ticks())
    }
}

/// The time driver of an Embassy program.
#[cfg(feature = "embassy-time")]
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbassyTicks;

#[cfg(feature = "embassy-time")]
impl TickSource for EmbassyTicks {
    // Inlined, so that only programs that use it need a driver.
    #[inline]
    fn ticks(&self) -> u64 {
        embassy_time_driver::now()
    }

    #[inline]
    fn ticks_per_second(&self) -> u32 {
        u32::try_from(embassy_time_driver::TICK_HZ).unwrap_or(u32::MAX)
    }
}
