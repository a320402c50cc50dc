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
/// What is there already is replaced, together with all of its format: a proxy that passes on the headers it got does not pass on
/// who called it. Without a current context nothing is touched. Answers whether anything was written.
pub fn inject(headers: &mut HeaderMap) -> bool {
    inject_over(propagation::global(), &Context::current(), headers)
}

/// Writes what there is to write, over what `headers` have.
pub(super) fn inject_over(propagators: &Propagators, context: &Context, headers: &mut HeaderMap) -> bool {
    let mut is_written = false;
    for part in propagators.parts() {
        let mut sink = Replacing { headers: sink(headers), fields: part.fields(), is_written: false };
        part.inject(context, &mut sink);
        is_written |= sink.is_written;
    }
    is_written
}

/// Removes all headers of a format before the first is written: a list without its `traceparent` is of another trace.
struct Replacing<'h> {
    headers: Sink<'h>,
    fields: &'static [&'static str],
    is_written: bool,
}

impl HeaderSink for Replacing<'_> {
    fn set(&mut self, name: &str, value: &str) {
        if !self.is_written {
            self.is_written = true;
            for field in self.fields {
                self.headers.headers.remove(*field);
            }
        }
        self.headers.set(name, value);
    }
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
        assert!(inject_over(&propagators, &context(), &mut headers));
        assert_eq!(
            (&headers["traceparent"], &headers["x-b3-sampled"]),
            (&HeaderValue::from_static(TEXT), &HeaderValue::from_static("1"))
        );
        assert_eq!(extract(&headers), context());
        headers.append("traceparent", HeaderValue::from_static(TEXT));
        assert_eq!(extract(&headers).span_context(), None, "two are none");
    }

    #[test]
    fn what_was_passed_on_is_replaced_with_its_whole_format() {
        const BEFORE: [(&str, &str); 5] = [
            ("traceparent", "00-00000000000000000000000000000001-0000000000000002-01"),
            ("tracestate", "stale=1"),
            ("baggage", "tenant=old"),
            ("b3", "0"),
            ("x-request-id", "7"),
        ];
        let text = |name: &str, headers: &HeaderMap| {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let before = || -> HeaderMap {
            let lines = BEFORE.into_iter().chain([("tracestate", "stale=2")]);
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, HeaderValue::from_static(value));
            }
            headers
        };
        let mut headers = before();
        assert!(inject_over(&Propagators::default(), &context(), &mut headers));
        assert_eq!(
            (text("traceparent", &headers), text("tracestate", &headers)),
            (vec![TEXT.into()], vec!["a=1".into()])
        );
        assert_eq!((text("baggage", &headers), text("b3", &headers)), (vec!["tenant=acme".into()], vec!["0".into()]));
        // A trace without a list has none; baggage that nobody knows better stays.
        let mut headers = before();
        assert!(inject_over(&Propagators::default(), &Context::new(context().span_context()), &mut headers));
        assert_eq!((text("traceparent", &headers), text("tracestate", &headers)), (vec![TEXT.into()], vec![]));
        assert_eq!(
            (text("baggage", &headers), text("x-request-id", &headers)),
            (vec!["tenant=old".into()], vec!["7".into()])
        );
        let mut headers = before();
        assert!(!inject_over(&Propagators::default(), &Context::default(), &mut headers));
        assert_eq!(headers, before());
    }
}
