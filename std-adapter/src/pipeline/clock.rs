//! The host's clock: processor ticks where they are steady, made into Unix time against anchors that follow the system clock.
//!
//! Reading the time-stamp counter costs a third of a system-clock read. A span keeps the ticks of its start and converts both
//! ends by the same anchor when it ends, so its duration is exact. Whoever finds the anchor too old renews it, so that spans
//! follow corrections of the system clock (NTP) and a rough first measurement of the counter's frequency does no harm.
//! On an EPYC in a virtual machine, 40 seconds long, the two were never more than 25 ns apart, and half the time 1 ns.
//! The counter may go on or begin anew while the computer sleeps or a virtual machine moves; then the measurement begins anew.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once, TryLockError};
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
/// How far the counter and the monotonic clock may be apart between two anchors, besides a five-hundredth of the time: far more
/// than corrections and pauses of the scheduler make.
const TOLERANCE_NANOS: u128 = 5_000_000;

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
    /// Held by the thread that writes.
    calibration: Mutex<Option<Calibration>>,
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

impl Anchor {
    /// Of a clock that does not use the counter, or not yet.
    const fn none() -> Self {
        Self {
            uses_counter: AtomicBool::new(false),
            sequence: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            unix_nanos: AtomicU64::new(0),
            nanos_per_tick: AtomicU64::new(0),
            greatest_age: AtomicU64::new(0),
            calibration: Mutex::new(None),
        }
    }
}

static ANCHOR: Anchor = Anchor::none();
/// Stays as it is.
static NONE: Anchor = Anchor::none();

/// The measurement of the counter's frequency against the monotonic clock.
#[derive(Debug)]
struct Calibration {
    start: Moment,
    last: Moment,
}

/// The same moment on both.
#[derive(Clone, Copy, Debug)]
struct Moment {
    ticks: u64,
    instant: Instant,
}

impl Moment {
    fn now() -> Self {
        let (ticks, instant) = closest_reading(Instant::now);
        Self { ticks, instant }
    }

    /// Nanoseconds and ticks from an earlier moment to this one.
    fn since(&self, earlier: &Self) -> (u128, u128) {
        let nanos = self.instant.duration_since(earlier.instant).as_nanos();
        (nanos, self.ticks.wrapping_sub(earlier.ticks).into())
    }
}

impl Calibration {
    /// Takes note of a moment. Answers nanoseconds per tick and how old an anchor made of it may become, in ticks.
    fn measure(&mut self, now: Moment, known_nanos_per_tick: u64) -> (u64, u64) {
        let (nanos, ticks) = now.since(&self.last);
        let expected = (ticks * u128::from(known_nanos_per_tick)) >> SHIFT;
        let is_torn = known_nanos_per_tick != 0 && expected.abs_diff(nanos) > TOLERANCE_NANOS + nanos / 500;
        self.last = now;
        if is_torn {
            self.start = now;
        }
        let (nanos, ticks) = now.since(&self.start);
        let nanos_per_tick = if is_torn || ticks == 0 {
            known_nanos_per_tick
        } else {
            u64::try_from((nanos << SHIFT) / ticks).unwrap_or(u64::MAX)
        };
        let age = nanos.clamp(FIRST_AGE.as_nanos(), GREATEST_AGE.as_nanos());
        let age = (age << SHIFT) / u128::from(nanos_per_tick.max(1));
        (nanos_per_tick, u64::try_from(age).unwrap_or(u64::MAX))
    }
}

impl HostClock {
    /// The clock; the first call in a process takes two milliseconds to calibrate.
    #[must_use]
    pub fn get() -> Self {
        let clock = Self { anchor: &ANCHOR };
        static BEGIN: Once = Once::new();
        BEGIN.call_once(|| {
            if counter::is_steady() {
                let start = Moment::now();
                // Nobody else is here yet, so the lock is free.
                if let Ok(mut calibration) = ANCHOR.calibration.lock() {
                    *calibration = Some(Calibration { start, last: start });
                }
                std::thread::sleep(FIRST_CALIBRATION);
                clock.renew_anchor();
                ANCHOR.uses_counter.store(true, Ordering::Release);
            }
        });
        clock
    }

    /// The system's clock itself, read anew for every moment.
    #[must_use]
    pub fn system() -> Self {
        Self { anchor: &NONE }
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
            // A counter that began anew meanwhile has forgotten how long it was.
            let start = if end.wrapping_sub(start).cast_signed() < 0 { end } else { start };
            (anchor.unix_nanos_at(start), anchor.unix_nanos_at(end))
        } else {
            (start, end.max(start))
        }
    }

    /// The anchor to convert the newest of some moments by: renewed if it is too old for it, or from before the counter began
    /// anew.
    #[inline]
    fn anchor_for(self, newest: u64) -> Reading {
        let anchor = self.read_anchor();
        if anchor.distance_to(newest).unsigned_abs() <= anchor.greatest_age {
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
        let anchor = self.anchor;
        let mut calibration = match anchor.calibration.try_lock() {
            Ok(calibration) => calibration,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // Whoever holds the lock makes an anchor that is as good.
            Err(TryLockError::WouldBlock) => return,
        };
        let Some(calibration) = calibration.as_mut() else { return };
        let (ticks, unix_nanos) = closest_reading(system_nanos);
        let (nanos_per_tick, greatest_age) =
            calibration.measure(Moment::now(), anchor.nanos_per_tick.load(Ordering::Relaxed));
        let before = anchor.sequence.load(Ordering::Relaxed);
        anchor.sequence.store(before + 1, Ordering::Relaxed);
        // Whoever reads one of these also reads that the number is odd, or a later one.
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

    /// An anchor made at the last moment of a measurement.
    fn anchor(start: Moment, last: Moment, unix_nanos: u64, nanos_per_tick: u64) -> &'static Anchor {
        Box::leak(Box::new(Anchor {
            uses_counter: AtomicBool::new(true),
            sequence: AtomicU64::new(0),
            ticks: AtomicU64::new(last.ticks),
            unix_nanos: AtomicU64::new(unix_nanos),
            nanos_per_tick: AtomicU64::new(nanos_per_tick),
            greatest_age: AtomicU64::new(1_000_000),
            calibration: Mutex::new(Some(Calibration { start, last })),
        }))
    }

    /// While the computer sleeps the monotonic clock stands still; some counters go on, others begin anew.
    #[test]
    fn a_counter_that_went_on_or_began_anew_is_measured_anew() {
        if !counter::is_steady() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
        let known = HostClock::get().read_anchor().nanos_per_tick;
        let now = Moment::now();
        let second = (1_000_000_000_u64 << SHIFT) / known;
        let earlier = now.instant.checked_sub(Duration::from_millis(500)).unwrap();
        for ticks in [now.ticks.wrapping_sub(1000 * second), now.ticks.wrapping_add(1000 * second)] {
            let last = Moment { ticks, instant: earlier };
            let clock = HostClock { anchor: anchor(last, last, system_nanos() - 500_000_000, known) };
            let before = system_nanos();
            let time = clock.unix_nanos().unwrap();
            let after = system_nanos();
            assert!(time + 100_000_000 > before && time < after + 100_000_000, "{before} {time} {after}");
            std::thread::sleep(Duration::from_millis(5));
            clock.renew_anchor();
            let measured = clock.read_anchor().nanos_per_tick;
            assert!(measured.abs_diff(known) < known / 100, "{measured} for {known}");
            let (start, end) = clock.interval(ticks, counter::read());
            assert!(start <= end, "{start} {end}");
        }
    }

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
        let began = Instant::now();
        let start = clock.ticks();
        std::thread::sleep(Duration::from_millis(5));
        clock.renew_anchor();
        let elapsed = Duration::from_nanos(clock.to_unix_nanos(clock.ticks()) - clock.to_unix_nanos(start));
        // However long the machine was busy with something else in between.
        let most = began.elapsed() + Duration::from_millis(1);
        assert!((Duration::from_millis(5)..most).contains(&elapsed), "{elapsed:?} of {most:?}");
    }

    /// A span that outlives its anchor ends by a new one; were its start still told by the old one, a correction of the
    /// system clock in between would make it end before it began.
    #[test]
    fn a_span_never_ends_before_it_began() {
        if !counter::is_steady() {
            return;
        }
        let now = Moment::now();
        // The system clock was ten seconds ahead.
        let anchor = anchor(now, now, system_nanos() + 10_000_000_000, 1 << SHIFT);
        anchor.greatest_age.store(1000, Ordering::Relaxed);
        let now = now.ticks;
        let (start, end) = HostClock { anchor }.interval(now + 500, now + 5000);
        assert!(end >= start, "{start} {end}");
        assert!(anchor.unix_nanos.load(Ordering::Relaxed) < system_nanos() + 1_000_000_000, "the anchor was renewed");
    }

    #[test]
    fn without_a_counter_a_correction_makes_no_span_negative() {
        assert_eq!(HostClock::system().interval(900, 400), (900, 900));
        assert_eq!(HostClock::system().interval(400, 900), (400, 900));
    }
}
