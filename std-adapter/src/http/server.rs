//! `ServerLayer`: a tower layer that makes every request a server span of the trace it belongs to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use clewline_core::traceparent::TraceparentError;
use http::{Extensions, HeaderMap, Method as HttpMethod, Request, Response, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::field::Empty;
use tracing::instrument::{Instrument as _, Instrumented};
use tracing::{Level, Span};

use super::TARGET;
use super::body::TracedBody;
use super::convention::{Method, host_and_port, protocol_version};
use super::exchange::Exchange;
use super::propagation::extract;
use crate::SpanExt as _;

/// Makes every request a server span that continues the trace of its `traceparent` header.
///
/// - A missing, malformed or repeated header begins a new trace; the request is answered all the same. Why a header was
///   refused is an event of level DEBUG.
/// - With the feature `axum` the span is named after the route, `GET /cart/{id}`, if the layer was added with
///   `Router::layer` or `Router::route_layer`; otherwise, and for requests that no route matches, it is named `GET`.
/// - It is the current span of the handler and of the response's body, and ends with the body. A client that leaves
///   before that is an event.
/// - Status codes from 500 make it an error, and so does a service or a body that fails; 4xx is the client's mistake.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerLayer(());

impl ServerLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerService { inner }
    }
}

/// A service whose requests are spans; made by [`ServerLayer`].
#[derive(Clone, Copy, Debug)]
pub struct ServerService<S> {
    inner: S,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for ServerService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    S::Error: fmt::Display,
    ResponseBody: Body,
{
    type Response = Response<TracedBody<ResponseBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let span = server_span(&request);
        let exchange = Exchange::new(span.clone());
        let is_head_request = request.method() == HttpMethod::HEAD;
        let inner = {
            let _entered = span.enter();
            self.inner.call(request)
        };
        ResponseFuture { inner: inner.instrument(span), exchange: Some(exchange), is_head_request }
    }
}

pin_project! {
    /// The answer of a [`ServerService`] under way, within the request's span.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // Before the exchange, so that it is dropped first.
        #[pin]
        inner: Instrumented<F>,
        exchange: Option<Exchange>,
        is_head_request: bool,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: fmt::Display,
{
    type Output = Result<Response<TracedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.inner.poll(context));
        // Taken once: a future is not polled again after it was ready.
        let mut exchange = this.exchange.take().unwrap_or_else(|| Exchange::new(Span::none()));
        Poll::Ready(match outcome {
            Ok(response) => {
                exchange.response(response.status());
                let (head, body) = response.into_parts();
                let body = TracedBody::new(body, exchange, &head, *this.is_head_request);
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                exchange.failed(&error);
                Err(error)
            }
        })
    }
}

/// Starts the span of a request: a child of whoever sent it, not of what happens to be current on this thread.
fn server_span<B>(request: &Request<B>) -> Span {
    if !tracing::span_enabled!(target: TARGET, Level::INFO) {
        return Span::none();
    }
    let method = Method::new(request.method().as_str());
    let route = route(request.extensions());
    let name = route.map(|route| format!("{} {route}", method.in_span_name()));
    let server = server(request);
    let client = client_address(request.extensions());
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "HTTP request",
        otel.name = name.as_deref().unwrap_or(method.in_span_name()),
        otel.kind = "server",
        http.request.method = method.name,
        http.request.method_original = method.original,
        http.route = route,
        url.path = request.uri().path(),
        url.scheme = request.uri().scheme_str().unwrap_or("http"),
        network.protocol.version = protocol_version(request.version()),
        server.address = server.as_ref().map(|(host, _)| host.as_str()),
        server.port = server.as_ref().and_then(|(_, port)| *port),
        client.address = client.as_deref(),
        user_agent.original = text(request.headers(), header::USER_AGENT),
        http.response.status_code = Empty,
        error.type = Empty,
    );
    match extract(request.headers()) {
        Ok(parent) => span.set_parent(parent),
        Err(TraceparentError::Missing) => {}
        Err(error) => span.in_scope(|| {
            tracing::debug!(target: TARGET, error = %error, "a new trace begins: the traceparent header is invalid");
        }),
    }
    span
}

/// The host and port that the client asked for: of an absolute or HTTP/2 request target, else of the `Host` header.
fn server<B>(request: &Request<B>) -> Option<(String, Option<u16>)> {
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    host_and_port(target.or_else(|| text(request.headers(), header::HOST))?)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(feature = "axum")]
fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn route(_: &Extensions) -> Option<&str> {
    None
}

/// The peer's address, if the program serves with `into_make_service_with_connect_info::<SocketAddr>()`.
#[cfg(feature = "axum")]
fn client_address(extensions: &Extensions) -> Option<String> {
    let peer = extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()?;
    Some(peer.0.ip().to_string())
}

#[cfg(not(feature = "axum"))]
fn client_address(_: &Extensions) -> Option<String> {
    None
}
