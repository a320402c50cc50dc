//! The messages of a trace export request as OTLP/JSON spells them.

use serde::Deserialize;

use super::scalar::{EnumNumber, HexId, Integer, SpanKindNames, StatusCodeNames, Text, nullable, object, objects};
use super::value::KeyValue;

/// `ExportTraceServiceRequest`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) resource_spans: Vec<ResourceSpans<'a>>,
}

/// `ResourceSpans`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans<'a> {
    #[serde(borrow, default, deserialize_with = "object")]
    pub(super) resource: Option<Resource<'a>>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) scope_spans: Vec<ScopeSpans<'a>>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) schema_url: Text<'a>,
}

/// `Resource`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) attributes: Vec<KeyValue<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_attributes_count: Integer<u32>,
}

/// `ScopeSpans`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeSpans<'a> {
    #[serde(borrow, default, deserialize_with = "object")]
    pub(super) scope: Option<Scope<'a>>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) spans: Vec<Span<'a>>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) schema_url: Text<'a>,
}

/// `InstrumentationScope`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scope<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) name: Text<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) version: Text<'a>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) attributes: Vec<KeyValue<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_attributes_count: Integer<u32>,
}

/// `Span`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) trace_id: HexId<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) span_id: HexId<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) trace_state: Text<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) parent_span_id: HexId<'a>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) flags: Integer<u32>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) name: Text<'a>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) kind: EnumNumber<SpanKindNames>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) start_time_unix_nano: Integer<u64>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) end_time_unix_nano: Integer<u64>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) attributes: Vec<KeyValue<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_attributes_count: Integer<u32>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) events: Vec<Event<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_events_count: Integer<u32>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) links: Vec<Link<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_links_count: Integer<u32>,
    #[serde(borrow, default, deserialize_with = "object")]
    pub(super) status: Option<Status<'a>>,
}

/// `Span.Event`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) time_unix_nano: Integer<u64>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) name: Text<'a>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) attributes: Vec<KeyValue<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_attributes_count: Integer<u32>,
}

/// `Span.Link`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) trace_id: HexId<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) span_id: HexId<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) trace_state: Text<'a>,
    #[serde(borrow, default, deserialize_with = "objects")]
    pub(super) attributes: Vec<KeyValue<'a>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) dropped_attributes_count: Integer<u32>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) flags: Integer<u32>,
}

/// `Status`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) message: Text<'a>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) code: EnumNumber<StatusCodeNames>,
}
