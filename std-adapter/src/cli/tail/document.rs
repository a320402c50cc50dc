//! A trace as the server's API answers it; only what the tree shows.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The answer of `GET /api/traces/{trace_id}`.
#[derive(Debug, Deserialize)]
pub(super) struct TraceDocument {
    /// The id in hex.
    pub(super) trace_id: String,
    /// The spans, parents before their children.
    pub(super) spans: Vec<SpanDocument>,
}

/// One span.
#[derive(Debug, Deserialize)]
pub(super) struct SpanDocument {
    /// The id in hex.
    pub(super) span_id: String,
    /// The parent's id, if it is not a root.
    pub(super) parent_span_id: Option<String>,
    /// The service that made it.
    pub(super) service: String,
    /// Its name.
    pub(super) name: String,
    /// Its kind in capitals.
    pub(super) kind: String,
    /// Nanoseconds since the Unix epoch.
    #[serde(deserialize_with = "number_in_text")]
    pub(super) start_time_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    #[serde(deserialize_with = "number_in_text")]
    pub(super) end_time_unix_nano: u64,
    /// Whether it went well.
    pub(super) status: StatusDocument,
    /// Its events, of which the tree shows exceptions.
    pub(super) events: Vec<EventDocument>,
}

/// The status of a span.
#[derive(Debug, Deserialize)]
pub(super) struct StatusDocument {
    /// `UNSET`, `OK` or `ERROR`.
    pub(super) code: String,
    /// What went wrong.
    pub(super) message: String,
}

/// An event of a span.
#[derive(Debug, Deserialize)]
pub(super) struct EventDocument {
    /// Its name.
    pub(super) name: String,
    /// Its attributes.
    pub(super) attributes: Map<String, Value>,
}

fn number_in_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
