//! `WorkerSettings`: how an exporter thread collects and retries.

use std::fmt;
use std::time::Duration;

use super::retry::Backoff;
use crate::config::TracingConfig;
use crate::stderr::say;
use crate::time::Instant;

/// How the exporter thread works.
pub struct WorkerSettings {
    /// The longest a finished span waits for more before it is exported.
    pub schedule_delay: Duration,
    /// The longest that delivering one batch may take, retries included; `None` is no limit.
    pub export_timeout: Option<Duration>,
    /// Spans that may wait; those of application threads' own buffers are not counted.
    pub max_queue_spans: usize,
    /// Bytes that may wait.
    pub max_queue_bytes: usize,
    /// Spans in one request at most.
    pub max_batch_spans: usize,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// A loss is reported as ended when this long no span was lost and some were delivered.
    pub loss_quiet_time: Duration,
    /// Where the lines about losses go; stderr by default.
    pub report: Box<dyn FnMut(&str) + Send>,
}

impl WorkerSettings {
    /// The settings that `config` asks for.
    #[must_use]
    pub fn new(config: &TracingConfig) -> Self {
        Self {
            schedule_delay: *config.batch.schedule_delay.get(),
            export_timeout: config.export_timeout(),
            max_queue_spans: *config.batch.max_queue_size.get(),
            max_queue_bytes: 64 << 20,
            max_batch_spans: *config.batch.max_export_batch_size.get(),
            backoff: Backoff::default(),
            loss_quiet_time: Duration::from_secs(30),
            report: Box::new(|line| say(format_args!("{line}"))),
        }
    }
}

impl WorkerSettings {
    /// Spans in one request at most: at least one, and no more than may wait.
    pub(crate) fn batch_spans(&self) -> usize {
        self.max_batch_spans.min(self.max_queue_spans).max(1)
    }
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self::new(&TracingConfig::default())
    }
}

impl fmt::Debug for WorkerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSettings")
            .field("schedule_delay", &self.schedule_delay)
            .field("export_timeout", &self.export_timeout)
            .field("max_queue_spans", &self.max_queue_spans)
            .field("max_queue_bytes", &self.max_queue_bytes)
            .field("max_batch_spans", &self.max_batch_spans)
            .finish_non_exhaustive()
    }
}

/// A deadline; a timeout too long for the clock is a day.
pub(super) fn after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400))
}
