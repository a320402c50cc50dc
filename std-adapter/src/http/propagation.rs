//! Contexts in and out of an [`http::HeaderMap`].

use clewline_core::{b3, baggage, jaeger, traceparent, tracestate};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::propagation::{self, Context, HeaderSink, HeaderSource, Propagators};

/// Reads the context that a request brought, by the propagators of the [process](propagation::global).
///
/// What is broken is left out: an invalid header means that a new trace begins, never that the request fails. To learn of it,
/// give [`source`] to [`Propagators::read`].
///
/// ```
/// # let mut headers = http::HeaderMap::new();
/// # headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
/// let context = clewline::http::extract(&headers);
/// let mut span = clewline::tracer("shop").span("GET /cart").child_of(&context).start();
/// # span.end();
/// ```
#[must_use]
pub fn extract(headers: &HeaderMap) -> Context {
    propagation::global().extract(&source(headers))
}

/// Writes the current context into the headers of an outgoing request, by the propagators of the
/// [process](propagation::global).
///
/// Headers that are there already stay, and so does all of their format: whoever set `traceparent` by hand meant it. Answers
/// whether anything was written.
pub fn inject(headers: &mut HeaderMap) -> bool {
    inject_missing(propagation::global(), &Context::current(), headers)
}

/// Writes what `headers` do not have yet.
pub(super) fn inject_missing(propagators: &Propagators, context: &Context, headers: &mut HeaderMap) -> bool {
    let before = headers.len();
    for part in propagators.parts() {
        if !part.fields().iter().any(|name| headers.contains_key(*name)) {
            part.inject(context, &mut sink(headers));
        }
    }
    headers.len() > before
}

/// The headers as something to read a context from.
#[must_use]
pub const fn source(headers: &HeaderMap) -> Source<'_> {
    Source { headers }
}

/// Headers to read a context from; made by [`source`].
#[derive(Clone, Copy, Debug)]
pub struct Source<'h> {
    headers: &'h HeaderMap,
}

impl HeaderSource for Source<'_> {
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.get_all(name).iter().map(HeaderValue::as_bytes)
    }

    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let found = self.headers.iter().filter(move |(name, _)| name.as_str().starts_with(prefix));
        found.map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

/// The headers as something to write a context to.
pub const fn sink(headers: &mut HeaderMap) -> Sink<'_> {
    Sink { headers }
}

/// Headers to write a context to; made by [`sink`].
#[derive(Debug)]
pub struct Sink<'h> {
    headers: &'h mut HeaderMap,
}

impl HeaderSink for Sink<'_> {
    fn set(&mut self, name: &str, value: &str) {
        // Propagators write visible ASCII, which is always valid; should that change, the request goes out without.
        if let (Some(name), Ok(value)) = (header_name(name), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
    }
}

/// A name in lower case; those that are known need no memory.
fn header_name(name: &str) -> Option<HeaderName> {
    const KNOWN: [HeaderName; 5] = [
        HeaderName::from_static(traceparent::NAME),
        HeaderName::from_static(tracestate::NAME),
        HeaderName::from_static(baggage::NAME),
        HeaderName::from_static(b3::NAME),
        HeaderName::from_static(jaeger::NAME),
    ];
    let known = KNOWN.into_iter().find(|known| known.as_str() == name);
    known.or_else(|| HeaderName::from_bytes(name.as_bytes()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn context() -> Context {
        let headers = [("traceparent", TEXT), ("tracestate", "a=1"), ("baggage", "tenant=acme")];
        Propagators::default().extract(&headers)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let propagators: Propagators = "tracecontext,baggage,b3multi,jaeger".parse().unwrap();
        let mut headers = HeaderMap::new();
        assert!(inject_missing(&propagators, &context(), &mut headers));
        assert_eq!(
            (&headers["traceparent"], &headers["x-b3-sampled"]),
            (&HeaderValue::from_static(TEXT), &HeaderValue::from_static("1"))
        );
        assert_eq!(extract(&headers), context());
        headers.append("traceparent", HeaderValue::from_static(TEXT));
        assert_eq!(extract(&headers).span_context(), None, "two are none");
    }

    #[test]
    fn a_header_set_by_hand_stays_and_so_does_its_format() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static("by hand"));
        assert!(inject_missing(&Propagators::default(), &context(), &mut headers));
        assert_eq!((&headers["traceparent"], headers.get("tracestate")), (&HeaderValue::from_static("by hand"), None));
        assert_eq!(headers["baggage"], "tenant=acme");
        assert!(!inject_missing(&Propagators::default(), &context(), &mut headers));
    }
}
