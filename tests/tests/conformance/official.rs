//! The official messages (`opentelemetry-proto`), to and from the model.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as trace, span};

use crate::model;

pub(crate) use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;

/// Reads; `None` if an id has not its width or is all zero, which a model cannot say.
pub(crate) fn read(request: &ExportTraceServiceRequest) -> Option<model::Request> {
    let resource_spans = request.resource_spans.iter().map(|group| {
        let resource = group.resource.clone().unwrap_or_default();
        Some(model::ResourceSpans {
            attributes: attributes(&resource.attributes),
            dropped_attributes: resource.dropped_attributes_count,
            schema_url: group.schema_url.clone(),
            scope_spans: group.scope_spans.iter().map(scope_spans).collect::<Option<_>>()?,
        })
    });
    Some(model::Request { resource_spans: resource_spans.collect::<Option<_>>()? })
}

fn scope_spans(group: &trace::ScopeSpans) -> Option<model::ScopeSpans> {
    let scope = group.scope.clone().unwrap_or_default();
    Some(model::ScopeSpans {
        name: scope.name,
        version: scope.version,
        attributes: attributes(&scope.attributes),
        dropped_attributes: scope.dropped_attributes_count,
        schema_url: group.schema_url.clone(),
        spans: group.spans.iter().map(span).collect::<Option<_>>()?,
    })
}

fn span(span: &trace::Span) -> Option<model::Span> {
    let status = span.status.clone().unwrap_or_default();
    let parent = span.parent_span_id.as_slice();
    Some(model::Span {
        trace_id: id(&span.trace_id)?,
        span_id: id(&span.span_id)?,
        parent_span_id: if parent.is_empty() || parent == [0; 8] { None } else { Some(id(parent)?) },
        trace_state: span.trace_state.clone(),
        flags: span.flags,
        name: span.name.clone(),
        kind: number_below(span.kind, 6),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        attributes: attributes(&span.attributes),
        dropped_attributes: span.dropped_attributes_count,
        events: span.events.iter().map(event).collect(),
        dropped_events: span.dropped_events_count,
        links: span.links.iter().map(link).collect::<Option<_>>()?,
        dropped_links: span.dropped_links_count,
        status_code: number_below(status.code, 3),
        status_message: status.message,
    })
}

fn event(event: &span::Event) -> model::Event {
    model::Event {
        time: event.time_unix_nano,
        name: event.name.clone(),
        attributes: attributes(&event.attributes),
        dropped_attributes: event.dropped_attributes_count,
    }
}

fn link(link: &span::Link) -> Option<model::Link> {
    Some(model::Link {
        trace_id: id(&link.trace_id)?,
        span_id: id(&link.span_id)?,
        trace_state: link.trace_state.clone(),
        flags: link.flags,
        attributes: attributes(&link.attributes),
        dropped_attributes: link.dropped_attributes_count,
    })
}

fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok().filter(|id| *id != [0; N])
}

fn number_below(number: i32, end: u8) -> u8 {
    u8::try_from(number).ok().filter(|number| *number < end).unwrap_or(0)
}

fn attributes(pairs: &[KeyValue]) -> model::Attributes {
    pairs.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref()))).collect()
}

fn value(value: Option<&AnyValue>) -> model::Value {
    match value.and_then(|value| value.value.as_ref()) {
        // The last belongs to the profiles signal only, and has no meaning in traces.
        None | Some(Any::StringValueStrindex(_)) => model::Value::Empty,
        Some(Any::StringValue(text)) => model::Value::Str(text.clone()),
        Some(Any::BoolValue(truth)) => model::Value::Bool(*truth),
        Some(Any::IntValue(number)) => model::Value::I64(*number),
        Some(Any::DoubleValue(number)) => model::Value::F64(number.to_bits()),
        Some(Any::BytesValue(bytes)) => model::Value::Bytes(bytes.clone()),
        Some(Any::ArrayValue(list)) => {
            model::Value::List(list.values.iter().map(|item| self::value(Some(item))).collect())
        }
        Some(Any::KvlistValue(map)) => model::Value::Map(attributes(&map.values)),
    }
}

/// Writes what a model says as official messages.
pub(crate) fn write(request: &model::Request) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest { resource_spans: request.resource_spans.iter().map(write_resource_spans).collect() }
}

fn write_resource_spans(group: &model::ResourceSpans) -> trace::ResourceSpans {
    trace::ResourceSpans {
        resource: Some(Resource {
            attributes: write_attributes(&group.attributes),
            dropped_attributes_count: group.dropped_attributes,
            entity_refs: Vec::new(),
        }),
        scope_spans: group
            .scope_spans
            .iter()
            .map(|group| trace::ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: group.name.clone(),
                    version: group.version.clone(),
                    attributes: write_attributes(&group.attributes),
                    dropped_attributes_count: group.dropped_attributes,
                }),
                spans: group.spans.iter().map(write_span).collect(),
                schema_url: group.schema_url.clone(),
            })
            .collect(),
        schema_url: group.schema_url.clone(),
    }
}

fn write_span(span: &model::Span) -> trace::Span {
    trace::Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent_span_id.map_or_else(Vec::new, |id| id.to_vec()),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind.into(),
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: write_attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: span
            .events
            .iter()
            .map(|event| span::Event {
                time_unix_nano: event.time,
                name: event.name.clone(),
                attributes: write_attributes(&event.attributes),
                dropped_attributes_count: event.dropped_attributes,
            })
            .collect(),
        dropped_events_count: span.dropped_events,
        links: span
            .links
            .iter()
            .map(|link| span::Link {
                trace_id: link.trace_id.to_vec(),
                span_id: link.span_id.to_vec(),
                trace_state: link.trace_state.clone(),
                attributes: write_attributes(&link.attributes),
                dropped_attributes_count: link.dropped_attributes,
                flags: link.flags,
            })
            .collect(),
        dropped_links_count: span.dropped_links,
        status: Some(trace::Status { message: span.status_message.clone(), code: span.status_code.into() }),
    }
}

fn write_attributes(pairs: &model::Attributes) -> Vec<KeyValue> {
    pairs
        .iter()
        .map(|(key, value)| KeyValue { key: key.clone(), value: Some(write_value(value)), key_strindex: 0 })
        .collect()
}

fn write_value(value: &model::Value) -> AnyValue {
    AnyValue {
        value: match value {
            model::Value::Empty => None,
            model::Value::Bool(truth) => Some(Any::BoolValue(*truth)),
            model::Value::I64(number) => Some(Any::IntValue(*number)),
            model::Value::F64(bits) => Some(Any::DoubleValue(f64::from_bits(*bits))),
            model::Value::Str(text) => Some(Any::StringValue(text.clone())),
            model::Value::Bytes(bytes) => Some(Any::BytesValue(bytes.clone())),
            model::Value::List(items) => {
                Some(Any::ArrayValue(ArrayValue { values: items.iter().map(write_value).collect() }))
            }
            model::Value::Map(pairs) => Some(Any::KvlistValue(KeyValueList { values: write_attributes(pairs) })),
        },
    }
}
