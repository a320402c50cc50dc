//! HTTP: spans for the requests a server answers and a program sends, and the header that joins them.
//!
//! - [`ServerLayer`] is a tower layer for axum, hyper and the like: it continues the trace of the incoming `traceparent`.
//! - `SendTraced::send_traced` (feature `reqwest`) sends a request as a span and hands its trace on.
//! - [`extract`] and [`inject`] are the header alone, for any other server or client.
//!
//! Spans follow OpenTelemetry's HTTP semantic conventions, version 1.23 and later. Query strings may hold secrets and are
//! not recorded; neither are headers other than `User-Agent`. `Forwarded` and `X-Forwarded-*` are not believed, because
//! anyone can write them: behind a proxy, `client.address` is the proxy's.
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
#[cfg(feature = "reqwest")]
mod client;
mod convention;
mod exchange;
mod propagation;
mod server;

pub use body::TracedBody;
#[cfg(feature = "reqwest")]
pub use client::SendTraced;
pub use propagation::{extract, inject};
pub use server::{ResponseFuture, ServerLayer, ServerService};

/// The target of every `tracing` span and event made here, for filters such as `clewline::http=debug`.
const TARGET: &str = "clewline::http";
