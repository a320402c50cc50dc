//! Spans, scopes and resources for the tests, made and read with the official OTLP messages.

use std::sync::Arc;

use clewline::exporter::{Chunk, Envelope, ScopeIndex};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

pub(crate) const RESOURCE_SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

/// The resource that [`envelope`] writes, as OTLP has it.
pub(crate) fn resource() -> Resource {
    let value = AnyValue { value: Some(Value::StringValue("shop".to_owned())) };
    let service_name = KeyValue { key: "service.name".to_owned(), value: Some(value), ..KeyValue::default() };
    Resource { attributes: vec![service_name], ..Resource::default() }
}

pub(crate) fn envelope() -> Arc<Envelope> {
    let attributes = [("service.name", clewline::Value::from("shop"))];
    Arc::new(Envelope::new(&clewline_core::Resource { attributes: &attributes, schema_url: RESOURCE_SCHEMA }))
}

pub(crate) fn scope(envelope: &Envelope, name: &str) -> ScopeIndex {
    envelope.scope(&clewline::Scope { name, ..clewline::Scope::default() })
}

/// A chunk with one span for each name.
pub(crate) fn chunk(scope: ScopeIndex, names: &[String]) -> Chunk {
    let mut bytes = Vec::new();
    for name in names {
        let span = Span { name: name.clone(), trace_id: vec![1; 16], span_id: vec![2; 8], ..Span::default() };
        prost::encoding::message::encode(2, &span, &mut bytes);
    }
    Chunk::new(bytes, names.len(), scope)
}

/// The names `prefix-0`, `prefix-1` and so on.
pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}-{index}")).collect()
}

pub(crate) fn decode(body: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(body).expect("a valid OTLP request")
}

/// The names of all spans of a request, in order.
pub(crate) fn span_names(body: &[u8]) -> Vec<String> {
    let request = decode(body);
    let scope_spans = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scope_spans.flat_map(|scope| scope.spans).map(|span| span.name).collect()
}
