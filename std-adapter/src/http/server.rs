//! `ServerLayer`: a tower layer that makes every request a server span of the trace it belongs to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use clewline_core::server_timing;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, Request, Response, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::field::Empty;
use tracing::instrument::{Instrument as _, Instrumented};
use tracing::{Level, Span};

use super::body::TracedBody;
use super::convention::{Method, host_and_port, protocol_version};
use super::exchange::{Exchange, Side};
use super::forwarded::Forwarded;
use super::options::{self, Options, Shared};
use super::propagation::source;
use super::{TARGET, grpc};
use crate::SpanExt as _;
use crate::propagation::Extraction;

/// Makes every request a server span that continues the trace of its headers, `traceparent` and `tracestate` unless the process
/// is [configured](crate::propagation) otherwise, and hands their baggage on.
///
/// - A missing, malformed or repeated header begins a new trace; the request is answered all the same. Which rule was broken is
///   an event of level DEBUG.
/// - With the feature `axum` the span is named after the route, `GET /cart/{id}`, if the layer was added with
///   `Router::layer` or `Router::route_layer`; otherwise, and for requests that no route matches, it is named `GET`.
/// - It is the current span of the handler and of the response's body, and ends with the body. A client that leaves
///   before that is an event.
/// - Status codes from 500 make it an error, and so does a service or a body that fails; 4xx is the client's mistake.
/// - gRPC calls, known by their content type, follow the conventions of RPC: named `package.Service/Method`, with the status of
///   their trailers. So the layer is also for tonic: `Server::builder().layer(ServerLayer::new())`.
#[derive(Clone, Debug, Default)]
pub struct ServerLayer {
    options: Shared,
}

impl ServerLayer {
    /// The layer, with the default [`Options`].
    #[must_use]
    pub const fn new() -> Self {
        Self { options: None }
    }

    /// The layer, with options.
    #[must_use]
    pub fn with_options(options: Options) -> Self {
        Self { options: Some(Arc::new(options)) }
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerService { inner, options: self.options.clone() }
    }
}

/// A service whose requests are spans; made by [`ServerLayer`].
#[derive(Clone, Debug)]
pub struct ServerService<S> {
    inner: S,
    options: Shared,
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

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let exchange = begin(&request, &self.options);
        let is_head_request = request.method() == HttpMethod::HEAD;
        let span = exchange.span().clone();
        let inner = {
            let _attached = exchange.attach();
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

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = {
            let _attached = this.exchange.as_ref().and_then(Exchange::attach);
            ready!(this.inner.poll(context))
        };
        // Taken once: a future is not polled again after it was ready.
        let mut exchange = this.exchange.take().unwrap_or_else(|| Exchange::new(Span::none(), Side::Server, None));
        Poll::Ready(match outcome {
            Ok(response) => {
                exchange.response(response.status(), response.headers());
                let (mut head, body) = response.into_parts();
                name_span(&exchange, &mut head.headers);
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

/// Tells the page which span this was, if that is wanted.
fn name_span(exchange: &Exchange, headers: &mut HeaderMap) {
    const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
    if options::has_server_timing(exchange.options())
        && let Some(context) = exchange.span().context()
        && let Ok(value) = HeaderValue::from_str(server_timing::value(context).as_str())
    {
        headers.append(SERVER_TIMING, value);
    }
}

/// Starts the span of a request: a child of whoever sent it, not of what happens to be current on this thread.
fn begin<B>(request: &Request<B>, options: &Shared) -> Exchange {
    let Extraction { context, errors, baggage_error, .. } =
        options::propagators(options).read(&source(request.headers()));
    let is_call = grpc::is_call(request.headers());
    let span = if !tracing::span_enabled!(target: TARGET, Level::INFO) {
        Span::none()
    } else if is_call {
        call_span(request, options)
    } else {
        request_span(request, options)
    };
    span.set_parent(&context);
    options::record_request(options, &span, request.headers());
    for error in errors.iter() {
        span.in_scope(|| tracing::debug!(target: TARGET, error = %error, "a header is invalid, and was left out"));
    }
    if let Some(error) = baggage_error {
        span.in_scope(|| tracing::debug!(target: TARGET, error = %error, "a part of the baggage was left out"));
    }
    let mut exchange = Exchange::new(span, Side::Server, options.clone());
    if is_call {
        exchange.set_grpc_method(grpc::method(request.uri().path()));
    }
    exchange.pass_on(context);
    exchange
}

/// The span of an HTTP request (semantic conventions, "HTTP server").
fn request_span<B>(request: &Request<B>, options: &Shared) -> Span {
    let method = Method::new(request.method().as_str());
    let route = route(request.extensions());
    let name = route.map(|route| format!("{} {route}", method.in_span_name()));
    let ends = Ends::of(request, options);
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "HTTP request",
        otel.name = name.as_deref().unwrap_or(method.in_span_name()),
        otel.kind = "server",
        http.request.method = method.name,
        http.request.method_original = method.original,
        http.route = route,
        url.path = request.uri().path(),
        url.query = options::shown_query(options, request.uri().query()).as_deref(),
        url.scheme = ends.scheme,
        network.protocol.version = protocol_version(request.version()),
        network.peer.address = ends.peer.as_deref(),
        network.peer.port = ends.peer_port,
        server.address = ends.server.as_deref(),
        server.port = ends.server_port,
        client.address = ends.client.as_deref(),
        user_agent.original = text(request.headers(), header::USER_AGENT),
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// The span of a gRPC call (semantic conventions, "RPC server").
fn call_span<B>(request: &Request<B>, options: &Shared) -> Span {
    let ends = Ends::of(request, options);
    let method = grpc::method(request.uri().path());
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "RPC",
        otel.name = method,
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = method,
        network.protocol.version = protocol_version(request.version()),
        network.peer.address = ends.peer.as_deref(),
        network.peer.port = ends.peer_port,
        server.address = ends.server.as_deref(),
        server.port = ends.server_port,
        client.address = ends.client.as_deref(),
        error.type = Empty,
    )
}

/// Both ends of the connection.
struct Ends<'r> {
    scheme: &'r str,
    server: Option<String>,
    server_port: Option<u16>,
    client: Option<String>,
    peer: Option<String>,
    peer_port: Option<u16>,
}

impl<'r> Ends<'r> {
    /// As the request tells them: the host and port that the client asked for stand in an absolute or HTTP/2 request target, or
    /// else in the `Host` header; a trusted proxy knows better.
    fn of<B>(request: &'r Request<B>, options: &Shared) -> Self {
        let forwarded =
            if options::trusts_proxy(options) { Forwarded::of(request.headers()) } else { Forwarded::default() };
        let target = request.uri().authority().map(http::uri::Authority::as_str);
        let host = forwarded.host.as_deref().or(target).or_else(|| text(request.headers(), header::HOST));
        let (server, server_port) = host.and_then(host_and_port).unzip();
        let peer = peer(request.extensions());
        let peer_address = peer.map(|(address, _)| address.to_string());
        Self {
            scheme: forwarded.scheme.or(request.uri().scheme_str()).unwrap_or("http"),
            server,
            server_port: server_port.flatten(),
            client: forwarded.client.or_else(|| peer_address.clone()),
            peer: peer_address,
            peer_port: peer.map(|(_, port)| port),
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
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

/// The peer, if the program serves with `into_make_service_with_connect_info::<SocketAddr>()`.
#[cfg(feature = "axum")]
fn peer(extensions: &Extensions) -> Option<(std::net::IpAddr, u16)> {
    let peer = extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()?;
    Some((peer.0.ip(), peer.0.port()))
}

#[cfg(not(feature = "axum"))]
fn peer(_: &Extensions) -> Option<(std::net::IpAddr, u16)> {
    None
}
