//! OTLP over HTTP, with protobuf or JSON bodies, on a blocking client (`protocol/exporter.md`; OTLP specification, "OTLP/HTTP").

mod addresses;
mod answer;
mod client;
mod status_line;
mod tcp;

use std::time::{Instant, SystemTime};

pub(super) use self::client::{Client, failure};
use super::advice::{Spoken, with_advice};
use super::json::JsonRequest;
use super::response::with_address;
use super::{ExportOutcome, ExporterError, REQUEST_LIMIT, Request, SpanExporter, Target};
use crate::config::{OtlpConfig, Protocol};

/// How bodies of OTLP over HTTP are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpEncoding {
    /// `application/x-protobuf`: the bytes that spans were recorded in.
    #[default]
    Protobuf,
    /// `application/json`: three to four times the bytes, for receivers that read nothing else.
    Json,
}

/// Posts OTLP requests to one URL and keeps the connection open between them.
///
/// Redirects are not followed: spans and credentials go to the configured host only. The proxy variables of the
/// environment are honoured except for loopback addresses.
#[derive(Debug)]
pub struct OtlpHttpExporter {
    client: Client,
    encoding: HttpEncoding,
    json: JsonRequest,
}

impl OtlpHttpExporter {
    /// An exporter as `config` says. Connects with the first request, not here.
    ///
    /// # Errors
    /// As [`with_target`](Self::with_target).
    pub fn new(config: &OtlpConfig) -> Result<Self, ExporterError> {
        let encoding = match config.protocol.get() {
            Protocol::HttpJson => HttpEncoding::Json,
            _ => HttpEncoding::Protobuf,
        };
        Self::with_target(&config.into(), encoding)
    }

    /// An exporter to `target`, whose URL is used as it is. Connects with the first request, not here.
    ///
    /// # Errors
    /// A URL that cannot be posted to, or TLS files that cannot be used.
    pub fn with_target(target: &Target, encoding: HttpEncoding) -> Result<Self, ExporterError> {
        Ok(Self { client: Client::new(target)?, encoding, json: JsonRequest::default() })
    }

    fn attempt(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let answer = match self.encoding {
            HttpEncoding::Protobuf => self.client.post("application/x-protobuf", request, deadline),
            HttpEncoding::Json => match self.json.encode(request) {
                Ok(json) => self.client.post("application/json", &Request::new(&[json], request.spans()), deadline),
                Err(outcome) => return outcome,
            },
        };
        match answer {
            Ok(answer) => answer.outcome(SystemTime::now()),
            Err(error) => failure(&error),
        }
    }
}

impl SpanExporter for OtlpHttpExporter {
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let bytes = request.size();
        if bytes > REQUEST_LIMIT {
            return ExportOutcome::TooLarge { bytes, limit: REQUEST_LIMIT };
        }
        let outcome = self.attempt(request, deadline);
        let url = self.client.shown_url();
        with_address(with_advice(outcome, url, Spoken::Http), url)
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        Some(self.client.interrupter())
    }
}
