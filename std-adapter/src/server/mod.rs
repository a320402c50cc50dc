//! The trace receiver, store, query API and viewer behind `clewline serve`.
//!
//! A [`Server`] is a door, not a database: it takes OTLP over HTTP and gRPC from anyone, keeps the newest traces in a bounded amount
//! of memory and shows them. It never re-encodes a span: what arrives as protobuf is kept as it came and read through
//! [`SpanView`](clewline_core::SpanView).
//!
//! # Receiving
//! `POST /v1/traces` takes `application/x-protobuf` and `application/json`, plain or `Content-Encoding: gzip`, from programs
//! and from web pages of the admitted origins. Spans with an invalid id are rejected one by one and reported in
//! `partial_success`; everything else in the request is kept. Errors are a `google.rpc.Status` in the request's encoding:
//! 400 (unreadable, and where), 403 (origin not admitted), 405, 408 (no body within 30 s), 413 (over the body limit, before or
//! after decompression), 415, 503 (bodies of four times the limit are on their way already).
//!
//! Every address also speaks HTTP/2 without TLS, and there OTLP over gRPC: one message, plain or gzip, with the same bounds.
//! Connections are limited in number; the head of a request must arrive within the configured time.
//!
//! # Reading
//! All answers are JSON; errors are `{"error": "…"}`. Numbers that may exceed 2^53 are strings.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /api/traces` | `{"traces": […], "matched": N}`, newest start first. A trace: `trace_id`, `root` (`service`, `name`, `kind`), `root_received`, `services`, `start_time_unix_nano`, `duration_ns`, `span_count`, `error_count` |
//! | `GET /api/traces/{trace_id}` | `{"trace_id", "spans": […]}`, parents before children, siblings by start. A span: `span_id`, `parent_span_id` (or null), `service`, `scope` (`name`, `version`, `attributes`), `name`, `kind` (`SERVER`), `start_time_unix_nano`, `end_time_unix_nano`, `status` (`code` `UNSET`/`OK`/`ERROR`, `message`), `attributes`, `events` (`name`, `time_unix_nano`, `attributes`, `dropped_attributes_count`), `links` (`trace_id`, `span_id`, `trace_state`, `flags`, `attributes`, `dropped_attributes_count`), `resource`, `flags`, `trace_state`, `dropped_attributes_count`, `dropped_events_count`, `dropped_links_count`. 404 if it is not here, 400 if the id is malformed |
//! | `GET /api/services` | `{"services": […]}` by name: `name`, `trace_count`, `span_count`, `operations`, `more_operations` |
//! | `GET /api/stats` | `version`; counters `received_requests`, `rejected_requests`, `received_spans`, `rejected_spans`, `replaced_spans`, `evicted_traces`, `evicted_spans`; `stored_traces`, `stored_spans`, `stored_bytes`, `memory_limit_bytes` |
//! | `GET /api/stream` | Server-Sent Events: `hello` first; `trace` (`trace_id`, `span_count`, `error_count`, `root_received`) for each changed trace, gathered for 150 ms; `skipped` (`traces`) when more changed at once than are told. `Last-Event-ID` resumes |
//! | `GET /healthz` | `ok` |
//!
//! Filters of `/api/traces`, all of which a trace must satisfy: `service`, `operation` (exact span name, of that service if
//! both are given), `min_duration_ms` (of the whole trace), `errors=true`, `q` (see below), `trace_id`, `limit` (100 unless
//! told, at most 1000). An unknown filter is an error.
//!
//! `q` holds terms separated by spaces, each to be found in any span of the trace: `key=value` is a span or resource
//! attribute whose text form is exactly this; a single word is an attribute's key or a part of a span's name. Double quotes
//! keep spaces and `=` together: `"odd key"="two words"`.
//!
//! Bytes appear in base64, integers beyond 2^53 and numbers that are not finite as strings.
//!
//! # Security
//! Only `/v1/traces` answers other origins, so a foreign page can give spans but not read them. While listening on a
//! loopback address, page and API refuse host names other than `localhost`, IP addresses and those allowed in the
//! [`ServerConfig`], against DNS rebinding. There is no authentication: listening on a public address shows every trace to
//! whoever can reach it.

mod answer;
mod api;
mod body;
mod config;
mod connections;
mod cors;
mod grpc;
mod host;
mod otlp_json;
mod page;
mod protobuf;
mod query;
mod receive;
mod render;
mod store;
mod stream;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

pub use config::{
    DEFAULT_BODY_LIMIT, DEFAULT_GRPC_PORT, DEFAULT_HEADER_TIMEOUT, DEFAULT_MAX_CONNECTIONS, DEFAULT_MEMORY_LIMIT,
    DEFAULT_PORT, ServerConfig,
};
use connections::Limits;
use cors::Cors;
use host::Hosts;
pub use otlp_json::{JsonError, to_protobuf as json_to_protobuf};
use receive::Receiver;
use store::Store;
use stream::StreamState;

/// How long open connections may take to finish once the server is told to end.
const GRACE: Duration = Duration::from_secs(2);

/// A server that listens; connections are answered once it [runs](Server::run).
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use clewline::server::{Server, ServerConfig};
///
/// let server = Server::bind(ServerConfig::default()).await?;
/// println!("send spans to http://{}/v1/traces", server.local_addr());
/// server.run(std::future::pending()).await
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a bound server answers nobody until `run` is awaited"]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// For gRPC alone; everything is answered on both.
    second: Option<TcpListener>,
    config: ServerConfig,
}

impl Server {
    /// Takes the address, so that a port in use is noticed before anything else happens.
    ///
    /// # Errors
    /// The system's answer, when the address cannot be listened on.
    pub async fn bind(config: ServerConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, second: None, config })
    }

    /// Takes a second address, by custom [`DEFAULT_GRPC_PORT`], for senders of OTLP over gRPC that expect one of their own.
    ///
    /// # Errors
    /// The system's answer, when the address cannot be listened on; the server goes on without it.
    pub async fn also_listen(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        self.second = Some(listener);
        Ok(address)
    }

    /// The address the server listens on, with the port the system chose if port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers connections until `end` completes; then waits up to two seconds for those that are being answered.
    ///
    /// # Errors
    /// The system's answer, when connections can no longer be accepted.
    pub async fn run(self, end: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (ending, watch_ending) = watch::channel(false);
        let router = router(&self.config, self.address, watch_ending.clone());
        tokio::spawn(async move {
            end.await;
            ending.send_replace(true);
            // Dropping the sender would also end the streams, but only this says that it was meant.
            drop(ending);
        });
        let limits = Limits {
            connections: Arc::new(Semaphore::new(self.config.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            header_timeout: self.config.header_timeout,
        };
        let serve = |listener, router| connections::serve(listener, router, &limits, watch_ending.clone(), GRACE);
        match self.second {
            Some(second) => drop(tokio::join!(serve(self.listener, router.clone()), serve(second, router))),
            None => serve(self.listener, router).await,
        }
        Ok(())
    }
}

/// All routes.
fn router(config: &ServerConfig, address: SocketAddr, ending: watch::Receiver<bool>) -> Router {
    let store = Arc::new(Store::new(config.memory_limit));
    let receiver = Receiver::new(Arc::clone(&store), Cors::new(&config.allowed_origins), config.body_limit);
    let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let stream_state = StreamState { store: Arc::clone(&store), ending, run: run.try_into().unwrap_or(u64::MAX) };
    let reading = Router::new()
        .route("/api/traces", get(api::traces))
        .route("/api/traces/{trace_id}", get(api::trace))
        .route("/api/services", get(api::services))
        .route("/api/stats", get(api::stats))
        .with_state(store)
        .merge(Router::new().route("/api/stream", get(stream::stream)).with_state(stream_state))
        .merge(page::routes())
        .route_layer(middleware::from_fn_with_state(Hosts::new(address, &config.allowed_hosts), check_host));
    Router::new()
        .route("/v1/traces", any(receive::receive))
        .route(grpc::PATH, any(grpc::export))
        .with_state(receiver)
        .route("/healthz", get(api::healthz))
        .merge(reading)
        .fallback(async || api::error(StatusCode::NOT_FOUND, "nothing here: see / for the viewer"))
        .method_not_allowed_fallback(async || api::error(StatusCode::METHOD_NOT_ALLOWED, "only GET is possible here"))
}

/// Refuses requests for a host name that is not this machine's.
async fn check_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match hosts.refused(request.headers()) {
        None => next.run(request).await,
        Some(name) => api::error(
            StatusCode::FORBIDDEN,
            format!("the host name {name} is not known here; allow it with --allow-host {name}"),
        ),
    }
}
