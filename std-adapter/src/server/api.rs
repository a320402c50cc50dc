//! The handlers of the query API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clewline_core::TraceId;
use serde::Serialize;
use serde::ser::SerializeSeq;

use super::query::{self, Filter, Service};
use super::render::{SummaryJson, TraceJson};
use super::store::{Stats, Store, Trace};

/// An error as the API answers it: a status, and `{"error": "…"}`.
pub(super) fn error(status: StatusCode, message: impl Into<String>) -> Response {
    #[derive(Serialize)]
    struct ErrorJson {
        error: String,
    }
    (status, Json(ErrorJson { error: message.into() })).into_response()
}

/// `GET /api/traces`.
pub(super) async fn traces(
    State(store): State<Arc<Store>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    #[derive(Serialize)]
    struct Answer {
        traces: Summaries,
        matched: usize,
    }
    match Filter::from_parameters(&parameters) {
        Err(wrong) => error(StatusCode::BAD_REQUEST, wrong.0),
        Ok(filter) => {
            away_from_the_sockets(move || {
                let (traces, matched) = filter.apply(store.snapshot());
                Json(Answer { traces: Summaries(traces), matched }).into_response()
            })
            .await
        }
    }
}

/// `GET /api/traces/{trace_id}`.
pub(super) async fn trace(State(store): State<Arc<Store>>, Path(id): Path<String>) -> Response {
    let Some(trace_id) = TraceId::from_hex(&id) else {
        return error(StatusCode::BAD_REQUEST, "a trace id is 32 hexadecimal digits, not all zero");
    };
    match store.trace(trace_id) {
        None => error(StatusCode::NOT_FOUND, format!("no trace {trace_id} here: it has not arrived, or was evicted")),
        Some(trace) => away_from_the_sockets(move || Json(TraceJson(&trace)).into_response()).await,
    }
}

/// `GET /api/services`.
pub(super) async fn services(State(store): State<Arc<Store>>) -> Response {
    #[derive(Serialize)]
    struct Answer {
        services: Vec<Service>,
    }
    away_from_the_sockets(move || Json(Answer { services: query::services(&store.snapshot()) }).into_response()).await
}

/// `GET /api/stats`.
pub(super) async fn stats(State(store): State<Arc<Store>>) -> Json<StatsJson> {
    Json(StatsJson { version: env!("CARGO_PKG_VERSION"), stats: store.stats() })
}

/// The counters and who answers them.
#[derive(Serialize)]
pub(super) struct StatsJson {
    version: &'static str,
    #[serde(flatten)]
    stats: Stats,
}

/// `GET /healthz`.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The summaries of traces as a JSON array.
struct Summaries(Vec<Arc<Trace>>);

impl Serialize for Summaries {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.0.len()))?;
        for trace in &self.0 {
            sequence.serialize_element(&SummaryJson { trace, summary: &trace.summary() })?;
        }
        sequence.end()
    }
}

/// Runs what may take long (a search through everything) on a thread that serves no connections.
pub(super) async fn away_from_the_sockets(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| error(StatusCode::INTERNAL_SERVER_ERROR, "the server failed to answer this"))
}
