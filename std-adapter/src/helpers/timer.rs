//! `Timer`: how long something took, as an attribute of the current span.

use std::borrow::Cow;
use std::time::Duration;

use crate::time::Instant;
use crate::{CurrentSpan, current_span};

/// Measures how long something takes and sets the result, in seconds, as an attribute of the span that was current when it
/// began. For what is too small for a span of its own; [`timed!`](crate::timed) and [`measure`] are shorter.
///
/// ```
/// use clewline::helpers::Timer;
/// let timer = Timer::start("db.pool.wait");
/// // … wait for a connection
/// let waited = timer.stop();
/// ```
#[must_use = "the time is taken when the timer is stopped or dropped: keep it in a variable"]
#[derive(Debug)]
pub struct Timer {
    key: Cow<'static, str>,
    begin: Instant,
    /// `None` once it has been recorded.
    span: Option<CurrentSpan>,
}

impl Timer {
    /// Starts to measure for the attribute `key`.
    pub fn start(key: impl Into<Cow<'static, str>>) -> Self {
        Self { key: key.into(), span: Some(current_span()), begin: Instant::now() }
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Stops, records, and answers the time.
    #[expect(clippy::must_use_candidate, reason = "what is recorded is the effect")]
    pub fn stop(mut self) -> Duration {
        self.record()
    }

    fn record(&mut self) -> Duration {
        let elapsed = self.elapsed();
        if let Some(span) = self.span.take() {
            span.set(&self.key, elapsed.as_secs_f64());
        }
        elapsed
    }
}

impl Drop for Timer {
    /// Stops and records.
    fn drop(&mut self) {
        self.record();
    }
}

/// Runs `work` and sets how long it took, in seconds, as the attribute `key` of the current span.
///
/// ```
/// let total: u32 = clewline::helpers::measure("cart.sum.duration", || (1..100).sum());
/// ```
pub fn measure<R>(key: impl Into<Cow<'static, str>>, work: impl FnOnce() -> R) -> R {
    let _timer = Timer::start(key);
    work()
}

/// Evaluates an expression and sets how long it took, in seconds, as an attribute of the current span. Unlike with
/// [`measure`](crate::helpers::measure), the expression may contain `?`, `return` and `.await`.
///
/// ```
/// # async fn connect() -> Result<u32, std::io::Error> { Ok(7) }
/// async fn query() -> Result<u32, std::io::Error> {
///     let connection = clewline::timed!("db.pool.wait", connect().await?);
///     Ok(connection)
/// }
/// ```
#[macro_export]
macro_rules! timed {
    ($key:expr, $work:expr $(,)?) => {{
        let timer = $crate::helpers::Timer::start($key);
        let result = $work;
        timer.stop();
        result
    }};
}
