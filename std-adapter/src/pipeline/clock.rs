//! The host's clock: processor ticks where they are steady, made into Unix time against anchors that follow the system clock.
//!
//! Reading the time-stamp counter costs a third of a system-clock read. A span keeps the ticks of its start and converts both
//! ends by the same anchor when it ends, so its duration is exact. Whoever finds the anchor too old renews it, so that spans
//! follow corrections of the system clock (NTP) and a rough first measurement of the counter's frequency does no harm.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clewline_core::Clock;

/// Ticks per nanosecond are kept as nanoseconds per tick times 2^32.
const SHIFT: u32 = 32;
/// How long the first calibration measures. Later ones measure since the first and so become ever more exact.
const FIRST_CALIBRATION: Duration = Duration::from_millis(2);
/// How old the first anchor may become. Each one may become as old as the measurement behind it, up to a second: so what it
/// is wrong by stays below a microsecond.
const FIRST_AGE: Duration = Duration::from_millis(2);
const GREATEST_AGE: Duration = Duration::from_secs(1);

/// The process's clock. Free to copy: all copies read the same anchor.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    anchor: &'static Anchor,
}

/// A point at which ticks and Unix time are both known. Written by one thread at a time, read by all (a sequence lock).
#[derive(Debug)]
struct Anchor {
    uses_counter: AtomicBool,
    sequence: AtomicU64,
    ticks: AtomicU64,
    unix_nanos: AtomicU64,
    nanos_per_tick: AtomicU64,
    /// Ticks after which it should be renewed.
    greatest_age: AtomicU64,
}

/// An anchor as read, all of one moment.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    unix_nanos: u64,
    nanos_per_tick: u64,
    greatest_age: u64,
}

impl Reading {
    /// Ticks from the anchor to a moment. Spans may have begun before the newest anchor, so the distance has a sign.
    #[inline]
    fn distance_to(&self, ticks: u64) -> i64 {
        ticks.wrapping_sub(self.ticks).cast_signed()
    }

    #[inline]
    fn unix_nanos_at(&self, ticks: u64) -> u64 {
        let nanos = (i128::from(self.distance_to(ticks)) * i128::from(self.nanos_per_tick)) >> SHIFT;
        #[expect(clippy::cast_possible_truncation, reason = "584 years of nanoseconds fit")]
        let nanos = nanos as i64;
        self.unix_nanos.wrapping_add_signed(nanos)
    }
}

static ANCHOR: Anchor = Anchor {
    uses_counter: AtomicBool::new(false),
    sequence: AtomicU64::new(0),
    ticks: AtomicU64::new(0),
    unix_nanos: AtomicU64::new(0),
    nanos_per_tick: AtomicU64::new(0),
    greatest_age: AtomicU64::new(0),
};

static CALIBRATION: std::sync::OnceLock<Calibration> = std::sync::OnceLock::new();

/// Where the measurement of the counter's frequency began.
#[derive(Debug)]
struct Calibration {
    ticks: u64,
    instant: Instant,
}

impl HostClock {
    /// The clock; the first call in a process takes two milliseconds to calibrate.
    #[must_use]
    pub fn get() -> Self {
        let clock = Self { anchor: &ANCHOR };
        CALIBRATION.get_or_init(|| {
            let (ticks, instant) = closest_reading(Instant::now);
            let start = Calibration { ticks, instant };
            if counter::is_steady() {
                std::thread::sleep(FIRST_CALIBRATION);
                clock.anchor_from(&start, FIRST_AGE);
                ANCHOR.uses_counter.store(true, Ordering::Release);
            }
            start
        });
        clock
    }

    /// Now, in ticks of unknown length; see [`to_unix_nanos`](Self::to_unix_nanos).
    #[inline]
    #[must_use]
    pub fn ticks(self) -> u64 {
        if self.anchor.uses_counter.load(Ordering::Relaxed) { counter::read() } else { system_nanos() }
    }

    /// The Unix time of a moment that `ticks` named, in nanoseconds.
    #[inline]
    #[must_use]
    pub fn to_unix_nanos(self, ticks: u64) -> u64 {
        if self.anchor.uses_counter.load(Ordering::Relaxed) {
            self.anchor_for(ticks).unix_nanos_at(ticks)
        } else {
            ticks
        }
    }

    /// The Unix times of a span's start and its end, which is now: both by one anchor, so that the end is never before the
    /// start, whatever becomes of the system clock meanwhile.
    #[inline]
    pub(crate) fn interval(self, start: u64, end: u64) -> (u64, u64) {
        if self.anchor.uses_counter.load(Ordering::Relaxed) {
            let anchor = self.anchor_for(end);
            (anchor.unix_nanos_at(start), anchor.unix_nanos_at(end))
        } else {
            (start, end.max(start))
        }
    }

    /// The anchor to convert the newest of some moments by: renewed if it is too old for it.
    #[inline]
    fn anchor_for(self, newest: u64) -> Reading {
        let anchor = self.read_anchor();
        if anchor.distance_to(newest) <= anchor.greatest_age.cast_signed() {
            return anchor;
        }
        self.renew_anchor();
        self.read_anchor()
    }

    #[inline]
    fn read_anchor(self) -> Reading {
        loop {
            let before = self.anchor.sequence.load(Ordering::Acquire);
            let reading = Reading {
                ticks: self.anchor.ticks.load(Ordering::Acquire),
                unix_nanos: self.anchor.unix_nanos.load(Ordering::Acquire),
                nanos_per_tick: self.anchor.nanos_per_tick.load(Ordering::Acquire),
                greatest_age: self.anchor.greatest_age.load(Ordering::Acquire),
            };
            if before.is_multiple_of(2) && self.anchor.sequence.load(Ordering::Relaxed) == before {
                return reading;
            }
            std::hint::spin_loop();
        }
    }

    /// Takes a new anchor from the system clock, so that later spans follow its corrections.
    #[cold]
    fn renew_anchor(self) {
        if let Some(calibration) = CALIBRATION.get() {
            self.anchor_from(calibration, calibration.instant.elapsed().clamp(FIRST_AGE, GREATEST_AGE));
        }
    }

    fn anchor_from(self, start: &Calibration, greatest_age: Duration) {
        let (ticks, unix_nanos) = closest_reading(system_nanos);
        let (now_ticks, now) = closest_reading(Instant::now);
        let elapsed = now.duration_since(start.instant).as_nanos().max(1);
        let elapsed_ticks = u128::from(now_ticks.wrapping_sub(start.ticks)).max(1);
        let nanos_per_tick = u64::try_from((elapsed << SHIFT) / elapsed_ticks).unwrap_or(u64::MAX);
        let greatest_age = u64::try_from(greatest_age.as_nanos() * elapsed_ticks / elapsed).unwrap_or(u64::MAX);
        let anchor = self.anchor;
        let before = anchor.sequence.load(Ordering::Relaxed);
        // Whoever finds the number odd lost the race; the winner's anchor is as good.
        if before % 2 == 1
            || anchor.sequence.compare_exchange(before, before + 1, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        anchor.ticks.store(ticks, Ordering::Release);
        anchor.unix_nanos.store(unix_nanos, Ordering::Release);
        anchor.nanos_per_tick.store(nanos_per_tick, Ordering::Release);
        anchor.greatest_age.store(greatest_age, Ordering::Release);
        anchor.sequence.store(before + 2, Ordering::Release);
    }
}

impl Clock for HostClock {
    fn unix_nanos(&self) -> Option<u64> {
        Some(self.to_unix_nanos(self.ticks()))
    }
}

/// Ticks and the time that `clock` says at one moment: the best of a few attempts, as the scheduler may strike between the
/// reads.
fn closest_reading<T>(clock: impl Fn() -> T) -> (u64, T) {
    let attempt = || {
        let before = counter::read();
        let time = clock();
        let width = counter::read().wrapping_sub(before);
        (width, before.wrapping_add(width / 2), time)
    };
    let mut best = attempt();
    for _ in 0..7 {
        let next = attempt();
        if next.0 < best.0 {
            best = next;
        }
    }
    (best.1, best.2)
}

fn system_nanos() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "x86_64")]
mod counter {
    //! The time-stamp counter of x86-64.

    #[inline]
    pub(super) fn read() -> u64 {
        // SAFETY: RDTSC exists on every x86-64 processor and has no precondition.
        #[expect(unsafe_code, reason = "the instruction has no safe wrapper")]
        unsafe {
            core::arch::x86_64::_rdtsc()
        }
    }

    /// Whether the counter ticks at one rate on all cores. On Linux the kernel has checked that; elsewhere the processor
    /// says whether it is invariant.
    pub(super) fn is_steady() -> bool {
        if cfg!(target_os = "linux") {
            return std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                .is_ok_and(|source| source.trim() == "tsc");
        }
        let highest = core::arch::x86_64::__cpuid(0x8000_0000).eax;
        highest >= 0x8000_0007 && core::arch::x86_64::__cpuid(0x8000_0007).edx & (1 << 8) != 0
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    //! No counter: the system clock is used.

    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn is_steady() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_system_clock() {
        let clock = HostClock::get();
        for _ in 0..3 {
            let before = system_nanos();
            let now = clock.unix_nanos().unwrap();
            let after = system_nanos();
            let tolerance = 200_000;
            assert!(now + tolerance >= before && now <= after + tolerance, "{before} {now} {after}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A parent's start is converted after its child's, by a newer anchor; it must not seem to begin later for that.
    #[test]
    fn a_moment_keeps_its_time_from_anchor_to_anchor() {
        let clock = HostClock::get();
        let moment = clock.ticks();
        let first = clock.to_unix_nanos(moment);
        for pause in [3, 10, 50, 200] {
            std::thread::sleep(Duration::from_millis(pause));
            clock.unix_nanos();
            let again = clock.to_unix_nanos(moment);
            assert!(again.abs_diff(first) < 100_000, "{} ns apart after {pause} ms", again.abs_diff(first));
        }
    }

    #[test]
    fn moments_before_the_anchor_convert_too() {
        let clock = HostClock::get();
        let start = clock.ticks();
        std::thread::sleep(Duration::from_millis(5));
        clock.renew_anchor();
        let elapsed = clock.to_unix_nanos(clock.ticks()) - clock.to_unix_nanos(start);
        assert!((5_000_000..500_000_000).contains(&elapsed), "{elapsed}");
    }
    /// A span that outlives its anchor ends by a new one; were its start still told by the old one, a correction of the
    /// system clock in between would make it end before it began.
    #[test]
    fn a_span_never_ends_before_it_began() {
        if !counter::is_steady() {
            return;
        }
        // Renewing needs the first measurement.
        assert!(HostClock::get().ticks() > 0);
        let now = counter::read();
        let anchor: &'static Anchor = Box::leak(Box::new(Anchor {
            uses_counter: AtomicBool::new(true),
            sequence: AtomicU64::new(0),
            ticks: AtomicU64::new(now),
            // The system clock was ten seconds ahead.
            unix_nanos: AtomicU64::new(system_nanos() + 10_000_000_000),
            nanos_per_tick: AtomicU64::new(1 << SHIFT),
            greatest_age: AtomicU64::new(1000),
        }));
        let (start, end) = HostClock { anchor }.interval(now + 500, now + 5000);
        assert!(end >= start, "{start} {end}");
        assert!(anchor.unix_nanos.load(Ordering::Relaxed) < system_nanos() + 1_000_000_000, "the anchor was renewed");
    }

    #[test]
    fn without_a_counter_a_correction_makes_no_span_negative() {
        static PLAIN: Anchor = Anchor {
            uses_counter: AtomicBool::new(false),
            sequence: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            unix_nanos: AtomicU64::new(0),
            nanos_per_tick: AtomicU64::new(0),
            greatest_age: AtomicU64::new(0),
        };
        assert_eq!(HostClock { anchor: &PLAIN }.interval(900, 400), (900, 900));
        assert_eq!(HostClock { anchor: &PLAIN }.interval(400, 900), (400, 900));
    }
}
