//! `RateLimited`: so many spans in a time, whatever the load.

use core::cell::Cell;
use core::time::Duration;

use super::{Sampler, SamplingDecision, SamplingParameters, SamplingResult};
use crate::Clock;

/// Samples at most so many spans in a time: a token bucket, which starts full.
///
/// Usually the root of a [`ParentBased`](super::ParentBased) sampler, so that it limits traces and not parts of them. It
/// counts on one thread of execution; `clewline::SharedRateLimited` counts on all threads of a process. While the clock does
/// not know the time, nothing is added to the bucket.
///
/// ```
/// use clewline_core::{ManualClock, ParentBased, RateLimited};
/// use core::time::Duration;
/// let ten_a_minute = ParentBased::new(RateLimited::new(ManualClock::new(0), 10, Duration::from_secs(60)));
/// # let _ = ten_a_minute;
/// ```
#[derive(Clone, Debug)]
pub struct RateLimited<C> {
    clock: C,
    /// What the bucket gains in a nanosecond. A span costs `cost`, so nothing is ever rounded.
    spans: u32,
    cost: u64,
    state: Cell<State>,
    refused: Cell<u32>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    filled_at: Option<u64>,
    content: u64,
}

impl<C: Clock> RateLimited<C> {
    /// `spans` in a `period` of time in the long run; at once no more than `spans`, which is what the bucket holds.
    #[must_use]
    pub fn new(clock: C, spans: u32, period: Duration) -> Self {
        let cost = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
        let state = State { filled_at: clock.unix_nanos(), content: full(spans, cost) };
        Self { clock, spans, cost, state: Cell::new(state), refused: Cell::new(0) }
    }

    /// How many spans it refused since it was made.
    #[must_use]
    pub fn refused(&self) -> u32 {
        self.refused.get()
    }

    fn take(&self) -> bool {
        let State { filled_at, mut content } = self.state.get();
        let now = self.clock.unix_nanos();
        if let (Some(now), Some(filled_at)) = (now, filled_at) {
            // A clock that was set back adds nothing, and counts from there.
            let gained = now.saturating_sub(filled_at).saturating_mul(self.spans.into());
            content = content.saturating_add(gained).min(full(self.spans, self.cost));
        }
        let rest = content.checked_sub(self.cost);
        self.state.set(State { filled_at: now.or(filled_at), content: rest.unwrap_or(content) });
        rest.is_some()
    }
}

fn full(spans: u32, cost: u64) -> u64 {
    u64::from(spans).saturating_mul(cost)
}

impl<C: Clock> Sampler for RateLimited<C> {
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        if self.take() {
            return SamplingDecision::RecordAndSample.into();
        }
        self.refused.set(self.refused.get().saturating_add(1));
        SamplingDecision::Drop.into()
    }

    fn sees_attributes(&self) -> bool {
        false
    }
}
