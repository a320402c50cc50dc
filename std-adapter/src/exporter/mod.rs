//! The road from finished spans to a collector: chunks of encoded spans, requests, retry, and the thread that does it.
//!
//! Spans arrive here already encoded as OTLP. [`Envelope`] puts resource and scopes around them without copying them,
//! a [`SpanExporter`] makes one attempt to deliver a [`Request`], and [`Worker`] owns the exporter on its own thread,
//! collects, retries and keeps the ledger in [`Stats`]. No async runtime of the application is needed: gRPC, which cannot do without
//! one, runs its own on that thread.

#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
mod advice;
mod chunk;
#[cfg(feature = "console")]
mod console;
mod destination;
#[cfg_attr(not(feature = "spool"), path = "no_disk.rs")]
mod disk;
mod envelope;
mod error;
mod exporting;
mod fate;
mod finished;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod hand;
#[cfg(feature = "otlp-http")]
mod http;
pub(crate) mod joined;
#[cfg(any(feature = "otlp-http", feature = "console"))]
mod json;
mod memory;
mod outbox;
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc", feature = "web"))]
mod partial_success;
mod queue;
#[cfg(feature = "spool")]
mod replay;
mod report;
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
mod response;
pub mod retry;
mod settings;
mod stats;
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
mod target;
#[cfg(any(feature = "zipkin", feature = "console", feature = "opentelemetry-sdk"))]
pub(crate) mod text;
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
mod tls;
pub(crate) mod wire;
mod worker;
#[cfg(feature = "zipkin")]
mod zipkin;

use std::io::{self, Read};
use std::time::Duration;

use crate::time::Instant;
pub(crate) use chunk::framed_spans;
pub use chunk::{Chunk, ScopeIndex, SpanMemory};
#[cfg(feature = "console")]
pub use console::{ConsoleExporter, ConsoleFormat};
pub use destination::Destination;
pub use envelope::Envelope;
pub use error::ExporterError;
pub(crate) use fate::Fates;
#[cfg(feature = "spool")]
pub(crate) use fate::{Fate, Parts};
pub use finished::{FinishedEvent, FinishedLink, FinishedResource, FinishedScope, FinishedSpan, OwnedValue};
#[cfg(feature = "otlp-grpc")]
pub use grpc::OtlpGrpcExporter;
#[cfg(feature = "otlp-http")]
pub use http::{HttpEncoding, OtlpHttpExporter};
pub use memory::MemoryExporter;
pub use outbox::{Outbox, OutboxLimits, Parcel};
pub use settings::WorkerSettings;
pub(crate) use stats::{Counters, REJECTED, write_counts};
pub use stats::{DropReason, Dropped, Inherited, Stats};
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
pub use target::Target;
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
pub use tls::{TlsFile, TlsFileProblem, TlsFiles};
pub use worker::{Source, StartError, TimedOut, Worker};
#[cfg(feature = "zipkin")]
pub use zipkin::ZipkinExporter;

/// Requests over this size are not sent, counted before compression (OTLP specification, "Request size limit").
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc", feature = "console"))]
const REQUEST_LIMIT: usize = 64 << 20;

/// Delivers requests to one place. Called from the exporter thread only, so it may block.
pub trait SpanExporter: Send {
    /// Makes one attempt to deliver `request` and says how it ended. Retrying is the caller's part, and so is not to ask for
    /// requests without a span.
    ///
    /// The attempt must end at `deadline`, where there is one.
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome;

    /// A way to cut short an attempt from another thread, used when a shutdown reaches its time limit.
    ///
    /// After the returned function was called no attempt needs to succeed any more.
    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    /// Called once, after the last attempt.
    fn shutdown(&mut self) {}
}

/// How one attempt to deliver a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportOutcome {
    /// Every span was taken.
    Delivered,
    /// The request was taken without `rejected` of its spans. With 0 it is a success with a warning.
    /// Never to be retried (OTLP specification, "Partial Success").
    PartiallyRejected {
        /// Spans that were refused.
        rejected: u64,
        /// The collector's explanation.
        message: String,
    },
    /// The collector will never take this request.
    Rejected {
        /// The collector's explanation.
        reason: String,
    },
    /// The request is over the size limit and was not sent.
    TooLarge {
        /// Size of the request in bytes, before compression; at least, where it was given up while it was written.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The same request may succeed later.
    Retryable {
        /// How long the collector asked to be left alone.
        after: Option<Duration>,
        /// What went wrong.
        reason: String,
    },
}

impl ExportOutcome {
    /// What the body of a good answer to OTLP over HTTP says, an `ExportTraceServiceResponse` in protobuf: that every span was
    /// taken, unless it says otherwise (OTLP specification, "Partial Success"). A body that cannot be read says nothing.
    #[cfg(any(feature = "otlp-http", feature = "otlp-grpc", feature = "web"))]
    #[must_use]
    pub fn from_response(body: &[u8]) -> Self {
        partial_success::partial_success(body).unwrap_or(Self::Delivered)
    }
}

/// The outcome of a request of which `rejected` spans have an id that no receiver takes.
fn all_but(rejected: u64) -> ExportOutcome {
    match rejected {
        0 => ExportOutcome::Delivered,
        _ => ExportOutcome::PartiallyRejected { rejected, message: "spans with an invalid id".to_owned() },
    }
}

/// A complete encoded `ExportTraceServiceRequest`, as slices to be read one after another.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    parts: &'a [&'a [u8]],
    spans: usize,
}

impl<'a> Request<'a> {
    /// A request whose bytes are `parts` in this order and which holds `spans` spans.
    #[must_use]
    pub const fn new(parts: &'a [&'a [u8]], spans: usize) -> Self {
        Self { parts, spans }
    }

    /// The slices that make up the message.
    #[must_use]
    pub const fn parts(&self) -> &'a [&'a [u8]] {
        self.parts
    }

    /// How many spans the message holds.
    #[must_use]
    pub const fn spans(&self) -> usize {
        self.spans
    }

    /// Size of the message in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Reads the message from its beginning.
    #[must_use]
    pub const fn reader(&self) -> RequestReader<'a> {
        RequestReader { parts: self.parts, offset: 0 }
    }
}

/// Reads a [`Request`] as if it were one slice.
#[derive(Clone, Debug)]
pub struct RequestReader<'a> {
    parts: &'a [&'a [u8]],
    offset: usize,
}

impl Read for RequestReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while let Some((part, rest)) = self.parts.split_first() {
            let unread = &part[self.offset..];
            let count = unread.len().min(buffer.len() - written);
            buffer[written..written + count].copy_from_slice(&unread[..count]);
            written += count;
            if count < unread.len() {
                self.offset += count;
                break;
            }
            self.parts = rest;
            self.offset = 0;
        }
        Ok(written)
    }
}
