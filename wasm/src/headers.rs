//! `inject`: the current context in the headers of a request, whatever client sends it.

use clewline::Context;
use clewline::propagation::{self, Propagators};
use clewline::traceparent::Traceparent;

/// Headers of a request. Names are in lower case.
pub trait Carrier {
    /// Whether there is such a header already.
    fn has(&self, name: &str) -> bool;

    /// Sets a header.
    fn set(&mut self, name: &str, value: &str);
}

impl Carrier for web_sys::Headers {
    fn has(&self, name: &str) -> bool {
        Self::has(self, name).unwrap_or(false)
    }

    fn set(&mut self, name: &str, value: &str) {
        // Refused only for headers that cannot be changed any more, such as those of a response.
        let _ = Self::set(self, name, value);
    }
}

#[cfg(feature = "gloo-net")]
impl Carrier for gloo_net::http::Headers {
    fn has(&self, name: &str) -> bool {
        Self::has(self, name)
    }

    fn set(&mut self, name: &str, value: &str) {
        Self::set(self, name, value);
    }
}

#[cfg(feature = "http")]
impl Carrier for http::HeaderMap {
    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }

    fn set(&mut self, name: &str, value: &str) {
        // Propagators write names and values of visible ASCII, which are always valid.
        if let (Ok(name), Ok(value)) = (http::HeaderName::from_bytes(name.as_bytes()), value.parse()) {
            self.insert(name, value);
        }
    }
}

impl Carrier for Vec<(String, String)> {
    fn has(&self, name: &str) -> bool {
        self.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    fn set(&mut self, name: &str, value: &str) {
        self.push((name.to_owned(), value.to_owned()));
    }
}

/// Writes the current context into the headers of a request: `traceparent`, and where there is such a thing `tracestate` and
/// `baggage`. Answers whether anything was written.
///
/// Headers that are there already stay, and so does all that belongs to them: whoever set `traceparent` by hand meant it. It
/// writes wherever it is told to; think of whom the request goes to, as another origin must allow the header (CORS), or the browser
/// refuses the request.
///
/// ```
/// let _attached = clewline_wasm::context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").attach();
/// let mut headers: Vec<(String, String)> = Vec::new();
/// assert!(clewline_wasm::inject(&mut headers));
/// assert_eq!(headers[0].0, "traceparent");
/// assert!(!clewline_wasm::inject(&mut headers), "it is there already");
/// ```
pub fn inject(headers: &mut (impl Carrier + ?Sized)) -> bool {
    inject_context(&Context::current(), headers)
}

/// Writes what `headers` do not have yet.
pub(crate) fn inject_context(context: &Context, headers: &mut (impl Carrier + ?Sized)) -> bool {
    match propagation::chosen() {
        Some(propagators) => inject_chosen(propagators, context, headers),
        None => inject_w3c(context, headers),
    }
}

/// By the propagators that the program has set.
fn inject_chosen(propagators: &Propagators, context: &Context, headers: &mut (impl Carrier + ?Sized)) -> bool {
    let has_any_of = |names: &[&str]| names.iter().any(|name| headers.has(name));
    let is_traced = has_any_of(&propagators.fields().filter(|name| *name != "baggage").collect::<Vec<_>>());
    let has_baggage = has_any_of(&["baggage"]);
    let mut has_written = false;
    propagators.inject(context, &mut |name: &str, value: &str| {
        if !(if name == "baggage" { has_baggage } else { is_traced }) {
            headers.set(name, value);
            has_written = true;
        }
    });
    has_written
}

/// By those that every program has. Written out, because a list of formats would have all of them linked, for 1.6 KB.
fn inject_w3c(context: &Context, headers: &mut (impl Carrier + ?Sized)) -> bool {
    let mut has_written = false;
    let mut set = |headers: &mut _, name: &str, value: &str| {
        Carrier::set(headers, name, value);
        has_written = true;
    };
    if let Some(span) = context.span_context()
        && !headers.has("traceparent")
        && !headers.has("tracestate")
    {
        set(headers, "traceparent", Traceparent::new(span).as_str());
        let trace_state = context.trace_state();
        if !trace_state.is_empty() {
            set(headers, "tracestate", trace_state);
        }
    }
    let baggage = context.baggage();
    if !baggage.is_empty() && !headers.has("baggage") {
        set(headers, "baggage", baggage.as_str());
    }
    has_written
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn written(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
        let context = crate::context(TEXT).with_trace_state("a=1").with_baggage_entry("tenant", "acme").unwrap();
        inject_context(&context, &mut headers);
        headers
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn everything_that_travels_is_written() {
        assert_eq!(
            written(Vec::new()),
            pairs(&[("traceparent", TEXT), ("tracestate", "a=1"), ("baggage", "tenant=acme")])
        );
    }

    #[test]
    fn what_was_set_by_hand_stays_with_all_that_belongs_to_it() {
        let by_hand = [("Traceparent", "by hand")];
        assert_eq!(written(pairs(&by_hand)), pairs(&[by_hand[0], ("baggage", "tenant=acme")]));
        let baggage = [("baggage", "a=b")];
        assert_eq!(written(pairs(&baggage)), pairs(&[baggage[0], ("traceparent", TEXT), ("tracestate", "a=1")]));
    }

    #[test]
    fn chosen_propagators_write_what_they_know_and_w3c_is_what_everybody_has() {
        let context = crate::context(TEXT).with_trace_state("a=1").with_baggage_entry("tenant", "acme").unwrap();
        let by = |propagators: &Propagators, context: &Context, mut headers: Vec<(String, String)>| {
            let has_written = inject_chosen(propagators, context, &mut headers);
            (has_written, headers)
        };
        for headers in [
            pairs(&[]),
            pairs(&[("traceparent", "mine")]),
            pairs(&[("tracestate", "b=2")]),
            pairs(&[("baggage", "c=d")]),
        ] {
            for context in [&context, &crate::context(TEXT), &Context::default()] {
                let mut fixed = headers.clone();
                let has_written = inject_w3c(context, &mut fixed);
                assert_eq!(by(&Propagators::default(), context, headers.clone()), (has_written, fixed));
            }
        }
        let b3 = Propagators::from_names(["b3"]).unwrap();
        let (trace_id, span_id) = (&TEXT[3..35], &TEXT[36..52]);
        let expected = pairs(&[("b3", &format!("{trace_id}-{span_id}-1"))]);
        assert_eq!(by(&b3, &context, Vec::new()), (true, expected));
    }

    #[test]
    fn nothing_is_written_outside_of_all_spans() {
        let mut headers = Vec::new();
        assert!(!inject(&mut headers));
        assert!(headers.is_empty());
    }
}
