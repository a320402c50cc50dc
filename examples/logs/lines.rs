//! Where lines go: `tracing`'s and the `log` crate's, with ids on each.

use std::io::Write as _;

use clewline::log::{CorrelatedLog, json, text};
use tracing::Dispatch;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;

/// Spans go to Clewline, and lines beside them to `writer`.
pub(crate) fn subscriber<W>(writer: W, is_json: bool) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines =
        if is_json { lines.json().map_event_format(json).boxed() } else { lines.map_event_format(text).boxed() };
    Dispatch::new(tracing_subscriber::registry().with(clewline::layer()).with(lines.with_filter(LevelFilter::INFO)))
}

/// What libraries log through the `log` crate.
pub(crate) fn logger<W>(writer: W) -> impl log::Log
where
    W: for<'w> MakeWriter<'w> + Send + Sync,
{
    CorrelatedLog::new(Plain(writer))
}

/// A logger, as `env_logger` is one.
struct Plain<W>(W);

impl<W: for<'w> MakeWriter<'w> + Send + Sync> log::Log for Plain<W> {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{:>5} {}: {}\n", record.level(), record.target(), record.args());
        // Where lines cannot be written, there is nobody to tell.
        let _ = self.0.make_writer().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}
