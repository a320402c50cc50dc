//! `ClientMiddleware`: makes every request of a `reqwest_middleware` client a span and hands its trace on.

use std::sync::Arc;

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};
use tracing::instrument::Instrument as _;

use super::options::{Options, Shared};
use super::reqwest::{begin, end};

/// Does to every request of a client what [`send_traced`](super::SendTraced::send_traced) does to one.
///
/// Add it last: then it sees every attempt of a retrying middleware as a span of its own, and the headers that others set.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// let client = ClientBuilder::new(reqwest::Client::new()).with(clewline::http::ClientMiddleware::new()).build();
/// # let _ = client;
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientMiddleware {
    options: Shared,
}

impl ClientMiddleware {
    /// The middleware, with the default [`Options`].
    #[must_use]
    pub const fn new() -> Self {
        Self { options: None }
    }

    /// The middleware, with options.
    #[must_use]
    pub fn with_options(options: Options) -> Self {
        Self { options: Some(Arc::new(options)) }
    }
}

#[async_trait::async_trait]
impl Middleware for ClientMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let mut exchange = begin(&mut request, &self.options);
        let span = exchange.span().clone();
        match next.run(request, extensions).instrument(span).await {
            Ok(response) => end(exchange, Ok(response)).map_err(Error::from),
            Err(Error::Reqwest(error)) => end(exchange, Err(error)).map_err(Error::from),
            Err(error) => {
                exchange.failed(&error);
                Err(error)
            }
        }
    }
}
