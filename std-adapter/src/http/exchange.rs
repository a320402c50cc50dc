//! `Exchange`: the span of one request, from its start to the end of the response's body, on either side.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use clewline_core::Status;
use http::{HeaderMap, StatusCode};
use tracing::Span;

use super::options::{self, Shared};
use super::{TARGET, grpc};
use crate::SpanExt as _;
use crate::current::Place;
use crate::grpc_status::GrpcStatus;
use crate::propagation::{Context, ContextGuard};

/// Who looks at the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Whoever sent the request.
    Client,
    /// Whoever answers it.
    Server,
}

/// Holds the span and records how the exchange went. Dropped before it is [complete](Self::complete), it records that too.
#[derive(Debug)]
pub(super) struct Exchange {
    span: Span,
    side: Side,
    options: Shared,
    /// The method of a gRPC call.
    method: Option<Box<str>>,
    /// What is handed on where the span is not recorded by anyone.
    passing: Option<Arc<Context>>,
    is_complete: bool,
}

impl Exchange {
    pub(super) const fn new(span: Span, side: Side, options: Shared) -> Self {
        Self { span, side, options, method: None, passing: None, is_complete: false }
    }

    /// Notes that this is a gRPC call.
    pub(super) fn set_grpc_method(&mut self, method: &str) {
        self.method = Some(method.into());
    }

    /// Passes on what arrived, if the span has no context of its own to hand on.
    pub(super) fn pass_on(&mut self, context: Context) {
        if !context.is_empty() && self.span.hand_on().is_empty() {
            self.passing = Some(Arc::new(context));
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn options(&self) -> &Shared {
        &self.options
    }

    /// Makes what is passed on current, for as long as the service or the body works.
    pub(super) fn attach(&self) -> Option<ContextGuard> {
        self.passing.as_ref().map(|context| ContextGuard::enter(Place::Attached(Arc::clone(context))))
    }

    /// The head of the response is known.
    ///
    /// Only the server's own failures make its span an error, and to the client all from 400 are (semantic conventions, "HTTP
    /// spans: status"); the status code says all there is to say.
    pub(super) fn response(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.span.record("http.response.status_code", status.as_u16());
        options::record_response(&self.options, &self.span, headers);
        if self.method.is_some() {
            if GrpcStatus::read(headers).is_some() {
                self.trailers(headers);
            } else if status != StatusCode::OK {
                self.end_call(GrpcStatus::of_http(status), None);
            }
            return;
        }
        if status.is_server_error() || self.side == Side::Client && status.is_client_error() {
            self.span.record("error.type", status.as_str());
            self.span.set_status(Status::error(""));
        }
    }

    /// The trailers of the body.
    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        if let Some(status) = GrpcStatus::read(trailers) {
            self.end_call(status, Some(trailers));
        }
    }

    /// The service or the body failed: the client gets no response, or not all of it.
    pub(super) fn failed(&mut self, error: &dyn fmt::Display) {
        self.span.record("error.type", "_OTHER");
        let error: &dyn Error = &Shown(error);
        self.span.record_error(error);
        self.is_complete = true;
    }

    /// Everything was handed over. A gRPC call that ended without a status is a broken one.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
        if self.method.is_some() {
            self.end_call(GrpcStatus::UNKNOWN, None);
        }
    }

    /// Records the status of a gRPC call; the first counts.
    fn end_call(&mut self, status: GrpcStatus, headers: Option<&HeaderMap>) {
        if let Some(method) = self.method.take() {
            grpc::record(&self.span, self.side, status, headers);
            if self.side == Side::Server {
                grpc::hide_unknown_method(&self.span, status, &method);
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        if std::thread::panicking() {
            self.span.record("error.type", "panic");
            let message = if self.side == Side::Server { "the handler panicked" } else { "the program panicked" };
            self.span.set_status(Status::error(message));
            return;
        }
        self.end_call(GrpcStatus::CANCELLED, None);
        // Whoever drops a response half-way has no more use for it: mostly because the client has gone.
        self.span.in_scope(|| match self.side {
            Side::Server => {
                tracing::info!(target: TARGET, "response cancelled: the client disconnected or a time limit passed");
            }
            Side::Client => tracing::info!(target: TARGET, "request cancelled: it was dropped before its end"),
        });
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
