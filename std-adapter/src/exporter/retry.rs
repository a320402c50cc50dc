//! When to try again: exponential back-off with jitter, the collector's own wish first, all within a deadline.
//!
//! Pure decisions: time and randomness come in as arguments, nothing sleeps here (`protocol/exporter.md`, "Retry";
//! OTLP specification, "OTLP/HTTP Throttling").

use crate::time::Instant;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The shortest wait, whatever the collector says: `Retry-After: 0` must not become a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// How waits grow from one attempt to the next when the collector does not name one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The middle of the first wait.
    pub initial: Duration,
    /// The middle of the longest wait.
    pub longest: Duration,
    /// How much longer each wait is than the one before it.
    pub factor: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), longest: Duration::from_secs(5), factor: 1.5 }
    }
}

/// What to do after an attempt that may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again at this time.
    RetryAt(Instant),
    /// The next attempt would come after the deadline.
    GiveUp {
        /// When the collector may be tried with something else; `None` is a time that no clock can hold.
        not_before: Option<Instant>,
    },
}

/// The attempts at one collector since it last took or refused something.
///
/// They are counted across requests: a collector that is away is not to be asked faster because there is much to send.
#[derive(Debug)]
pub struct Retry {
    backoff: Backoff,
    attempts: i32,
}

impl Retry {
    /// No attempt has failed yet.
    #[must_use]
    pub const fn new(backoff: Backoff) -> Self {
        Self { backoff, attempts: 0 }
    }

    /// The collector has answered for good: the next wait is a first one again.
    pub const fn settle(&mut self) {
        self.attempts = 0;
    }

    /// Decides after a failed attempt, at the time `now`.
    ///
    /// `asked` is what the collector asked for (`Retry-After`); at least that long is waited. `random` is a number
    /// from 0.0 up to 1.0 and spreads the waits of many processes: a back-off from half to one and a half times its
    /// middle, an asked wait by up to a tenth, at most one second.
    pub fn decide(
        &mut self,
        now: Instant,
        asked: Option<Duration>,
        deadline: Option<Instant>,
        random: f64,
    ) -> Decision {
        let random = random.clamp(0.0, 1.0);
        let wait = match asked {
            Some(asked) => asked.saturating_add((asked / 10).min(Duration::from_secs(1)).mul_f64(random)),
            None => {
                let grown = self.backoff.initial.as_secs_f64() * self.backoff.factor.max(1.0).powi(self.attempts);
                let seconds = grown.min(self.backoff.longest.as_secs_f64()) * (0.5 + random);
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        };
        self.attempts = self.attempts.saturating_add(1);
        let at = now.checked_add(wait.max(SHORTEST_WAIT));
        match at {
            Some(at) if deadline.is_none_or(|deadline| at < deadline) => Decision::RetryAt(at),
            not_before => Decision::GiveUp { not_before },
        }
    }
}

/// Random numbers from 0.0 up to 1.0 that are good enough to spread waits, seeded from the operating system.
pub(super) fn random_numbers() -> impl FnMut() -> f64 + Send {
    let keys = RandomState::new();
    let mut count = 0_u64;
    move || {
        count = count.wrapping_add(1);
        // The upper 32 bits of a hash fit a double exactly.
        let bits = u32::try_from(keys.hash_one(count) >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Backoff, Decision, Retry, random_numbers};

    const MIDDLE: f64 = 0.5;

    fn waits(asked: &[Option<Duration>], random: f64) -> Vec<Duration> {
        let now = Instant::now();
        let mut retry = Retry::new(Backoff::default());
        asked
            .iter()
            .map(|asked| match retry.decide(now, *asked, None, random) {
                Decision::RetryAt(at) => at - now,
                Decision::GiveUp { .. } => panic!("there is no deadline"),
            })
            .collect()
    }

    #[test]
    fn waits_grow_and_stay_below_the_longest() {
        let millis: Vec<_> = waits(&[None; 7], MIDDLE).iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [1000, 1500, 2250, 3375, 5000, 5000, 5000]);
        let many = waits(&[None; 200], MIDDLE);
        assert_eq!(many.last(), Some(&Duration::from_secs(5)), "growth never overflows");
    }

    #[test]
    fn jitter_spreads_a_wait_from_half_to_one_and_a_half() {
        assert_eq!(waits(&[None], 0.0), [Duration::from_millis(500)]);
        assert_eq!(waits(&[None], 1.0), [Duration::from_millis(1500)]);
        assert_eq!(waits(&[None], 7.0), [Duration::from_millis(1500)], "a bad random source is bounded");
    }

    #[test]
    fn what_the_collector_asks_for_is_the_least_that_is_waited() {
        let asked = [1, 30, 0].map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(waits(&asked, 0.0), [1000, 30_000, 100].map(Duration::from_millis));
        assert_eq!(waits(&asked, 1.0), [1100, 31_000, 100].map(Duration::from_millis));
    }

    #[test]
    fn an_attempt_after_the_deadline_is_not_made() {
        let now = Instant::now();
        let deadline = |seconds| Some(now + Duration::from_secs(seconds));
        let asked = Some(Duration::from_secs(10));
        let give_up = |seconds| Decision::GiveUp { not_before: Some(now + Duration::from_secs(seconds)) };
        let mut retry = Retry::new(Backoff::default());
        assert_eq!(retry.decide(now, asked, deadline(10), 0.0), give_up(10));
        assert_eq!(retry.decide(now, asked, deadline(11), 0.0), Decision::RetryAt(now + Duration::from_secs(10)));
        retry.settle();
        assert_eq!(retry.decide(now, None, deadline(0), MIDDLE), give_up(1));
        let forever = retry.decide(now, Some(Duration::MAX), None, 1.0);
        assert_eq!(forever, Decision::GiveUp { not_before: None }, "no such time");
    }

    #[test]
    fn waits_start_anew_when_the_collector_has_answered() {
        let now = Instant::now();
        let mut retry = Retry::new(Backoff::default());
        let first = retry.decide(now, None, None, MIDDLE);
        assert_ne!(retry.decide(now, None, None, MIDDLE), first);
        retry.settle();
        assert_eq!(retry.decide(now, None, None, MIDDLE), first);
    }

    #[test]
    fn random_numbers_cover_their_range() {
        let mut random = random_numbers();
        let numbers: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        for tenth in 0..10_u8 {
            let low = f64::from(tenth) / 10.0;
            assert!(numbers.iter().any(|number| (low..low + 0.1).contains(number)), "{low}");
        }
    }
}
