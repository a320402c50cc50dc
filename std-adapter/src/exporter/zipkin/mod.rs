//! Spans as Zipkin v2 JSON (specification, `trace/sdk_exporters/zipkin.md`).

mod span;
mod tags;

use std::time::{Instant, SystemTime};

use clewline_core::RequestView;
use serde::ser::{SerializeSeq as _, Serializer as _};

use self::span::ZipkinSpan;
use super::http::{self, Client};
use super::joined::Joined;
use super::response::with_address;
use super::target::Target;
use super::{ExportOutcome, ExporterError, REQUEST_LIMIT, Request, SpanExporter};

/// Posts spans to a Zipkin server, or to anything that takes its v2 JSON, and keeps the connection open between requests.
///
/// What Zipkin has no place for travels as tags: status, scope, resource attributes, dropped counts, tracestate
/// (`w3c.tracestate`) and links (`otlp.link.0`, as the OpenTelemetry Collector writes and reads them). Times are cut to
/// microseconds. Zipkin lowers the case of service and span names.
#[derive(Debug)]
pub struct ZipkinExporter {
    client: Client,
    joined: Joined,
    json: Vec<u8>,
}

impl ZipkinExporter {
    /// Where a Zipkin server listens unless somebody told it otherwise.
    pub const DEFAULT_URL: &str = "http://localhost:9411/api/v2/spans";

    /// An exporter to `target`, whose URL is used as it is. Connects with the first request, not here.
    ///
    /// # Errors
    /// A URL that cannot be posted to, or TLS files that cannot be used.
    pub fn new(target: &Target) -> Result<Self, ExporterError> {
        Ok(Self { client: Client::new(target)?, joined: Joined::default(), json: Vec::new() })
    }

    fn attempt(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let view = match self.joined.parse(request) {
            Ok(view) => view,
            Err(outcome) => return outcome,
        };
        self.json.clear();
        let rejected = match write(&view, &mut self.json) {
            Ok(Written { spans: 0, rejected }) => return super::all_but(rejected),
            Ok(Written { rejected, .. }) => rejected,
            Err(error) => return ExportOutcome::Rejected { reason: error.to_string() },
        };
        let bytes = self.json.len();
        if bytes > REQUEST_LIMIT {
            return ExportOutcome::TooLarge { bytes, limit: REQUEST_LIMIT };
        }
        let body = [self.json.as_slice()];
        match self.client.post("application/json", &Request::new(&body, request.spans()), deadline) {
            Ok(answer) => match answer.plain_outcome(SystemTime::now()) {
                ExportOutcome::Delivered => super::all_but(rejected),
                other => other,
            },
            Err(error) => http::failure(&error),
        }
    }
}

impl SpanExporter for ZipkinExporter {
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let outcome = self.attempt(request, deadline);
        with_address(outcome, self.client.shown_url())
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        Some(self.client.interrupter())
    }
}

struct Written {
    spans: u64,
    /// Spans with an invalid id, which Zipkin would refuse together with all others.
    rejected: u64,
}

/// Writes all spans of a request as one JSON array.
fn write(request: &RequestView<'_>, out: &mut Vec<u8>) -> Result<Written, serde_json::Error> {
    let mut written = Written { spans: 0, rejected: 0 };
    let mut serializer = serde_json::Serializer::new(out);
    let mut list = serializer.serialize_seq(None)?;
    for resource in request.resource_spans() {
        for scope in resource.scope_spans() {
            for span in scope.spans() {
                let Ok((_, span)) = span else {
                    written.rejected += 1;
                    continue;
                };
                list.serialize_element(&ZipkinSpan { span, scope: scope.scope(), resource: resource.resource() })?;
                written.spans += 1;
            }
        }
    }
    list.end()?;
    Ok(written)
}
