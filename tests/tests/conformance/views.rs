//! Core's views, read into the model.

use clewline_core::{Attributes, EventView, LinkView, RequestView, ScopeSpansView, SpanId, SpanView, ValueView};

use crate::model;

/// Reads; `None` if a span's ids are invalid.
pub(crate) fn request(request: &RequestView<'_>) -> Option<model::Request> {
    let resource_spans = request.resource_spans().map(|group| {
        Some(model::ResourceSpans {
            attributes: attributes(group.resource().attributes()),
            dropped_attributes: group.resource().dropped_attributes_count(),
            schema_url: group.schema_url().to_owned(),
            scope_spans: group.scope_spans().map(scope_spans).collect::<Option<_>>()?,
        })
    });
    Some(model::Request { resource_spans: resource_spans.collect::<Option<_>>()? })
}

fn scope_spans(group: ScopeSpansView<'_>) -> Option<model::ScopeSpans> {
    let scope = group.scope();
    Some(model::ScopeSpans {
        name: scope.name().to_owned(),
        version: scope.version().to_owned(),
        attributes: attributes(scope.attributes()),
        dropped_attributes: scope.dropped_attributes_count(),
        schema_url: group.schema_url().to_owned(),
        spans: group.spans().map(|span| Some(self::span(&span.ok()?.1))).collect::<Option<_>>()?,
    })
}

pub(crate) fn span(span: &SpanView<'_>) -> model::Span {
    model::Span {
        trace_id: span.trace_id().to_bytes(),
        span_id: span.span_id().to_bytes(),
        parent_span_id: span.parent_span_id().map(SpanId::to_bytes),
        trace_state: span.trace_state().to_owned(),
        flags: span.flags(),
        name: span.name().to_owned(),
        kind: span.kind() as u8,
        start: span.start_time_unix_nano(),
        end: span.end_time_unix_nano(),
        attributes: attributes(span.attributes()),
        dropped_attributes: span.dropped_attributes_count(),
        events: span.events().map(event).collect(),
        dropped_events: span.dropped_events_count(),
        links: span.links().map(link).collect(),
        dropped_links: span.dropped_links_count(),
        status_code: span.status().code as u8,
        status_message: span.status().message.to_owned(),
    }
}

fn event(event: EventView<'_>) -> model::Event {
    model::Event {
        time: event.time_unix_nano(),
        name: event.name().to_owned(),
        attributes: attributes(event.attributes()),
        dropped_attributes: event.dropped_attributes_count(),
    }
}

fn link(link: LinkView<'_>) -> model::Link {
    model::Link {
        trace_id: link.trace_id().to_bytes(),
        span_id: link.span_id().to_bytes(),
        trace_state: link.trace_state().to_owned(),
        flags: link.flags(),
        attributes: attributes(link.attributes()),
        dropped_attributes: link.dropped_attributes_count(),
    }
}

fn attributes(attributes: Attributes<'_>) -> model::Attributes {
    attributes.map(|(key, value)| (key.to_owned(), self::value(value))).collect()
}

fn value(value: ValueView<'_>) -> model::Value {
    match value {
        ValueView::Empty => model::Value::Empty,
        ValueView::Bool(truth) => model::Value::Bool(truth),
        ValueView::I64(number) => model::Value::I64(number),
        ValueView::F64(number) => model::Value::F64(number.to_bits()),
        ValueView::Str(text) => model::Value::Str(text.to_owned()),
        ValueView::Bytes(bytes) => model::Value::Bytes(bytes.to_owned()),
        ValueView::List(list) => model::Value::List(list.iter().map(self::value).collect()),
        ValueView::Map(map) => model::Value::Map(attributes(map)),
        other => panic!("a value type that the model does not know: {other:?}"),
    }
}
