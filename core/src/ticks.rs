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

#[cfg(all(test, feature = "embassy-time"))]
mod tests {
    use super::{Clock, EmbassyTicks, TickClock, TickSource};

    struct Fixed;

    impl embassy_time_driver::Driver for Fixed {
        fn now(&self) -> u64 {
            1234
        }

        fn schedule_wake(&self, _: u64, _: &core::task::Waker) {}
    }

    embassy_time_driver::time_driver_impl!(static DRIVER: Fixed = Fixed);

    #[test]
    fn the_drivers_ticks_are_the_clock() {
        assert_eq!(TickClock(EmbassyTicks).unix_nanos(), Some(1234));
        assert_eq!(u64::from(EmbassyTicks.ticks_per_second()), embassy_time_driver::TICK_HZ);
    }
}
