//! OTLP for hosts where every byte of code counts, such as a page or a small chip: one pass, and lengths are put right afterwards.
//!
//! A [`DirectSpan`] is its own OTLP message from the first moment on, fixed fields included, in memory of fixed size. A
//! [`DirectBatch`] holds ended ones and writes the envelope in front of those that leave, so nothing is copied to make a request.
//! The rules and counts are those of [`Span`](crate::Span); all of it takes some 5 KB of WebAssembly, and what
//! records one span 1.5 KB of a Cortex-M4's flash. What differs:
//!
//! - Texts are bytes that the caller knows to be UTF-8. They are cut between two characters, never read, and not checked.
//! - Keys within one event, link or resource are distinct; the caller sees to that.
//! - The limits are fixed, see [`LIMITS`].
//! - A value that is set again needs room beside the old one before it takes its place.
//! - A context has no tracestate; what a span's is, the host says. There is no view while the span lives.
//!
//! ```
//! use clewline_core::direct::{DirectBatch, DirectSpan, child_of};
//! use clewline_core::{RandomIds, RequestView, SpanKind, StatusCode, TraceIdRatio};
//!
//! let mut batch = DirectBatch::<2048, 256>::new();
//! assert!(batch.describe("sensor-app", "1.0", |buffer, tag| buffer.attribute(tag, b"service.name", |value| value.string(b"sensor"))));
//!
//! let mut span = DirectSpan::<512>::new();
//! let context = child_of(None, &RandomIds::from_seed([7, 9]), TraceIdRatio::ALL);
//! span.start(&context, None, SpanKind::Internal, b"read sensor");
//! span.set(b"sensor.id", |buffer, tag| buffer.attribute(tag, b"sensor.id", |value| value.integer(7)));
//! span.set_status(StatusCode::Error, b"out of range");
//! batch.push(span.end(1_700_000_000_000_000_000, 1_700_000_000_000_000_900));
//!
//! let (request, spans) = batch.take(1024);
//! assert_eq!((spans, RequestView::parse(request).unwrap().resource_spans().count()), (1, 1));
//! ```

mod batch;
mod buffer;
mod span;
mod traceparent;

pub use batch::DirectBatch;
pub use buffer::DirectBuffer;
pub use span::{DirectSpan, child_of};
pub use traceparent::parse_traceparent;

use crate::SpanLimits;

/// How much a span may record: the defaults of OpenTelemetry, with values cut at 2048 characters, so that whatever one of
/// them holds leaves room for others.
pub const LIMITS: SpanLimits = SpanLimits { value_length: 2048, ..SpanLimits::DEFAULT };

/// The most characters of a name, of a span or of an event.
const NAME_LENGTH: u32 = 1024;
