//! `SendTraced`: sends a `reqwest` request as a client span and hands its trace on.

use std::fmt;
use std::future::Future;

use reqwest::{Error, RequestBuilder, Response, Url};
use tracing::Span;
use tracing::field::Empty;
use tracing::instrument::Instrument as _;

use super::TARGET;
use super::client::hand_on;
use super::convention::{Method, protocol_version};
use super::exchange::{Exchange, Side};
use super::options::{self, Options, Shared};

/// Sends requests as spans.
pub trait SendTraced {
    /// Sends the request as a client span, a child of the span that is current when the answer is first awaited, with its
    /// context and the baggage in the headers that the process is [configured](crate::propagation) for, over those that are
    /// there: a proxy may pass on all that it got.
    ///
    /// The span ends when the head of the response is there: reading the body is not part of it. Status codes from 400 and
    /// failures make it an error. User name and password of the address are not recorded, nor the values in its query.
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

    /// Like [`send_traced`](Self::send_traced), with options.
    ///
    /// # Errors
    /// As [`RequestBuilder::send`].
    fn send_traced_with(self, options: &Options) -> impl Future<Output = Result<Response, Error>> + Send;
}

impl SendTraced for RequestBuilder {
    async fn send_traced(self) -> Result<Response, Error> {
        send(self, None).await
    }

    async fn send_traced_with(self, options: &Options) -> Result<Response, Error> {
        send(self, Some(options.clone().into())).await
    }
}

async fn send(request: RequestBuilder, options: Shared) -> Result<Response, Error> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let exchange = begin(&mut request, &options);
    let span = exchange.span().clone();
    let outcome = client.execute(request).instrument(span).await;
    end(exchange, outcome)
}

/// Starts the span of a request and writes its headers.
pub(super) fn begin(request: &mut reqwest::Request, options: &Shared) -> Exchange {
    let span = client_span(request, options);
    options::record_request(options, &span, request.headers());
    hand_on(&span, options, request.headers_mut());
    Exchange::new(span, Side::Client, options.clone())
}

/// Records how the request went.
pub(super) fn end(mut exchange: Exchange, outcome: Result<Response, Error>) -> Result<Response, Error> {
    match outcome {
        Ok(response) => {
            if let Some(version) = protocol_version(response.version()) {
                exchange.span().record("network.protocol.version", version);
            }
            exchange.response(response.status(), response.headers());
            exchange.complete();
            Ok(response)
        }
        Err(error) => {
            // The error's text has the whole address in it, so that is taken out for the moment.
            let url = error.url().cloned();
            let error = error.without_url();
            exchange.failed(&WithSources(&error));
            exchange.span().record("error.type", failure(&error));
            Err(match url {
                Some(url) => error.with_url(url),
                None => error,
            })
        }
    }
}

/// An error with what caused it on the same line: reqwest's own text only says that it failed.
struct WithSources<'e>(&'e Error);

impl fmt::Display for WithSources<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

fn client_span(request: &reqwest::Request, options: &Shared) -> Span {
    let method = Method::new(request.method().as_str());
    let url = request.url();
    tracing::info_span!(
        target: TARGET,
        "HTTP request",
        otel.name = method.in_span_name(),
        otel.kind = "client",
        http.request.method = method.name,
        http.request.method_original = method.original,
        url.full = shown(url, options).as_str(),
        server.address = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']')),
        server.port = url.port_or_known_default(),
        network.protocol.version = Empty,
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// The address without what may be secret.
fn shown(url: &Url, options: &Shared) -> Url {
    let mut shown = url.clone();
    shown.set_query(options::shown_query(options, url.query()).as_deref());
    shown.set_fragment(None);
    // Refused only for addresses that cannot hold a name or password in the first place.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown
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
        let url = "http://user:pass@shop.example:8080/cart/7?token=secret&page=2#part".parse().unwrap();
        assert_eq!(shown(&url, &None).as_str(), "http://shop.example:8080/cart/7?token=REDACTED&page=REDACTED");
        assert_eq!(shown(&"data:text/plain,x".parse().unwrap(), &None).as_str(), "data:text/plain,x");
    }
}
