//! A finished span as a structure of its own, for readers that outlive the bytes it came in.

use std::sync::Arc;
use std::time::Duration;

use clewline_core::{
    Attributes, EventView, LinkView, ResourceSpansView, ScopeSpansView, SpanId, SpanKind, SpanView, StatusCode,
    TraceId, ValueView,
};

/// A finished span with everything that was recorded (`opentelemetry/proto/trace/v1/trace.proto`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FinishedSpan {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// The parent, `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// The tracestate list; empty if none.
    pub trace_state: String,
    /// Bits 0–7 the W3C flags, bit 8 whether bit 9 is known, bit 9 whether the parent is remote.
    pub flags: u32,
    /// What happened.
    pub name: String,
    /// The role in a call.
    pub kind: SpanKind,
    /// When it began: nanoseconds since the Unix epoch, 0 if unknown.
    pub start_time_unix_nano: u64,
    /// When it ended: nanoseconds since the Unix epoch, 0 if unknown.
    pub end_time_unix_nano: u64,
    /// Whether it went well.
    pub status: StatusCode,
    /// What went wrong; empty unless the status is an error.
    pub status_message: String,
    /// The attributes, in the order in which they were recorded.
    pub attributes: Vec<(String, OwnedValue)>,
    /// The events, in the order in which they were recorded.
    pub events: Vec<FinishedEvent>,
    /// The links, in the order in which they were recorded.
    pub links: Vec<FinishedLink>,
    /// How many attributes were refused.
    pub dropped_attributes_count: u32,
    /// How many events were refused.
    pub dropped_events_count: u32,
    /// How many links were refused.
    pub dropped_links_count: u32,
    /// What made the span; shared by the spans of one request.
    pub resource: Arc<FinishedResource>,
    /// What the span was made with; shared by the spans of one request.
    pub scope: Arc<FinishedScope>,
}

/// An event of a [`FinishedSpan`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FinishedEvent {
    /// When it happened: nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// What happened.
    pub name: String,
    /// Its attributes.
    pub attributes: Vec<(String, OwnedValue)>,
    /// How many attributes were refused.
    pub dropped_attributes_count: u32,
}

/// A link of a [`FinishedSpan`] to another span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FinishedLink {
    /// The linked span's trace.
    pub trace_id: TraceId,
    /// The linked span.
    pub span_id: SpanId,
    /// The linked span's tracestate list; empty if none.
    pub trace_state: String,
    /// Bits 0–7 the W3C flags, bit 8 whether bit 9 is known, bit 9 whether the linked context is remote.
    pub flags: u32,
    /// Its attributes.
    pub attributes: Vec<(String, OwnedValue)>,
    /// How many attributes were refused.
    pub dropped_attributes_count: u32,
}

/// What made a [`FinishedSpan`]: a service, a process.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FinishedResource {
    /// Its attributes, `service.name` among them.
    pub attributes: Vec<(String, OwnedValue)>,
    /// The schema of the attributes; empty if none.
    pub schema_url: String,
    /// How many attributes were refused.
    pub dropped_attributes_count: u32,
}

/// The instrumentation scope of a [`FinishedSpan`]: the library or module that made it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FinishedScope {
    /// Its name; empty if none.
    pub name: String,
    /// Its version; empty if none.
    pub version: String,
    /// Its attributes.
    pub attributes: Vec<(String, OwnedValue)>,
    /// The schema of the spans' attributes; empty if none.
    pub schema_url: String,
    /// How many attributes were refused.
    pub dropped_attributes_count: u32,
}

/// The value of an attribute.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum OwnedValue {
    /// Nothing set.
    #[default]
    Empty,
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    I64(i64),
    /// A double-precision number.
    F64(f64),
    /// Text.
    Str(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<OwnedValue>),
    /// A map, in the order in which it was written.
    Map(Vec<(String, OwnedValue)>),
}

impl FinishedSpan {
    pub(super) fn new(span: &SpanView<'_>, resource: &Arc<FinishedResource>, scope: &Arc<FinishedScope>) -> Self {
        Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent_span_id: span.parent_span_id(),
            trace_state: span.trace_state().to_owned(),
            flags: span.flags(),
            name: span.name().to_owned(),
            kind: span.kind(),
            start_time_unix_nano: span.start_time_unix_nano(),
            end_time_unix_nano: span.end_time_unix_nano(),
            status: span.status().code,
            status_message: span.status().message.to_owned(),
            attributes: owned(span.attributes()),
            events: span.events().map(|event| FinishedEvent::from(&event)).collect(),
            links: span.links().map(|link| FinishedLink::from(&link)).collect(),
            dropped_attributes_count: span.dropped_attributes_count(),
            dropped_events_count: span.dropped_events_count(),
            dropped_links_count: span.dropped_links_count(),
            resource: Arc::clone(resource),
            scope: Arc::clone(scope),
        }
    }

    /// How long it took; zero if it ended before it began.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_time_unix_nano.saturating_sub(self.start_time_unix_nano))
    }

    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&OwnedValue> {
        get(&self.attributes, key)
    }

    /// The first event of this name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&FinishedEvent> {
        self.events.iter().find(|event| event.name == name)
    }
}

impl FinishedEvent {
    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&OwnedValue> {
        get(&self.attributes, key)
    }
}

impl FinishedLink {
    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&OwnedValue> {
        get(&self.attributes, key)
    }
}

impl FinishedResource {
    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&OwnedValue> {
        get(&self.attributes, key)
    }
}

impl FinishedScope {
    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&OwnedValue> {
        get(&self.attributes, key)
    }
}

impl OwnedValue {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn as_i64(&self) -> Option<i64> {
        if let Self::I64(number) = self { Some(*number) } else { None }
    }
}

impl From<&EventView<'_>> for FinishedEvent {
    fn from(event: &EventView<'_>) -> Self {
        Self {
            time_unix_nano: event.time_unix_nano(),
            name: event.name().to_owned(),
            attributes: owned(event.attributes()),
            dropped_attributes_count: event.dropped_attributes_count(),
        }
    }
}

impl From<&LinkView<'_>> for FinishedLink {
    fn from(link: &LinkView<'_>) -> Self {
        Self {
            trace_id: link.trace_id(),
            span_id: link.span_id(),
            trace_state: link.trace_state().to_owned(),
            flags: link.flags(),
            attributes: owned(link.attributes()),
            dropped_attributes_count: link.dropped_attributes_count(),
        }
    }
}

impl From<&ResourceSpansView<'_>> for FinishedResource {
    fn from(spans: &ResourceSpansView<'_>) -> Self {
        let resource = spans.resource();
        Self {
            attributes: owned(resource.attributes()),
            schema_url: spans.schema_url().to_owned(),
            dropped_attributes_count: resource.dropped_attributes_count(),
        }
    }
}

impl From<&ScopeSpansView<'_>> for FinishedScope {
    fn from(spans: &ScopeSpansView<'_>) -> Self {
        let scope = spans.scope();
        Self {
            name: scope.name().to_owned(),
            version: scope.version().to_owned(),
            attributes: owned(scope.attributes()),
            schema_url: spans.schema_url().to_owned(),
            dropped_attributes_count: scope.dropped_attributes_count(),
        }
    }
}

impl From<ValueView<'_>> for OwnedValue {
    fn from(value: ValueView<'_>) -> Self {
        match value {
            ValueView::Bool(truth) => Self::Bool(truth),
            ValueView::I64(number) => Self::I64(number),
            ValueView::F64(number) => Self::F64(number),
            ValueView::Str(text) => Self::Str(text.to_owned()),
            ValueView::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
            ValueView::List(list) => Self::List(list.iter().map(Self::from).collect()),
            ValueView::Map(entries) => Self::Map(owned(entries)),
            _ => Self::Empty,
        }
    }
}

impl From<bool> for OwnedValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for OwnedValue {
    fn from(number: i64) -> Self {
        Self::I64(number)
    }
}

impl From<i32> for OwnedValue {
    fn from(number: i32) -> Self {
        Self::I64(number.into())
    }
}

impl From<f64> for OwnedValue {
    fn from(number: f64) -> Self {
        Self::F64(number)
    }
}

impl From<&str> for OwnedValue {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for OwnedValue {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl<T: Into<Self>> From<Vec<T>> for OwnedValue {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

fn owned(attributes: Attributes<'_>) -> Vec<(String, OwnedValue)> {
    attributes.map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// Of a key that somebody's encoder wrote twice, the last value counts.
fn get<'a>(attributes: &'a [(String, OwnedValue)], key: &str) -> Option<&'a OwnedValue> {
    attributes.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value)
}
