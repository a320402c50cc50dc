//! HTTP and gRPC: spans for the requests a server answers and a program sends, and the headers that join them.
//!
//! - [`ServerLayer`] is a tower layer for axum, hyper, tonic and the like: it continues the trace of the incoming headers.
//! - [`ClientLayer`] is one for clients of `http`'s requests, such as hyper's and tonic's.
//! - `SendTraced::send_traced` (feature `reqwest`) sends a request as a span and hands its trace on; `ClientMiddleware` (feature
//!   `reqwest-middleware`) does so for every request of a client.
//! - [`extract`] and [`inject`] are the headers alone, for any other server or client.
//!
//! Spans follow OpenTelemetry's semantic conventions 1.42 for HTTP and RPC. Values in query strings may be secret and are recorded
//! as `REDACTED`; headers other than `User-Agent` are not recorded, and `Forwarded` and `X-Forwarded-*` are not believed, because
//! anyone can write them: behind a proxy, `client.address` is the proxy's. [`Options`] change that. Of the baggage nothing is
//! recorded but what [`TracingConfig::with_baggage_attributes`](crate::TracingConfig::with_baggage_attributes) names.
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # async fn example() -> std::io::Result<()> {
//! use axum::{Router, routing::get};
//!
//! let app = Router::new().route("/cart/{id}", get(async || "a cart")).layer(clewline::http::ServerLayer::new());
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await
//! # }
//! ```

mod body;
mod client;
mod convention;
mod exchange;
mod forwarded;
mod grpc;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod options;
mod propagation;
mod redact;
#[cfg(feature = "reqwest")]
mod reqwest;
mod server;

#[cfg(feature = "reqwest")]
pub use self::reqwest::SendTraced;
pub use body::TracedBody;
pub use client::{ClientFuture, ClientLayer, ClientService};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::ClientMiddleware;
pub use options::Options;
pub use propagation::{Sink, Source, extract, inject, sink, source};
pub use redact::Query;
pub use server::{ResponseFuture, ServerLayer, ServerService};

/// The target of every `tracing` span and event made here, for filters such as `clewline::http=debug`.
const TARGET: &str = "clewline::http";
