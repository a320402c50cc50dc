//! `Exchange`: the server span of one request, from its arrival to the end of the response's body.

use std::error::Error;
use std::fmt;

use clewline_core::Status;
use http::StatusCode;
use tracing::Span;

use super::TARGET;
use crate::SpanExt as _;

/// Holds the span and records how the exchange went. Dropped before it is [complete](Self::complete), it records that too.
#[derive(Debug)]
pub(super) struct Exchange {
    span: Span,
    is_complete: bool,
}

impl Exchange {
    pub(super) fn new(span: Span) -> Self {
        Self { span, is_complete: false }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// The head of the response is known. Only the server's own failures make the span an error (semantic conventions,
    /// "HTTP server: status"), and the status code says all there is to say.
    pub(super) fn response(&self, status: StatusCode) {
        self.span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.span.record("error.type", status.as_str());
            self.span.set_status(Status::error(""));
        }
    }

    /// The service or the body failed: the client gets no response, or not all of it.
    pub(super) fn failed(&mut self, error: &dyn fmt::Display) {
        self.span.record("error.type", "_OTHER");
        let error: &dyn Error = &Shown(error);
        self.span.record_error(error);
        self.is_complete = true;
    }

    /// Everything was handed over.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        if std::thread::panicking() {
            self.span.record("error.type", "panic");
            self.span.set_status(Status::error("the handler panicked"));
        } else {
            // Whoever drops a response half-way has no more use for it: mostly because the client has gone.
            self.span.in_scope(|| {
                tracing::info!(target: TARGET, "response cancelled: the client disconnected or a time limit passed");
            });
        }
    }
}

/// Lets everything that can be shown be recorded as an error; boxed errors are none themselves.
struct Shown<'a>(&'a dyn fmt::Display);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Shown<'_> {}
