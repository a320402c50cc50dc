//! Distributed tracing that needs neither `std` nor an allocator: contexts, spans that write themselves as OTLP, samplers.
//!
//! A [`Span`] is a small typed header and a body of bytes. Names, attributes, events and links are appended to the body in
//! the form in which they will leave ([`Otlp`] protobuf), so ending a span copies it into a [`Batch`], and exporting a batch
//! means putting an [`Envelope`] in front. Whoever wants structure reads it through a [`SpanView`].
//!
//! # What it promises
//! - `no_std` always, no allocator, no globals, no clock and no randomness of its own: the host lends them through
//!   [`Clock`], [`IdSource`] and [`Storage`].
//! - Nothing is lost silently: every refusal is counted, and the counts travel in OTLP's `dropped_*` fields.
//! - Parsing never panics, whatever arrives, and says which rule was broken.
//!
//! # What it does not do
//! Export anything, keep a current span, or touch a thread: that is the adapters' part (`clewline` on servers,
//! `clewline-wasm` in browsers).
//!
//! ```
//! use clewline_core::{AlwaysOn, LocalSink, ManualClock, RandomIds, SpanKind, Status, Tracer, traceparent::Traceparent};
//!
//! let tracer = Tracer::new(ManualClock::new(0), RandomIds::from_seed([1, 2]), AlwaysOn, LocalSink::<512, 4096>::new());
//! let mut span = tracer.span("read sensor").kind(SpanKind::Internal).start();
//! span.set("sensor.id", 7).set("sensor.value", 21.5);
//! span.set_status(Status::error("out of range"));
//! assert_eq!(Traceparent::new(span.context()).as_str().len(), 55);
//! span.end();
//! tracer.sink().with_batch(|batch| assert_eq!(batch.len(), 1));
//! ```
#![no_std]

#[cfg(test)]
extern crate std;

mod batch;
mod bytes;
mod clock;
mod context;
pub mod direct;
mod entry;
mod envelope;
mod error;
mod form;
mod found;
#[cfg(feature = "frame")]
pub mod frame;
mod header;
mod hex;
mod id;
mod intern;
#[cfg(feature = "serde")]
pub mod json;
mod kind;
mod limits;
mod postcard;
mod preset;
mod processor;
mod random;
mod sampler;
#[cfg(feature = "serde")]
mod serialize;
#[cfg(feature = "critical-section")]
pub mod shared;
mod span;
mod start;
mod status;
mod storage;
mod tail;
mod ticks;
mod tracer;
mod value;
mod view;
mod wire;

pub use batch::{Batch, InlineBatch};
pub use clock::{Clock, ManualClock, NoClock};
pub use context::{SpanContext, TraceFlags};
pub use entry::EntryBuilder;
pub use envelope::{Envelope, Resource, Scope};
pub use error::{CapacityError, DecodeError, DecodeErrorKind, EncodeError, ProbabilityError};
pub use form::compact::{self, Compact, CompactSpan, CompactSpans, ExpandedSpan, TimeAnchor};
pub use form::value::MAX_VALUE_DEPTH;
pub use form::{Form, Otlp};
pub use found::FoundStrings;
pub use header::HeaderText;
pub use header::{b3, baggage, binary, environment, jaeger, ot, propagation, server_timing, traceparent, tracestate};
pub use id::{SpanId, TraceId};
pub use intern::{StringTable, Strings};
#[doc(hidden)]
pub use intern::{pack, packed_len, packed_text};
pub use kind::SpanKind;
pub use limits::SpanLimits;
pub use postcard::CompactError;
pub use preset::EventPreset;
pub use processor::{ReadWriteSpan, SpanProcessor, Verdict};
pub use random::{CountingIds, IdSource, RandomIds};
pub use sampler::{
    AlwaysOff, AlwaysOn, ComposableSampler, CompositeSampler, ParentBased, ParentDecisions, ParentThreshold,
    ProbabilitySampler, RateLimited, RecordOnly, Rules, Sampler, SamplingDecision, SamplingIntent, SamplingParameters,
    SamplingResult, SamplingRule, TraceIdRatio, TraceStateUpdate, UpdatedTraceState,
};
pub use span::{Header, InlineSpan, Span, SpanCounts, SpanStart};
pub use start::{Link, SpanDecision, SpanRequest};
pub use status::{Status, StatusCode};
pub use storage::{Storage, StorageView};
pub use tail::{InlineTailBuffer, TailBuffer, TailCounts, TailRule};
#[cfg(feature = "embassy-time")]
pub use ticks::EmbassyTicks;
pub use ticks::{TickClock, TickSource};
pub use tracer::{ActiveSpan, LocalSink, LocalSpan, SpanBuilder, SpanSink, Tracer};
pub use value::{Attribute, Value};
pub use view::{
    Attributes, EventView, LinkView, ListView, RequestView, ResourceSpansView, ResourceView, ScopeSpansView, ScopeView,
    SpanView, ValueView,
};
