//! Spans as the JSON of the query API, written straight from their encoded form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clewline_core::{Attributes, EventView, LinkView, SpanView, ValueView};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use super::store::{StoredSpan, Summary, Trace};

/// The largest integer every JSON reader takes exactly: 2^53.
const EXACT: u64 = 1 << 53;

/// Attributes as a JSON object.
pub(super) struct AttributesJson<'a>(pub(super) Attributes<'a>);

impl Serialize for AttributesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0 {
            map.serialize_entry(key, &ValueJson(value))?;
        }
        map.end()
    }
}

/// A value as JSON: integers beyond 2^53 and numbers JSON does not have as strings, bytes in base64.
pub(super) struct ValueJson<'a>(pub(super) ValueView<'a>);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ValueView::Bool(value) => serializer.serialize_bool(value),
            ValueView::I64(value) if value.unsigned_abs() > EXACT => serializer.collect_str(&value),
            ValueView::I64(value) => serializer.serialize_i64(value),
            ValueView::F64(value) if value.is_finite() => serializer.serialize_f64(value),
            ValueView::F64(value) => serializer.serialize_str(not_finite(value)),
            ValueView::Str(value) => serializer.serialize_str(value),
            ValueView::Bytes(value) => serializer.serialize_str(&STANDARD.encode(value)),
            ValueView::List(list) => {
                let mut sequence = serializer.serialize_seq(None)?;
                for value in list.iter() {
                    sequence.serialize_element(&ValueJson(value))?;
                }
                sequence.end()
            }
            ValueView::Map(attributes) => AttributesJson(attributes).serialize(serializer),
            // The empty value, and kinds that a later core may know and this page does not.
            _ => serializer.serialize_unit(),
        }
    }
}

/// The name of a number that is not finite, as OTLP/JSON spells it.
pub(super) fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// A summary as an element of `GET /api/traces`.
pub(super) struct SummaryJson<'a> {
    /// The trace.
    pub(super) trace: &'a Trace,
    /// Its summary.
    pub(super) summary: &'a Summary,
}

impl Serialize for SummaryJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Root<'a> {
            service: &'a str,
            name: &'a str,
            kind: &'static str,
        }
        let summary = self.summary;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &Text(self.trace.trace_id))?;
        let (service, name) = (&*summary.root_service, &*summary.root_name);
        map.serialize_entry("root", &Root { service, name, kind: summary.root_kind.name() })?;
        map.serialize_entry("root_received", &summary.root_received)?;
        map.serialize_entry("services", &summary.services)?;
        map.serialize_entry("start_time_unix_nano", &Text(summary.start))?;
        map.serialize_entry("duration_ns", &Text(summary.duration))?;
        map.serialize_entry("span_count", &summary.span_count)?;
        map.serialize_entry("error_count", &summary.error_count)?;
        map.end()
    }
}

/// A trace as answered by `GET /api/traces/{trace_id}`.
pub(super) struct TraceJson<'a>(pub(super) &'a Trace);

impl Serialize for TraceJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &Text(self.0.trace_id))?;
        map.serialize_entry("spans", &Each(|| self.0.in_tree_order().into_iter().filter_map(SpanJson::new)))?;
        map.end()
    }
}

struct SpanJson<'a> {
    view: SpanView<'a>,
    service: &'a str,
    resource: &'a RawValue,
    scope: &'a RawValue,
}

impl<'a> SpanJson<'a> {
    fn new(span: &'a StoredSpan) -> Option<Self> {
        let (service, resource, scope) = (span.resource.service(), span.resource.json(), span.scope.json());
        Some(Self { view: span.view()?, service, resource, scope })
    }
}

impl Serialize for SpanJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Status<'a> {
            code: &'static str,
            message: &'a str,
        }
        let view = &self.view;
        let status = view.status();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("span_id", &Text(view.span_id()))?;
        map.serialize_entry("parent_span_id", &view.parent_span_id().map(Text))?;
        map.serialize_entry("service", self.service)?;
        map.serialize_entry("scope", self.scope)?;
        map.serialize_entry("name", view.name())?;
        map.serialize_entry("kind", view.kind().name())?;
        map.serialize_entry("start_time_unix_nano", &Text(view.start_time_unix_nano()))?;
        map.serialize_entry("end_time_unix_nano", &Text(view.end_time_unix_nano()))?;
        map.serialize_entry("status", &Status { code: status.code.name(), message: status.message })?;
        map.serialize_entry("attributes", &AttributesJson(view.attributes()))?;
        map.serialize_entry("events", &Each(|| view.events().map(EventJson)))?;
        map.serialize_entry("links", &Each(|| view.links().map(LinkJson)))?;
        map.serialize_entry("resource", self.resource)?;
        map.serialize_entry("flags", &view.flags())?;
        map.serialize_entry("trace_state", view.trace_state())?;
        map.serialize_entry("dropped_attributes_count", &view.dropped_attributes_count())?;
        map.serialize_entry("dropped_events_count", &view.dropped_events_count())?;
        map.serialize_entry("dropped_links_count", &view.dropped_links_count())?;
        map.end()
    }
}

struct EventJson<'a>(EventView<'a>);

impl Serialize for EventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.0.name())?;
        map.serialize_entry("time_unix_nano", &Text(self.0.time_unix_nano()))?;
        map.serialize_entry("attributes", &AttributesJson(self.0.attributes()))?;
        map.serialize_entry("dropped_attributes_count", &self.0.dropped_attributes_count())?;
        map.end()
    }
}

struct LinkJson<'a>(LinkView<'a>);

impl Serialize for LinkJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &Text(self.0.trace_id()))?;
        map.serialize_entry("span_id", &Text(self.0.span_id()))?;
        map.serialize_entry("trace_state", self.0.trace_state())?;
        map.serialize_entry("flags", &self.0.flags())?;
        map.serialize_entry("attributes", &AttributesJson(self.0.attributes()))?;
        map.serialize_entry("dropped_attributes_count", &self.0.dropped_attributes_count())?;
        map.end()
    }
}

/// Anything that prints itself, as a JSON string.
pub(super) struct Text<T>(pub(super) T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What an iterator yields, as a JSON array.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}
