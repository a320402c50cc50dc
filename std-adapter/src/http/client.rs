//! `SendTraced`: sends a `reqwest` request as a client span and hands its trace on.

use std::future::Future;

use clewline_core::Status;
use reqwest::{Error, RequestBuilder, Response, Url};
use tracing::Span;
use tracing::field::Empty;
use tracing::instrument::Instrument as _;

use super::TARGET;
use super::convention::{Method, protocol_version};
use super::propagation::inject_context;
use crate::SpanExt as _;

/// Sends requests as spans.
pub trait SendTraced {
    /// Sends the request as a client span, a child of the span that is current when the answer is first awaited, with its
    /// `traceparent` header. A header that was set by hand stays.
    ///
    /// The span ends when the head of the response is there: reading the body is not part of it. Status codes from 400 and
    /// failures make it an error. The query, user name and password of the address are not recorded.
    ///
    /// ```no_run
    /// # async fn example() -> reqwest::Result<()> {
    /// use clewline::http::SendTraced as _;
    ///
    /// let client = reqwest::Client::new();
    /// let answer = client.get("http://stock.example/reserve").send_traced().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`RequestBuilder::send`].
    fn send_traced(self) -> impl Future<Output = Result<Response, Error>> + Send;
}

impl SendTraced for RequestBuilder {
    async fn send_traced(self) -> Result<Response, Error> {
        let (client, request) = self.build_split();
        let mut request = request?;
        let span = client_span(&request);
        let context = span.context().or_else(crate::current_context);
        inject_context(request.headers_mut(), context);
        let outcome = client.execute(request).instrument(span.clone()).await;
        match outcome {
            Ok(response) => {
                record_response(&span, &response);
                Ok(response)
            }
            Err(error) => Err(record_failure(&span, error)),
        }
    }
}

fn client_span(request: &reqwest::Request) -> Span {
    let method = Method::new(request.method().as_str());
    let url = request.url();
    tracing::info_span!(
        target: TARGET,
        "HTTP request",
        otel.name = method.in_span_name(),
        otel.kind = "client",
        http.request.method = method.name,
        http.request.method_original = method.original,
        url.full = shown(url).as_str(),
        server.address = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']')),
        server.port = url.port_or_known_default(),
        network.protocol.version = Empty,
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// The address without what may be secret.
fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Refused only for addresses that cannot hold a name or password in the first place.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown
}

fn record_response(span: &Span, response: &Response) {
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if let Some(version) = protocol_version(response.version()) {
        span.record("network.protocol.version", version);
    }
    if status.is_client_error() || status.is_server_error() {
        span.record("error.type", status.as_str());
        span.set_status(Status::error(""));
    }
}

/// Records why there is no response. The error's text has the whole address in it, so that is taken out for the moment.
fn record_failure(span: &Span, error: Error) -> Error {
    span.record("error.type", failure(&error));
    let url = error.url().cloned();
    let error = error.without_url();
    span.record_error(&error);
    match url {
        Some(url) => error.with_url(url),
        None => error,
    }
}

/// `error.type`: a word from a small set.
fn failure(error: &Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else if error.is_redirect() {
        "redirect"
    } else if error.is_request() {
        "request"
    } else {
        "_OTHER"
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn secrets_leave_the_address() {
        let url = "http://user:pass@shop.example:8080/cart/7?token=secret#part".parse().unwrap();
        assert_eq!(shown(&url).as_str(), "http://shop.example:8080/cart/7");
        assert_eq!(shown(&"data:text/plain,x".parse().unwrap()).as_str(), "data:text/plain,x");
    }
}
