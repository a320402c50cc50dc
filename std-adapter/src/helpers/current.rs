//! Short forms for what is done to the current span.

use std::error::Error;

use clewline_core::{Attribute, SpanId, SpanKind, Status, TraceId, Value};

use super::own_tracer;
use crate::{ToValue, Tracer, current_context, current_span};

/// The trace that this thread is in, whichever door its span came through.
#[must_use]
pub fn current_trace_id() -> Option<TraceId> {
    current_context().map(|context| context.trace_id())
}

/// The span that this thread is in, whichever door it came through.
#[must_use]
pub fn current_span_id() -> Option<SpanId> {
    current_context().map(|context| context.span_id())
}

/// The tracer of an instrumentation scope, a crate or module, from the registry that all threads share: the same as
/// [`tracer`](crate::tracer).
#[must_use]
pub fn get_tracer(name: &str) -> Tracer {
    crate::tracer(name)
}

/// Records on the current span that something happened now.
///
/// ```
/// clewline::helpers::span_event("cache.miss", &[("cache.key", "cart:42".into())]);
/// ```
pub fn span_event(name: &str, attributes: &[Attribute<'_>]) {
    current_span().event_with(name, attributes);
}

/// Sets an attribute of the current span.
pub fn span_attribute<'v>(key: &str, value: impl Into<Value<'v>>) {
    current_span().set(key, value);
}

/// Sets an attribute of the current span whose value takes work to find: `value` runs only if the span is recorded.
///
/// ```
/// # let statement = ["SELECT", "1"];
/// clewline::helpers::span_attribute_with("db.query.text", || statement.join(" "));
/// ```
pub fn span_attribute_with<V: ToValue>(key: &str, value: impl FnOnce() -> V) {
    current_span().set_with(key, value);
}

/// Judges the outcome of the current span. `Ok` is final.
pub fn span_status(status: Status<'_>) {
    current_span().set_status(status);
}

/// Records an error of the current span with its sources: the event `exception`, `error.type`, and the status `Error` unless
/// somebody has judged. The type is that of the error, unless it is a trait object.
///
/// ```
/// if let Err(error) = "x".parse::<u32>() {
///     clewline::helpers::record_error(&error);
/// }
/// ```
pub fn record_error<E: Error + ?Sized>(error: &E) {
    current_span().record_error(error);
}

/// Like [`record_error`], with a type of the caller's: a short name from a small set, such as `timeout`.
pub fn record_error_as<E: Error + ?Sized>(error: &E, error_type: &str) {
    current_span().record_error_as(error, error_type);
}

/// Runs `work` within a span, which ends afterwards, also if `work` panics. [`with_span`](super::with_span) does the same for
/// futures.
pub fn in_span<R>(name: &str, kind: SpanKind, work: impl FnOnce() -> R) -> R {
    own_tracer().span(name).kind(kind).start().in_scope(work)
}
