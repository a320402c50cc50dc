//! A trace as the server's API answers it; only what the tree shows.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The answer of `GET /api/traces/{trace_id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct TraceDocument {
    /// The id in hex.
    pub(crate) trace_id: String,
    /// The spans, parents before their children.
    pub(crate) spans: Vec<SpanDocument>,
}

/// One span.
#[derive(Debug, Deserialize)]
pub(crate) struct SpanDocument {
    /// The id in hex.
    pub(crate) span_id: String,
    /// The parent's id, if it is not a root.
    pub(crate) parent_span_id: Option<String>,
    /// The service that made it.
    pub(crate) service: String,
    /// Its name.
    pub(crate) name: String,
    /// Its kind in capitals.
    pub(crate) kind: String,
    /// Nanoseconds since the Unix epoch.
    #[serde(deserialize_with = "number_in_text")]
    pub(crate) start_time_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    #[serde(deserialize_with = "number_in_text")]
    pub(crate) end_time_unix_nano: u64,
    /// Whether it went well.
    pub(crate) status: StatusDocument,
    /// Its events, of which the tree shows exceptions.
    pub(crate) events: Vec<EventDocument>,
}

/// The status of a span.
#[derive(Debug, Deserialize)]
pub(crate) struct StatusDocument {
    /// `UNSET`, `OK` or `ERROR`.
    pub(crate) code: String,
    /// What went wrong.
    pub(crate) message: String,
}

/// An event of a span.
#[derive(Debug, Deserialize)]
pub(crate) struct EventDocument {
    /// Its name.
    pub(crate) name: String,
    /// Its attributes.
    pub(crate) attributes: Map<String, Value>,
}

fn number_in_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
