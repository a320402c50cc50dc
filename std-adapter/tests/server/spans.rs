//! Requests made of the official OTLP messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

/// The start of every span, plus the offset it is given: a time whose nanoseconds do not fit a double.
pub(crate) const EPOCH: u64 = 1_700_000_000_000_000_001;

/// The id of trace number `number`.
pub(crate) fn trace_id(number: u8) -> [u8; 16] {
    [number; 16]
}

/// The id of trace number `number` in hex.
pub(crate) fn trace_hex(number: u8) -> String {
    format!("{number:02x}").repeat(16)
}

/// A span of trace `trace` with id `id`, a child of `parent` unless that is 0, from `start` to `end` in milliseconds.
pub(crate) fn span(trace: u8, id: u64, parent: u64, name: &str, start: u64, end: u64) -> Span {
    Span {
        trace_id: trace_id(trace).to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: EPOCH + start * 1_000_000,
        end_time_unix_nano: EPOCH + end * 1_000_000,
        ..Span::default()
    }
}

/// An error status.
pub(crate) fn failed(message: &str) -> Option<Status> {
    Some(Status { code: 2, message: message.to_owned() })
}

/// An attribute.
pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A text attribute.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// The spans of one service.
pub(crate) fn service(name: &str, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![text("service.name", name), text("host.name", &format!("host-of-{name}"))],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "tests".to_owned(),
                version: "1.2".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

/// The bytes of a request.
pub(crate) fn request(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}
