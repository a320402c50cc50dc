//! `SharedRateLimited`: so many spans in a time, counted by all threads together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Instant;
use clewline_core::{Clock, Sampler, SamplingDecision, SamplingParameters, SamplingResult};

/// The finest time that is counted, in parts of a nanosecond: of these, a counter of 64 bits holds 36 years.
const FINEST: u64 = 16;

/// The longest period, in nanoseconds or their parts: 73 years. What the bucket holds is as long, and has to be added to now.
const LONGEST: u64 = 1 << 61;

/// Samples at most so many spans in a time, whatever the load and on however many threads: a token bucket, which starts full.
///
/// In no stretch of time does it admit more than the bucket holds and what has flowed in meanwhile. Threads share one number
/// and no lock. Usually the root of a [`ParentBased`](clewline_core::ParentBased) sampler, so that it limits traces and not
/// parts of them.
///
/// ```
/// use clewline::SharedRateLimited;
/// use clewline_core::ParentBased;
/// use std::time::Duration;
/// let ten_a_minute = ParentBased::new(SharedRateLimited::new(10, Duration::from_secs(60)));
/// let sampler: clewline::pipeline::SharedSampler = Box::new(ten_a_minute);
/// # drop(sampler);
/// ```
#[derive(Debug)]
pub struct SharedRateLimited<C = SteadyClock> {
    clock: C,
    /// What the clock said at first: times are counted from there, in units.
    origin: u64,
    /// Units in a nanosecond: as many as make the time that one span costs a whole number, where there are few enough.
    units: u64,
    /// What one span costs. Rounded up, so that rounding never admits a span too many.
    cost: u64,
    /// How far ahead of now the bucket may be filled up for one more span to fit.
    ahead: u64,
    /// The bucket, kept as the time at which it would be full again, so that one exchange of one number takes a span out of it
    /// (the generic cell rate algorithm, ITU-T I.371).
    full_at: AtomicU64,
    refused: AtomicU64,
}

impl SharedRateLimited {
    /// `spans` in a `period` of time in the long run; at once no more than `spans`, which is what the bucket holds.
    /// A period of more than 73 years counts as one of those.
    #[must_use]
    pub fn new(spans: u32, period: Duration) -> Self {
        Self::with_clock(SteadyClock::new(), spans, period)
    }

    /// So many spans a second, also less than one; at once a second's worth, and at least one.
    #[must_use]
    pub(super) fn per_second(spans: f64) -> Self {
        Self::per_second_by(SteadyClock::new(), spans)
    }
}

impl<C: Clock> SharedRateLimited<C> {
    /// Like [`new`](SharedRateLimited::new), by another clock, whose times count only as differences. While it does not know
    /// the time, or has been set back and not caught up, nothing flows in.
    #[must_use]
    pub fn with_clock(clock: C, spans: u32, period: Duration) -> Self {
        let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).clamp(1, LONGEST);
        let count = u64::from(spans.max(1));
        // In units of which there are as many in a nanosecond, a span costs a whole number.
        let exact = count / greatest_common_divisor(count, nanos);
        let units = exact.min(FINEST).min(LONGEST / nanos);
        Self::with_cost(clock, units, (nanos * units).div_ceil(count), spans)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a float is cut at the ends of the integer's range, which is what is wanted"
    )]
    fn per_second_by(clock: C, spans: f64) -> Self {
        if spans >= 1.0 && spans <= f64::from(u32::MAX) && spans.fract() == 0.0 {
            return Self::with_clock(clock, spans as u32, Duration::from_secs(1));
        }
        let cost = (1e9 * FINEST as f64 / spans).ceil().max(1.0) as u64;
        Self::with_cost(clock, FINEST, cost, spans.max(1.0) as u32)
    }

    fn with_cost(clock: C, units: u64, cost: u64, at_once: u32) -> Self {
        let origin = clock.unix_nanos().unwrap_or(0);
        let ahead = cost.saturating_mul(at_once.saturating_sub(1).into());
        // A bucket for no span will never be full.
        let full_at = AtomicU64::new(if at_once == 0 { u64::MAX } else { 0 });
        Self { clock, origin, units, cost, ahead, full_at, refused: AtomicU64::new(0) }
    }

    /// How many spans it refused since it was made.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn takes(&self) -> bool {
        let nanos = self.clock.unix_nanos().unwrap_or(0).saturating_sub(self.origin);
        let now = nanos.saturating_mul(self.units);
        // Never set back: a thread that was held up since it read the clock must not fill the bucket for others.
        let take = |full_at: u64| {
            let full_at = full_at.max(now);
            (full_at - now <= self.ahead).then(|| full_at.saturating_add(self.cost))
        };
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl<C: Clock> Sampler for SharedRateLimited<C> {
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        if self.takes() {
            return SamplingDecision::RecordAndSample.into();
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        SamplingDecision::Drop.into()
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}

/// A clock that is never set back. It counts from an unknown moment, so its times are no dates.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    origin: Instant,
}

impl SteadyClock {
    fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn unix_nanos(&self) -> Option<u64> {
        u64::try_from(self.origin.elapsed().as_nanos()).ok()
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::thread;

    use clewline_core::{ManualClock, NoClock};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn taken<C: Clock>(sampler: &SharedRateLimited<C>) -> usize {
        (0..2_000).filter(|_| sampler.takes()).count()
    }

    #[test]
    fn a_rate_holds_a_second_s_worth_and_refills_evenly() {
        // Spans a second; how many are taken at once at first; then per step of time.
        let table = [
            (10.0, 10, vec![(SECOND / 10, 1), (SECOND / 20, 0), (SECOND / 20, 1), (SECOND, 10), (SECOND * 60, 10)]),
            (3.0, 3, vec![(333_333_333, 0), (1, 1), (SECOND, 3)]),
            (1.0, 1, vec![(SECOND / 2, 0), (SECOND / 2, 1)]),
            (0.5, 1, vec![(SECOND, 0), (SECOND, 1), (SECOND * 60, 1)]),
            (2.5, 2, vec![(SECOND * 2 / 5, 1), (SECOND, 2)]),
            (1e-300, 1, vec![(u64::MAX / 16, 0)]),
        ];
        for (rate, at_once, steps) in table {
            let clock = ManualClock::new(1_700_000_000 * SECOND);
            let sampler = SharedRateLimited::per_second_by(&clock, rate);
            assert_eq!(taken(&sampler), at_once, "{rate}");
            for (step, expected) in steps {
                clock.advance(step);
                assert_eq!(taken(&sampler), expected, "{rate} after {step}");
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_what_is_held() {
        let clock = ManualClock::new(5);
        let bucket = |spans, period| SharedRateLimited::with_clock(&clock, spans, period);
        assert_eq!(taken(&bucket(0, Duration::from_secs(1))), 0);
        assert_eq!(taken(&bucket(1_999, Duration::MAX)), 1_999);
        assert_eq!(taken(&bucket(7, Duration::from_secs(60))), 7);
        assert_eq!(taken(&SharedRateLimited::with_clock(NoClock, 7, Duration::from_secs(60))), 7);
        assert_eq!(taken(&SharedRateLimited::new(7, Duration::from_secs(1_000))), 7);
        let sampler = bucket(7, Duration::from_secs(1));
        let parameters = SamplingParameters {
            parent: None,
            trace_state: "",
            trace_id: clewline_core::TraceId::from_bytes([1; 16]).expect("not zero"),
            name: "",
            kind: clewline_core::SpanKind::Internal,
            attributes: &[],
            links: &[],
        };
        let kept = (0..10).filter(|_| sampler.should_sample(&parameters).decision == SamplingDecision::RecordAndSample);
        assert_eq!((kept.count(), sampler.refused()), (7, 3));
    }

    /// In a thousand seconds, exactly what has flowed in; also of rates that no nanosecond divides.
    #[test]
    fn nothing_is_lost_to_rounding() {
        for rate in [1, 3, 7, 10, 13, 16, 999, 1_000] {
            let clock = ManualClock::new(0);
            let sampler = SharedRateLimited::with_clock(&clock, rate, Duration::from_secs(1));
            let mut sum = taken(&sampler);
            for _ in 0..2_000 {
                clock.advance(SECOND / 2);
                sum += taken(&sampler);
            }
            let most = 1_001 * rate as usize;
            // Of 999 a second, each costs up to a sixteenth of a nanosecond too much.
            assert!((most - 1..=most).contains(&sum), "{rate}: {sum}");
        }
        // So many that a span costs hardly more than the finest time: rounded up, never down.
        let clock = ManualClock::new(0);
        let sampler = SharedRateLimited::with_clock(&clock, 1_999, Duration::from_nanos(10_000));
        assert_eq!(taken(&sampler), 1_999);
        clock.advance(5_000);
        assert!((980..=999).contains(&taken(&sampler)));
    }

    /// A clock of several threads, which may each see an earlier time than others have seen.
    #[derive(Debug, Default)]
    struct Ticking(AtomicU64);

    impl Clock for Ticking {
        fn unix_nanos(&self) -> Option<u64> {
            let now = self.0.fetch_add(997, Ordering::Relaxed);
            // One in five is held up between the clock and the bucket.
            Some(if now.is_multiple_of(5) { now.saturating_sub(100 * 997) } else { now })
        }
    }

    #[test]
    fn threads_together_get_no_more_than_one_would() {
        const THREADS: usize = 8;
        const ASKED: usize = 40_000;
        for (spans, period) in [(5, 100_000), (1, 30_000), (1_000, 70_000_000)] {
            let clock = Ticking::default();
            let sampler = SharedRateLimited::with_clock(&clock, spans, Duration::from_nanos(period));
            let ask = || (0..ASKED).filter(|_| sampler.takes()).count();
            let sum = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
            });
            let passed = u128::from(clock.0.load(Ordering::Relaxed));
            let most =
                usize::try_from(u128::from(spans) + passed * u128::from(spans) / u128::from(period)).expect("few");
            // Far more was asked for than there was, so hardly anything can be left.
            assert!(sum <= most && sum > most * 9 / 10, "{sum} of {most}");
        }
    }
}
