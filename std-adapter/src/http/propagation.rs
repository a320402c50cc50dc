//! The `traceparent` header in and out of an [`http::HeaderMap`].

use clewline_core::SpanContext;
use clewline_core::traceparent::{self, Traceparent, TraceparentError};
use http::{HeaderMap, HeaderName, HeaderValue};

const NAME: HeaderName = HeaderName::from_static(traceparent::NAME);

/// Reads the context that a request brought.
///
/// # Errors
/// Why there is none. An invalid header means that a new trace begins, never that the request fails.
///
/// ```
/// # let mut headers = http::HeaderMap::new();
/// # headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
/// let parent = clewline::http::extract(&headers).ok();
/// let mut span = clewline::tracer("shop").span("GET /cart").child_of(parent).start();
/// # span.end();
/// ```
pub fn extract(headers: &HeaderMap) -> Result<SpanContext, TraceparentError> {
    traceparent::extract(headers.get_all(NAME).iter().map(HeaderValue::as_bytes))
}

/// Writes the context of the current `tracing` span into the headers of an outgoing request.
///
/// Without a current span nothing is written. A `traceparent` that is there already stays: whoever set it by hand meant it.
/// Answers whether the header was written.
pub fn inject(headers: &mut HeaderMap) -> bool {
    inject_context(headers, crate::current_context())
}

/// Writes `context`, unless there is a header already.
pub(super) fn inject_context(headers: &mut HeaderMap, context: Option<SpanContext>) -> bool {
    let Some(context) = context.filter(|_| !headers.contains_key(NAME)) else {
        return false;
    };
    // 55 bytes of visible ASCII are always a valid value; should that change, the request goes out without.
    HeaderValue::from_bytes(Traceparent::new(context).as_bytes()).is_ok_and(|value| {
        headers.insert(NAME, value);
        true
    })
}

#[cfg(test)]
mod tests {
    use super::{NAME, extract, inject_context};
    use clewline_core::traceparent::{TraceparentError, parse};
    use http::{HeaderMap, HeaderValue};

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_written_is_read_again() {
        let context = parse(TEXT.as_bytes()).unwrap();
        let mut headers = HeaderMap::new();
        assert!(inject_context(&mut headers, Some(context)));
        assert_eq!(headers[NAME], TEXT);
        assert_eq!(extract(&headers), Ok(context));
        headers.append(NAME, HeaderValue::from_static(TEXT));
        assert_eq!(extract(&headers), Err(TraceparentError::Repeated));
    }

    #[test]
    fn a_header_set_by_hand_stays() {
        let mut headers = HeaderMap::from_iter([(NAME, HeaderValue::from_static("by hand"))]);
        assert!(!inject_context(&mut headers, parse(TEXT.as_bytes()).ok()));
        assert_eq!(headers[NAME], "by hand");
        let mut headers = HeaderMap::new();
        assert!(!inject_context(&mut headers, None));
        assert!(headers.is_empty());
    }
}
