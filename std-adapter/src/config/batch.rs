//! How finished spans are collected into requests: the `OTEL_BSP_*` variables.

use std::time::Duration;

use super::environment::{Environment, Show};
use super::setting::{Setting, Source, Warning};

/// Spans in one request where nobody says otherwise.
const DEFAULT_EXPORT_BATCH_SIZE: usize = 512;

/// How finished spans are collected into requests (`trace/sdk.md`, "Batching processor").
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchConfig {
    /// The longest a finished span waits for more before it is exported.
    pub schedule_delay: Setting<Duration>,
    /// The longest that exporting one batch may take, whatever the exporter; `None` is no limit.
    pub export_timeout: Setting<Option<Duration>>,
    /// Spans kept waiting; more are dropped and counted.
    pub max_queue_size: Setting<usize>,
    /// Spans in one request at most.
    pub max_export_batch_size: Setting<usize>,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            schedule_delay: Setting::default(Duration::from_millis(5000)),
            export_timeout: Setting::default(Some(Duration::from_secs(30))),
            max_queue_size: Setting::default(2048),
            max_export_batch_size: Setting::default(DEFAULT_EXPORT_BATCH_SIZE),
        }
    }
}

impl BatchConfig {
    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        const BATCH_SIZE: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        environment.milliseconds(&["OTEL_BSP_SCHEDULE_DELAY"], &mut self.schedule_delay);
        environment.timeout(&["OTEL_BSP_EXPORT_TIMEOUT"], &mut self.export_timeout);
        environment.count(&["OTEL_BSP_MAX_QUEUE_SIZE"], 1, &mut self.max_queue_size);
        let queue_size = *self.max_queue_size.get();
        environment.read(&[BATCH_SIZE], Show::Value, &mut self.max_export_batch_size, |text, _| match text.parse() {
            Ok(size) if (1..=queue_size).contains(&size) => Ok(size),
            _ => Err(format!("not a whole number from 1 to the queue size, {queue_size}")),
        });
        self.fit(&mut environment.warnings);
    }

    /// Takes every setting that `other` has from somebody.
    #[cfg(feature = "declarative")]
    pub(super) fn overlay(&mut self, other: &Self) {
        self.schedule_delay.overlay(other.schedule_delay.clone());
        self.export_timeout.overlay(other.export_timeout.clone());
        self.max_queue_size.overlay(other.max_queue_size.clone());
        self.max_export_batch_size.overlay(other.max_export_batch_size.clone());
        // The default follows the queue, and nothing is to be said of it twice.
        self.fit(&mut Vec::new());
    }

    /// A batch cannot hold more than the queue: the default follows a smaller queue, any other size is cut with a warning.
    pub(super) fn fit(&mut self, warnings: &mut Vec<Warning>) {
        let queue_size = *self.max_queue_size.get();
        let (size, source) = (*self.max_export_batch_size.get(), self.max_export_batch_size.source());
        if source == Source::Default {
            self.max_export_batch_size = Setting::default(DEFAULT_EXPORT_BATCH_SIZE.min(queue_size));
        } else if size > queue_size {
            let problem = format!("more than the queue holds; {queue_size} is used");
            warnings.push(Warning::new("batch.max_export_batch_size", Some(&size.to_string()), problem));
            self.max_export_batch_size = Setting::new(queue_size, source);
        }
    }
}
