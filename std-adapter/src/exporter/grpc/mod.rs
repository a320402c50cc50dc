//! OTLP over gRPC (OTLP specification, "OTLP/gRPC"): the encoded request in a frame, over HTTP/2 with a runtime of our own.
//!
//! Built on hyper, not on a gRPC framework: of those, `tonic` panics over a malformed `grpc-status-details-bin`, cannot tell an
//! answer that is too long from a collector's own OUT_OF_RANGE, and brings its load balancer along. One unary call is a frame of
//! five bytes and three headers.

mod answer;
mod connection;
mod message;
mod stop;

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::runtime::{Builder, Runtime};

use self::connection::Connector;
use self::message::Frame;
use self::stop::Stop;
use super::advice::{Spoken, with_advice};
use super::response::with_address;
use super::target::{Target, split_user, without_credentials};
use super::{ExportOutcome, ExporterError, REQUEST_LIMIT, Request, SpanExporter};
use crate::config::OtlpConfig;

/// Sends OTLP requests over gRPC and keeps the connection open between them.
///
/// The runtime it needs runs on the thread that exports, and only while it exports, so the application needs none and its own
/// is not touched. For the same reason [`export`](SpanExporter::export) must not be called from async code. Proxies of the
/// environment are not used.
#[derive(Debug)]
pub struct OtlpGrpcExporter {
    connector: Connector,
    metadata: HeaderMap,
    shown_url: String,
    frame: Frame,
    stop: Arc<Stop>,
    /// Made by the first attempt.
    runtime: Option<Runtime>,
}

impl OtlpGrpcExporter {
    /// An exporter as `config` says. Connects with the first request, not here.
    ///
    /// # Errors
    /// As [`with_target`](Self::with_target).
    pub fn new(config: &OtlpConfig) -> Result<Self, ExporterError> {
        Self::with_target(&config.into())
    }

    /// An exporter to `target`. Of its URL only scheme, host and port matter: the path is the service's. Without a scheme,
    /// [`Target::insecure`] decides whether TLS is used; without a port it is 443, or 80 where there is no TLS.
    /// Connects with the first request, not here.
    ///
    /// # Errors
    /// An address without a host, a header that gRPC does not take, or TLS files that cannot be used.
    pub fn with_target(target: &Target) -> Result<Self, ExporterError> {
        Ok(Self {
            connector: Connector::new(target)?,
            metadata: metadata(target)?,
            shown_url: without_credentials(&target.url),
            frame: Frame::new(target.compression),
            stop: Arc::default(),
            runtime: None,
        })
    }

    fn attempt(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            none => match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => none.insert(runtime),
                Err(error) => return retryable(&format!("no runtime: {error}")),
            },
        };
        let frame = match self.frame.fill(request) {
            Ok(frame) => frame,
            Err(error) => return retryable(&error.to_string()),
        };
        let call = self.connector.call(&self.metadata, self.frame.compression(), frame, deadline);
        let result = runtime.block_on(self.stop.or_until(deadline, call));
        match result {
            Ok(Ok(answer)) => answer.outcome(),
            Ok(Err(failure)) => failure.outcome(),
            Err(cut) => {
                // Nobody knows what became of the request; the connection may be a dead one.
                self.connector.disconnect();
                retryable(cut)
            }
        }
    }
}

impl SpanExporter for OtlpGrpcExporter {
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let bytes = request.size();
        if bytes > REQUEST_LIMIT {
            return ExportOutcome::TooLarge { bytes, limit: REQUEST_LIMIT };
        }
        let outcome = self.attempt(request, deadline);
        with_address(with_advice(outcome, &self.shown_url, Spoken::Grpc), &self.shown_url)
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let stop = Arc::clone(&self.stop);
        Some(Box::new(move || stop.stop()))
    }

    fn shutdown(&mut self) {
        self.connector.disconnect();
        if let Some(runtime) = self.runtime.take() {
            // A look-up of a name that goes on must not keep us.
            runtime.shutdown_background();
        }
    }
}

impl Drop for OtlpGrpcExporter {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Headers as metadata. Names that begin with `grpc-` are the protocol's own (gRPC over HTTP/2, "Custom-Metadata").
fn metadata(target: &Target) -> Result<HeaderMap, ExporterError> {
    let mut metadata = HeaderMap::with_capacity(target.headers.len());
    for header in &target.headers {
        let name = HeaderName::from_bytes(header.name().as_bytes()).map_err(|_| ExporterError::Header)?;
        let value = HeaderValue::from_str(header.value()).map_err(|_| ExporterError::Header)?;
        if name.as_str().starts_with("grpc-") {
            return Err(ExporterError::Header);
        }
        metadata.append(name, value);
    }
    if let (_, Some(user)) = split_user(&target.url) {
        metadata.entry(AUTHORIZATION).or_insert(HeaderValue::from_str(&user).map_err(|_| ExporterError::Header)?);
    }
    Ok(metadata)
}

fn retryable(reason: &str) -> ExportOutcome {
    ExportOutcome::Retryable { after: None, reason: reason.to_owned() }
}
