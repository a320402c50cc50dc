//! OTLP over HTTP with protobuf bodies, on a blocking client (`protocol/exporter.md`; OTLP specification, "OTLP/HTTP").

mod answer;

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::time::Instant;

use flate2::write::GzEncoder;
use ureq::http::Uri;
use ureq::{Agent, SendBody};

use self::answer::Answer;
use super::{ExportOutcome, Request, SpanExporter};
use crate::config::{Compression, Header, OtlpConfig};

/// Requests over this size are not sent, counted before compression (OTLP specification, "Request size limit").
const REQUEST_LIMIT: usize = 64 << 20;
/// Answers over this size are an error that is not retried.
const RESPONSE_LIMIT: u64 = 4 << 20;
/// The form that `protocol/exporter.md`, "User Agent", asks for.
const USER_AGENT: &str = concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Posts requests to one URL and keeps the connection open between them.
///
/// Redirects are not followed: spans and credentials go to the configured host only. The proxy variables of the
/// environment are honoured except for loopback addresses.
#[derive(Debug)]
pub struct OtlpHttpExporter {
    agent: Agent,
    uri: Uri,
    /// The URL without what may be a credential.
    shown_url: String,
    headers: Vec<Header>,
    compression: Compression,
    compressed: Vec<u8>,
}

/// Why an exporter could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpHttpExporterError {
    /// The traces URL is not one that can be posted to.
    Url,
}

impl fmt::Display for OtlpHttpExporterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the OTLP traces URL is not an absolute http or https URL"),
        }
    }
}

impl std::error::Error for OtlpHttpExporterError {}

impl OtlpHttpExporter {
    /// An exporter as `config` says. Connects with the first request, not here.
    ///
    /// # Errors
    /// A traces URL that cannot be posted to.
    pub fn new(config: &OtlpConfig) -> Result<Self, OtlpHttpExporterError> {
        let uri: Uri = config.traces_url.get().parse().map_err(|_| OtlpHttpExporterError::Url)?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(OtlpHttpExporterError::Url);
        };
        let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
        let shown_url = format!("{scheme}://{host}{port}{}", uri.path());
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT)
            .max_idle_connections(1);
        if is_loopback(host) {
            agent = agent.proxy(None);
        }
        Ok(Self {
            agent: agent.build().new_agent(),
            uri,
            shown_url,
            headers: config.headers.get().clone(),
            compression: *config.compression.get(),
            compressed: Vec::new(),
        })
    }

    fn post(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> Result<Answer, ureq::Error> {
        let mut builder = self.agent.post(&self.uri).content_type("application/x-protobuf");
        for header in &self.headers {
            builder = builder.header(header.name(), header.value());
        }
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let builder = builder.config().timeout_global(timeout).build();
        let mut response = match self.compression {
            Compression::None => {
                builder.header("content-length", request.size()).send(SendBody::from_reader(&mut request.reader()))?
            }
            Compression::Gzip => {
                self.compressed = compress(std::mem::take(&mut self.compressed), request)?;
                builder.header("content-encoding", "gzip").send(&self.compressed)?
            }
        };
        let mut body = Vec::new();
        // One byte more than allowed tells a full answer from one that goes on.
        let complete = response.body_mut().as_reader().take(RESPONSE_LIMIT + 1).read_to_end(&mut body);
        let (parts, _) = response.into_parts();
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: parts.status.as_u16(),
            retry_after: header("retry-after").map(str::to_owned),
            is_protobuf: header("content-type").is_none_or(|kind| kind.starts_with("application/x-protobuf")),
            is_too_long: body.len() as u64 > RESPONSE_LIMIT,
            is_complete: complete.is_ok(),
            body,
        })
    }
}

impl SpanExporter for OtlpHttpExporter {
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let bytes = request.size();
        if bytes > REQUEST_LIMIT {
            return ExportOutcome::TooLarge { bytes, limit: REQUEST_LIMIT };
        }
        let outcome = match self.post(request, deadline) {
            Ok(answer) => answer.outcome(std::time::SystemTime::now()),
            Err(error) if is_permanent(&error) => ExportOutcome::Rejected { reason: error.to_string() },
            Err(error) => ExportOutcome::Retryable { after: None, reason: error.to_string() },
        };
        with_address(outcome, &self.shown_url)
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        // The agent is handed over by value to be shut down, so it is taken out of its place by the first call.
        let agent = Mutex::new(Some(self.agent.clone()));
        Some(Box::new(move || {
            let agent = agent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(agent) = agent {
                agent.shutdown();
            }
        }))
    }
}

/// Errors that the same request would meet again: those of the request itself, and answers that are too long.
/// Everything about connecting, sending and receiving may pass.
fn is_permanent(error: &ureq::Error) -> bool {
    use ureq::Error;
    matches!(
        error,
        Error::BadUri(_)
            | Error::Http(_)
            | Error::InvalidProxyUrl
            | Error::RequireHttpsOnly(_)
            | Error::LargeResponseHeader(..)
            | Error::TooManyRedirects
            | Error::RedirectFailed
    )
}

/// Says in the reason which collector it was.
fn with_address(outcome: ExportOutcome, url: &str) -> ExportOutcome {
    match outcome {
        ExportOutcome::Rejected { reason } => ExportOutcome::Rejected { reason: format!("{url}: {reason}") },
        ExportOutcome::Retryable { after, reason } => {
            ExportOutcome::Retryable { after, reason: format!("{url}: {reason}") }
        }
        ExportOutcome::PartiallyRejected { rejected, message } => {
            ExportOutcome::PartiallyRejected { rejected, message: format!("{url}: {message}") }
        }
        ExportOutcome::Delivered | ExportOutcome::TooLarge { .. } => outcome,
    }
}

/// Compresses the request into `buffer`, for speed rather than size: the spans of one batch repeat themselves a lot.
fn compress(mut buffer: Vec<u8>, request: &Request<'_>) -> std::io::Result<Vec<u8>> {
    buffer.clear();
    let mut encoder = GzEncoder::new(buffer, flate2::Compression::fast());
    for part in request.parts() {
        encoder.write_all(part)?;
    }
    encoder.finish()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}
