//! A request with everything OTLP has, in the official messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// 2026-01-02 03:04:05.123456789 UTC.
pub(crate) const START: u64 = 1_767_323_045_123_456_789;

pub(crate) fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub(crate) fn text(text: &str) -> AnyValue {
    value(Value::StringValue(text.to_owned()))
}

pub(crate) fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// Two spans: a SERVER span with everything, and its CLIENT child in another scope.
pub(crate) fn request() -> ExportTraceServiceRequest {
    let array = ArrayValue { values: vec![text("a"), value(Value::IntValue(2)), value(Value::DoubleValue(f64::NAN))] };
    let map = KeyValueList { values: vec![attribute("inner", value(Value::BytesValue(vec![1, 2, 255])))] };
    let server = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0x01; 8],
        parent_span_id: vec![0x0f; 8],
        trace_state: "vendor=1".to_owned(),
        flags: 0x301,
        name: "GET /cart".to_owned(),
        kind: 2,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 12_345_678,
        attributes: vec![
            attribute("text", text("quote \" and \u{1} and é")),
            attribute("truth", value(Value::BoolValue(false))),
            attribute("integer", value(Value::IntValue(i64::MIN))),
            attribute("double", value(Value::DoubleValue(1.5))),
            attribute("bytes", value(Value::BytesValue(vec![0, 255]))),
            attribute("array", value(Value::ArrayValue(array))),
            attribute("map", value(Value::KvlistValue(map))),
            attribute("empty", text("")),
            attribute("nothing", AnyValue::default()),
        ],
        events: vec![
            Event { time_unix_nano: START + 1000, name: "cache.miss".to_owned(), ..Event::default() },
            Event {
                time_unix_nano: START + 2000,
                name: "retry".to_owned(),
                attributes: vec![attribute("attempt", value(Value::IntValue(2))), attribute("why", text("timeout"))],
                dropped_attributes_count: 4,
            },
        ],
        links: vec![Link {
            trace_id: vec![0xcd; 16],
            span_id: vec![0x0c; 8],
            trace_state: "other=2".to_owned(),
            attributes: vec![attribute("reason", text("batch"))],
            dropped_attributes_count: 5,
            flags: 0x101,
        }],
        status: Some(Status { code: 2, message: "no such cart".to_owned() }),
        dropped_attributes_count: 1,
        dropped_events_count: 2,
        dropped_links_count: 3,
    };
    let client = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0x02; 8],
        parent_span_id: vec![0x01; 8],
        name: "SELECT".to_owned(),
        kind: 3,
        start_time_unix_nano: START + 1_000_000,
        end_time_unix_nano: START + 1_000_999,
        attributes: vec![attribute("peer.service", text("database"))],
        status: Some(Status { code: 1, ..Status::default() }),
        ..Span::default()
    };
    let scope = |name: &str, version: &str, attributes| InstrumentationScope {
        name: name.to_owned(),
        version: version.to_owned(),
        attributes,
        dropped_attributes_count: 0,
    };
    let spans = |scope, span| ScopeSpans { scope: Some(scope), spans: vec![span], schema_url: String::new() };
    let resource = Resource {
        attributes: vec![
            attribute("service.name", text("shop")),
            attribute("service.namespace", text("eu")),
            attribute("process.pid", value(Value::IntValue(42))),
        ],
        dropped_attributes_count: 6,
        ..Resource::default()
    };
    let scopes = vec![
        spans(scope("cart", "1.2.3", vec![attribute("scope.kind", text("lib"))]), server),
        spans(scope("sql", "", Vec::new()), client),
    ];
    let resource_spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: scopes,
        schema_url: "https://schema.example".to_owned(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}
