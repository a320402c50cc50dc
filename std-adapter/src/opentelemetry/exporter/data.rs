//! `SpanData`, as `opentelemetry_sdk`'s exporters expect it, from views.

use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use clewline_core::{Attributes, EventView, LinkView, ResourceSpansView, ScopeSpansView, SpanView, StatusCode};
use opentelemetry::trace::{Event, Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::value::owned;

/// Bit 9 of OTLP's flags: the context is known to be remote.
const IS_REMOTE: u32 = 0x200;

pub(super) fn resource(group: &ResourceSpansView<'_>) -> Resource {
    let attributes = attributes(group.resource().attributes());
    match group.schema_url() {
        "" => Resource::builder_empty().with_attributes(attributes),
        url => Resource::builder_empty().with_schema_url(attributes, url.to_owned()),
    }
    .build()
}

/// The spans of one resource. All of them were written by this process, so none has an invalid id.
pub(super) fn batch(group: &ResourceSpansView<'_>) -> Vec<SpanData> {
    let mut batch = Vec::new();
    for group in group.scope_spans() {
        let scope = scope(&group);
        batch.extend(group.spans().filter_map(Result::ok).map(|(_, span)| span_data(&span, scope.clone())));
    }
    batch
}

fn scope(group: &ScopeSpansView<'_>) -> InstrumentationScope {
    let scope = group.scope();
    let mut builder =
        InstrumentationScope::builder(scope.name().to_owned()).with_attributes(attributes(scope.attributes()));
    if !scope.version().is_empty() {
        builder = builder.with_version(scope.version().to_owned());
    }
    if !group.schema_url().is_empty() {
        builder = builder.with_schema_url(group.schema_url().to_owned());
    }
    builder.build()
}

fn span_data(span: &SpanView<'_>, instrumentation_scope: InstrumentationScope) -> SpanData {
    let mut events = SpanEvents::default();
    events.events = span.events().map(|event| event_data(&event)).collect();
    events.dropped_count = span.dropped_events_count();
    let mut links = SpanLinks::default();
    links.links = span.links().map(|link| link_data(&link)).collect();
    links.dropped_count = span.dropped_links_count();
    let status = span.status();
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(span.trace_id().to_bytes()),
            SpanId::from_bytes(span.span_id().to_bytes()),
            flags(span.flags()),
            false,
            trace_state(span.trace_state()),
        ),
        parent_span_id: span.parent_span_id().map_or(SpanId::INVALID, |id| SpanId::from_bytes(id.to_bytes())),
        parent_span_is_remote: span.flags() & IS_REMOTE != 0,
        span_kind: match span.kind() {
            clewline_core::SpanKind::Server => SpanKind::Server,
            clewline_core::SpanKind::Client => SpanKind::Client,
            clewline_core::SpanKind::Producer => SpanKind::Producer,
            clewline_core::SpanKind::Consumer => SpanKind::Consumer,
            clewline_core::SpanKind::Internal | clewline_core::SpanKind::Unspecified => SpanKind::Internal,
        },
        name: span.name().to_owned().into(),
        start_time: time(span.start_time_unix_nano()),
        end_time: time(span.end_time_unix_nano()),
        attributes: attributes(span.attributes()),
        dropped_attributes_count: span.dropped_attributes_count(),
        events,
        links,
        status: match status.code {
            StatusCode::Unset => Status::Unset,
            StatusCode::Ok => Status::Ok,
            StatusCode::Error => Status::error(status.message.to_owned()),
        },
        instrumentation_scope,
    }
}

fn event_data(event: &EventView<'_>) -> Event {
    let attributes = attributes(event.attributes());
    Event::new(event.name().to_owned(), time(event.time_unix_nano()), attributes, event.dropped_attributes_count())
}

fn link_data(link: &LinkView<'_>) -> Link {
    let context = SpanContext::new(
        TraceId::from_bytes(link.trace_id().to_bytes()),
        SpanId::from_bytes(link.span_id().to_bytes()),
        flags(link.flags()),
        link.flags() & IS_REMOTE != 0,
        trace_state(link.trace_state()),
    );
    Link::new(context, attributes(link.attributes()), link.dropped_attributes_count())
}

fn attributes(attributes: Attributes<'_>) -> Vec<KeyValue> {
    attributes.map(|(key, value)| KeyValue::new(key.to_owned(), owned(&value))).collect()
}

fn flags(flags: u32) -> TraceFlags {
    TraceFlags::new(flags.to_le_bytes()[0])
}

/// A list that OpenTelemetry does not accept is left out.
fn trace_state(list: &str) -> TraceState {
    TraceState::from_str(list).unwrap_or(TraceState::NONE)
}

fn time(unix_nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(unix_nanos)
}
