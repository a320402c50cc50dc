//! `LongTicks`: a counter of 32 bits as one of 64 that never goes around.

use core::cell::Cell;

use critical_section::Mutex;

use crate::TickSource;

/// Extends a hardware counter of 32 bits that counts up and goes around. Must be asked at least once per round.
///
/// ```
/// use clewline_core::{TickSource, shared::LongTicks};
/// # use core::sync::atomic::{AtomicU32, Ordering};
/// # static COUNTER: AtomicU32 = AtomicU32::new(u32::MAX);
/// static TICKS: LongTicks<fn() -> u32> = LongTicks::new(|| COUNTER.load(Ordering::Relaxed), 1_000_000);
/// assert_eq!(TICKS.ticks(), 0xffff_ffff);
/// COUNTER.store(0, Ordering::Relaxed);
/// assert_eq!(TICKS.ticks(), 0x1_0000_0000);
/// ```
#[derive(Debug)]
pub struct LongTicks<R> {
    read: R,
    ticks_per_second: u32,
    /// What was read last, and how often the counter has gone around.
    last: Mutex<Cell<(u32, u32)>>,
}

impl<R: Fn() -> u32> LongTicks<R> {
    /// `read` answers with the counter, which counts `ticks_per_second`.
    #[must_use]
    pub const fn new(read: R, ticks_per_second: u32) -> Self {
        Self { read, ticks_per_second, last: Mutex::new(Cell::new((0, 0))) }
    }
}

impl<R: Fn() -> u32> TickSource for LongTicks<R> {
    fn ticks(&self) -> u64 {
        critical_section::with(|section| {
            let cell = self.last.borrow(section);
            let (last, rounds) = cell.get();
            let now = (self.read)();
            let rounds = rounds.wrapping_add(u32::from(now < last));
            cell.set((now, rounds));
            u64::from(rounds) << 32 | u64::from(now)
        })
    }

    fn ticks_per_second(&self) -> u32 {
        self.ticks_per_second
    }
}
