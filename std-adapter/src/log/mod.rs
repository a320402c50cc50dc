//! Log correlation: the ids of the current span on every log line, so that a backend finds the lines of a trace and the trace
//! of a line.
//!
//! | a program logs through | feature | what to do |
//! | --- | --- | --- |
//! | `tracing` and `tracing-subscriber`'s `fmt` layer | `fmt` | `.map_event_format(clewline::log::text)`, or `json` |
//! | the `log` crate | `log` | put a [`CorrelatedLog`] around its logger |
//! | the `log` crate, here and there | `log` | [`trace_log!`](crate::trace_log) in place of `log::info!` |
//!
//! Lines outside of every span have no ids. The names are `trace_id` and `span_id`, in JSON also `trace_flags`, all in
//! lower-case hex (OpenTelemetry, "Trace Context in non-OTLP Log Formats"). A span that is not sampled has ids too: they
//! still join the lines of a request.
//!
//! What it does not do: export logs.

#[cfg(feature = "fmt")]
mod format;
#[cfg(feature = "log")]
mod logger;
#[cfg(feature = "fmt")]
mod writer;

use std::fmt;

use clewline_core::SpanContext;

#[cfg(feature = "fmt")]
pub use format::{WithIds, around, json, text};
#[cfg(feature = "log")]
pub use logger::CorrelatedLog;
#[cfg(feature = "log")]
#[doc(hidden)]
pub use logger::write;

#[cfg(all(feature = "log", feature = "tracing"))]
pub(crate) use logger::without_ids;

/// ` trace_id=… span_id=…`, or nothing.
struct Suffix(Option<SpanContext>);

impl fmt::Display for Suffix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(context) => write!(formatter, " trace_id={} span_id={}", context.trace_id(), context.span_id()),
            None => Ok(()),
        }
    }
}
