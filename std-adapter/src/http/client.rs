//! `ClientLayer`: a tower layer that makes every request a client span and hands its trace on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use http::{HeaderMap, Method as HttpMethod, Request, Response, Uri, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;
use tracing::field::Empty;
use tracing::instrument::{Instrument as _, Instrumented};

use super::body::TracedBody;
use super::convention::{Method, host_and_port, protocol_version};
use super::exchange::{Exchange, Side};
use super::options::{self, Options, Shared};
use super::propagation::inject_over;
use super::{TARGET, grpc};
use crate::SpanExt as _;
use crate::propagation::Context;

/// Makes every request a client span, a child of the current one, and writes its context and the baggage into the request's
/// headers, `traceparent`, `tracestate` and `baggage` unless the process is [configured](crate::propagation) otherwise, over
/// those that are there: a proxy may pass on all that it got.
///
/// - The span is named `GET` and ends with the response's body. A response that is dropped before that is an event.
/// - Status codes from 400 make it an error, and so do failures. User name and password are not recorded, and of the query what
///   the [`Options`] say.
/// - gRPC calls, known by their content type, follow the conventions of RPC: named `package.Service/Method`, with the status of
///   their trailers; every status but OK is an error. So the layer is also for tonic's channels:
///   `ServiceBuilder::new().layer(ClientLayer::new()).service(channel)`; [`Options::server`] tells it whom they lead to.
///
/// The service is one of `http`'s requests, such as those of hyper and tonic; `reqwest` has `SendTraced`.
#[derive(Clone, Debug, Default)]
pub struct ClientLayer {
    options: Shared,
}

impl ClientLayer {
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

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientService { inner, options: self.options.clone() }
    }
}

/// A service whose requests are spans; made by [`ClientLayer`].
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    inner: S,
    options: Shared,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for ClientService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    S::Error: fmt::Display,
    ResponseBody: Body,
{
    type Response = Response<TracedBody<ResponseBody>>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let is_call = grpc::is_call(request.headers());
        let span = if is_call { call_span(&request, &self.options) } else { request_span(&request, &self.options) };
        options::record_request(&self.options, &span, request.headers());
        let mut exchange = Exchange::new(span.clone(), Side::Client, self.options.clone());
        if is_call {
            exchange.set_grpc_method(grpc::method(request.uri().path()));
        }
        hand_on(&span, &self.options, request.headers_mut());
        let is_head_request = request.method() == HttpMethod::HEAD;
        let inner = {
            let _entered = span.enter();
            self.inner.call(request)
        };
        ClientFuture { inner: inner.instrument(span), exchange: Some(exchange), is_head_request }
    }
}

/// Writes the context of a client span, or the current one where the span is not recorded by anyone, and the baggage.
pub(super) fn hand_on(span: &Span, options: &Shared, headers: &mut HeaderMap) {
    let own = span.hand_on();
    let context = if own.is_empty() { Context::current() } else { own };
    inject_over(options::propagators(options), &context, headers);
}

pin_project! {
    /// The answer to a [`ClientService`] under way, within the request's span.
    #[derive(Debug)]
    pub struct ClientFuture<F> {
        // Before the exchange, so that it is dropped first.
        #[pin]
        inner: Instrumented<F>,
        exchange: Option<Exchange>,
        is_head_request: bool,
    }
}

impl<F, B, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: fmt::Display,
{
    type Output = Result<Response<TracedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.inner.poll(context));
        // Taken once: a future is not polled again after it was ready.
        let mut exchange = this.exchange.take().unwrap_or_else(|| Exchange::new(Span::none(), Side::Client, None));
        Poll::Ready(match outcome {
            Ok(response) => {
                if let Some(version) = protocol_version(response.version()) {
                    exchange.span().record("network.protocol.version", version);
                }
                exchange.response(response.status(), response.headers());
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

/// The span of an HTTP request (semantic conventions, "HTTP client").
fn request_span<B>(request: &Request<B>, options: &Shared) -> Span {
    let method = Method::new(request.method().as_str());
    let (server, port) = server(request, options).unzip();
    tracing::info_span!(
        target: TARGET,
        "HTTP request",
        otel.name = method.in_span_name(),
        otel.kind = "client",
        http.request.method = method.name,
        http.request.method_original = method.original,
        url.full = shown(request.uri(), options).as_deref(),
        server.address = server.as_deref(),
        server.port = port.flatten(),
        network.protocol.version = Empty,
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// The span of a gRPC call (semantic conventions, "RPC client").
fn call_span<B>(request: &Request<B>, options: &Shared) -> Span {
    let (server, port) = server(request, options).unzip();
    let method = grpc::method(request.uri().path());
    tracing::info_span!(
        target: TARGET,
        "RPC",
        otel.name = method,
        otel.kind = "client",
        rpc.system.name = "grpc",
        rpc.method = method,
        server.address = server.as_deref(),
        server.port = port.flatten(),
        network.protocol.version = Empty,
        error.type = Empty,
    )
}

/// Whom the request goes to: the authority of its address, or else its `Host` header, or else what the options say.
fn server<B>(request: &Request<B>, options: &Shared) -> Option<(String, Option<u16>)> {
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let Some(host) = target.or_else(|| request.headers().get(header::HOST)?.to_str().ok()) else {
        return options::server(options);
    };
    let (host, port) = host_and_port(host)?;
    let default = match request.uri().scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    Some((host, port.or(default)))
}

/// The address without what may be secret; `None` if it is not whole.
fn shown(uri: &Uri, options: &Shared) -> Option<String> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let query = options::shown_query(options, uri.query()).map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{}{query}", uri.path()))
}
