//! `TracedBody`: a response body that keeps its request's span open until the last byte, an error, or its drop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::Exchange;

pin_project! {
    /// The body of a response from a [`ServerService`](super::ServerService) or [`ClientService`](super::ClientService).
    ///
    /// Work that the body does while it is read happens within the span. The span ends with the body.
    #[derive(Debug)]
    pub struct TracedBody<B> {
        // Before the exchange, so that it is dropped first.
        #[pin]
        inner: B,
        exchange: Option<Exchange>,
        // Bytes still to come, where the body or the response's head says how many.
        outstanding: Option<u64>,
    }
}

impl<B: Body> TracedBody<B> {
    /// Takes over the exchange of a response with this head, whose body nobody reads if `is_head_request`.
    pub(super) fn new(inner: B, mut exchange: Exchange, head: &http::response::Parts, is_head_request: bool) -> Self {
        let declared =
            head.headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let outstanding = declared.or_else(|| inner.size_hint().exact());
        // RFC 9110, section 6.4.1: these have no content, and servers drop a body without looking at it.
        let has_no_content = is_head_request
            || head.status.is_informational()
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let is_complete = has_no_content || inner.is_end_stream() || outstanding == Some(0);
        if is_complete {
            exchange.complete();
        }
        Self { inner, exchange: (!is_complete).then_some(exchange), outstanding }
    }
}

impl<B> Body for TracedBody<B>
where
    B: Body,
    B::Error: fmt::Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(exchange) = this.exchange else {
            return this.inner.poll_frame(context);
        };
        let frame = {
            let _attached = exchange.attach();
            let _entered = exchange.span().enter();
            ready!(this.inner.as_mut().poll_frame(context))
        };
        let is_over = match &frame {
            None => true,
            Some(Ok(frame)) => {
                if let (Some(outstanding), Some(data)) = (&mut *this.outstanding, frame.data_ref()) {
                    *outstanding = outstanding.saturating_sub(data.remaining() as u64);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    exchange.trailers(trailers);
                }
                // A server that has all it announced does not ask again.
                this.inner.is_end_stream() || *this.outstanding == Some(0)
            }
            Some(Err(error)) => {
                exchange.failed(error);
                true
            }
        };
        if is_over {
            exchange.complete();
            *this.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for TracedBody<B> {
    /// A body without a span, for services that need to make up a response.
    fn default() -> Self {
        Self { inner: B::default(), exchange: None, outstanding: None }
    }
}
