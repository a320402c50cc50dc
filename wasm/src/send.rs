//! `SendTraced`: sends the requests of gloo-net and reqwest as CLIENT spans.

use std::future::Future;

use crate::ClientRequest;

/// Sends a request as a CLIENT span.
pub trait SendTraced {
    /// What answers it.
    type Response;
    /// Why nothing does.
    type Error;

    /// Sends the request as a CLIENT span, a child of the span that is current when the answer is first awaited, with its context in
    /// the headers where that may go: see [`ClientRequest::begin`]. Headers that were set by hand stay.
    ///
    /// The span ends when the head of the response is there: reading the body is not part of it. Status codes from 400 and failures
    /// make it an error.
    ///
    /// # Errors
    /// As the client's own `send`.
    fn send_traced(self) -> impl Future<Output = Result<Self::Response, Self::Error>>;
}

#[cfg(feature = "gloo-net")]
impl SendTraced for gloo_net::http::RequestBuilder {
    type Response = gloo_net::http::Response;
    type Error = gloo_net::Error;

    async fn send_traced(self) -> Result<Self::Response, Self::Error> {
        self.build()?.send_traced().await
    }
}

#[cfg(feature = "gloo-net")]
impl SendTraced for gloo_net::http::Request {
    type Response = gloo_net::http::Response;
    type Error = gloo_net::Error;

    async fn send_traced(self) -> Result<Self::Response, Self::Error> {
        // These are the request's own, not a copy.
        let mut headers = self.headers();
        let span = ClientRequest::begin(self.method().as_str(), &self.url(), &mut headers);
        let outcome = self.send().await;
        match &outcome {
            Ok(response) => span.answered(response.status()),
            Err(error) => span.failed("network", error),
        }
        outcome
    }
}

#[cfg(feature = "reqwest")]
impl SendTraced for reqwest::RequestBuilder {
    type Response = reqwest::Response;
    type Error = reqwest::Error;

    async fn send_traced(self) -> Result<Self::Response, Self::Error> {
        let (client, request) = self.build_split();
        let mut request = request?;
        let (method, address) = (request.method().clone(), request.url().to_string());
        let span = ClientRequest::begin(method.as_str(), &address, request.headers_mut());
        let outcome = client.execute(request).await;
        match &outcome {
            Ok(response) => span.answered(response.status().as_u16()),
            // The error's own text may have the whole address in it.
            Err(error) => span.failed(if error.is_timeout() { "timeout" } else { "network" }, &"the request failed"),
        }
        outcome
    }
}
