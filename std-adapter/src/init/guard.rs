//! `Guard`: keeps tracing alive, changes it while it runs, and ends it in good order.

use std::fmt;
use std::time::Duration;

#[cfg(feature = "tracing")]
use super::filter::ChangeableFilter;
#[cfg(feature = "tracing")]
use crate::config::FilterConfig;
use crate::config::{SamplerConfig, SamplerError};
use crate::exporter::{MemoryExporter, TimedOut};
#[cfg(feature = "tracing")]
use crate::layer::OpenSpans;
use crate::pipeline::{Ledger, Pipeline};
use crate::sampler;
use crate::stderr::say;

/// Keeps tracing alive. Dropped at the end of `main`, it sends what is left, for five seconds at most unless
/// [`shutdown_timeout`](crate::TracingConfig::shutdown_timeout) says otherwise.
#[must_use = "tracing ends when the guard is dropped: keep it in a variable such as `_guard` until the end of main"]
pub struct Guard {
    pub(super) pipeline: Option<&'static Pipeline>,
    pub(super) memory: Option<MemoryExporter>,
    pub(super) shutdown_timeout: Duration,
    /// Whether anything is said on stderr.
    pub(super) reports: bool,
    #[cfg(feature = "tracing")]
    pub(super) filter: Option<ChangeableFilter>,
}

/// There is no filter to be changed: the program has a `tracing` subscriber of its own.
#[cfg(feature = "tracing")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no filter to be changed: the program has a `tracing` subscriber of its own")]
pub struct NoFilter;

impl Guard {
    /// The pipeline; `None` if tracing is disabled (`OTEL_SDK_DISABLED`).
    #[must_use]
    pub fn pipeline(&self) -> Option<&'static Pipeline> {
        self.pipeline
    }

    /// What the exporter `memory` keeps, the last 10,000 spans, if it is one of those configured.
    #[must_use]
    pub fn memory(&self) -> Option<&MemoryExporter> {
        self.memory.as_ref()
    }

    /// Has another sampler decide about the spans that start from now on, on every thread.
    ///
    /// # Errors
    /// A sampler that cannot work with what it is given. The one before stays.
    pub fn set_sampler(&self, sampler: &SamplerConfig) -> Result<(), SamplerError> {
        sampler.check()?;
        if let Some(pipeline) = self.pipeline {
            pipeline.set_own_sampler(sampler::build(sampler));
        }
        Ok(())
    }

    /// Records the spans and events of other targets and levels from now on: what `RUST_LOG` would say. Spans that are open
    /// stay as they are.
    ///
    /// # Errors
    /// There is no filter to be changed.
    #[cfg(feature = "tracing")]
    pub fn set_filter(&self, filter: &FilterConfig) -> Result<(), NoFilter> {
        self.filter.as_ref().map(|changeable| changeable.set(filter)).ok_or(NoFilter)
    }

    /// What became of every span so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.pipeline.map(Pipeline::ledger).unwrap_or_default()
    }

    /// Sends everything that has ended so far and waits for the outcome. Blocks the calling thread.
    ///
    /// # Errors
    /// The outcome was not known within `timeout`; sending goes on.
    pub fn flush(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.pipeline.map_or(Ok(()), |pipeline| pipeline.flush(timeout))
    }

    /// Sends what is left and ends tracing, within `timeout` whatever the collector does.
    ///
    /// # Errors
    /// The exporter thread did not end in time.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), TimedOut> {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> Result<(), TimedOut> {
        let Some(pipeline) = self.pipeline.take() else { return Ok(()) };
        #[cfg(feature = "tracing")]
        let open = crate::layer::open_spans(pipeline);
        let result = pipeline.shutdown(timeout);
        #[cfg(feature = "tracing")]
        if self.reports {
            report_open(&open, pipeline.options().exports_open_spans);
        }
        result
    }
}

/// Says once which spans were open.
#[cfg(feature = "tracing")]
fn report_open(open: &OpenSpans, are_exported: bool) {
    let OpenSpans { count, names } = open;
    if *count > 0 {
        let (spans, were) = if *count == 1 { ("span", "was") } else { ("spans", "were") };
        let outcome = if are_exported { "ended by it" } else { "not exported" };
        let names = names.join(", ");
        say(format_args!("clewline: {count} {spans} {were} still open at shutdown and {were} {outcome}: {names}"));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.end(self.shutdown_timeout)
            && self.reports
        {
            say(format_args!("clewline: at shutdown, {error}"));
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Guard").field("ledger", &self.ledger()).finish_non_exhaustive()
    }
}
