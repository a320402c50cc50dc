//! Headers and baggage through the OpenTelemetry API: read, handed from door to door, written.

use std::collections::HashMap;

use clewline::opentelemetry::Propagator;
use clewline::propagation::{self, Propagators, carrier};
use clewline::{Context, SpanContext, SpanExt};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry::{Context as OtelContext, KeyValue};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Recorder, named};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn propagator(names: &str) -> Propagator {
    Propagator::from(names.parse::<Propagators>().unwrap())
}

fn headers(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn injected(propagator: &Propagator, cx: &OtelContext) -> Vec<(String, String)> {
    let mut headers = HashMap::new();
    propagator.inject_context(cx, &mut headers);
    let mut headers: Vec<_> = headers.into_iter().collect();
    headers.sort();
    headers
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn what_is_extracted_is_injected_again() {
    let table: [(&str, &[(&str, &str)]); 5] = [
        (
            "tracecontext,baggage",
            &[
                ("baggage", "tenant=M%C3%BCller;public"),
                ("traceparent", TRACEPARENT),
                ("tracestate", "congo=t61,rojo=1"),
            ],
        ),
        ("b3", &[("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1")]),
        ("b3", &[("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-d")]),
        ("b3multi", &[("x-b3-sampled", "0"), ("x-b3-spanid", "b7ad6b7169203331"), ("x-b3-traceid", TRACE)]),
        ("jaeger", &[("uber-trace-id", "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1")]),
    ];
    for (names, pairs) in table {
        let propagator = propagator(names);
        let cx = propagator.extract_with_context(&OtelContext::new(), &headers(pairs));
        assert!(cx.span().span_context().is_remote(), "{names}");
        assert_eq!(cx.span().span_context().trace_id().to_string(), TRACE, "{names}");
        let expected: Vec<_> = pairs.iter().map(|(name, value)| pair(name, value)).collect();
        assert_eq!(injected(&propagator, &cx), expected, "{names}");
    }
}

/// A carrier with repeated headers, as a map of HTTP headers is.
struct Lines(Vec<(&'static str, &'static str)>);

impl Extractor for Lines {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.first().copied()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        Some(self.0.iter().filter(|(name, _)| *name == key).map(|(_, value)| *value).collect())
    }
}

#[test]
fn repeated_headers_are_read_by_the_rules_of_each() {
    let propagator = propagator("tracecontext,baggage");
    let lines = Lines(vec![
        ("traceparent", TRACEPARENT),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("baggage", "c=3"),
        ("baggage", "d=4"),
    ]);
    let cx = propagator.extract_with_context(&OtelContext::new(), &lines);
    assert_eq!(cx.span().span_context().trace_state().header(), "a=1,b=2");
    assert_eq!(cx.baggage().len(), 2);
    let twice = Lines(vec![("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)]);
    assert!(!propagator.extract_with_context(&OtelContext::new(), &twice).has_active_span(), "repeated: invalid");
}

#[test]
fn what_is_invalid_or_missing_leaves_the_context_as_it_is() {
    let propagator = propagator("tracecontext,baggage");
    let before = OtelContext::new().with_baggage([KeyValue::new("kept", "yes")]);
    for pairs in [&[][..], &[("traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]] {
        let cx = propagator.extract_with_context(&before, &headers(pairs));
        assert!(!cx.has_active_span());
        assert_eq!(cx.baggage().to_string(), "kept=yes");
    }
    assert_eq!(injected(&propagator, &OtelContext::new()), []);
    let mut fields: Vec<_> = propagator.fields().collect();
    fields.sort_unstable();
    assert_eq!(fields, ["baggage", "traceparent", "tracestate"]);
}

#[test]
fn context_list_and_baggage_pass_from_door_to_door() {
    let recorder = Recorder::new();
    let (otel, native) = (recorder.tracer(), recorder.native());
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorder.layer()));
    let propagator = propagator("tracecontext,baggage");
    let incoming = headers(&[("traceparent", TRACEPARENT), ("tracestate", "congo=t61"), ("baggage", "tenant=acme")]);
    let outgoing = |context: &Context| {
        let mut pairs: Vec<(String, String)> = Vec::new();
        propagation::global().inject(context, &mut carrier::pairs_mut(&mut pairs));
        pairs.sort();
        pairs
    };
    let span_id = |span: Option<SpanContext>| span.unwrap().span_id().to_string();
    let expected = |span: String| {
        [
            pair("baggage", "tenant=acme"),
            pair("traceparent", &format!("00-{TRACE}-{span}-01")),
            pair("tracestate", "congo=t61"),
        ]
    };

    // In through the API, out through the native door, and the other way round.
    let cx = propagator.extract_with_context(&OtelContext::new(), &incoming);
    otel.in_span_with_context("otel", &cx, |cx| {
        assert_eq!(outgoing(&Context::current()), expected(cx.span().span_context().span_id().to_string()));
        native.span("native in otel").start().in_scope(|| {
            let current = Context::current();
            assert_eq!(outgoing(&current), expected(span_id(current.span_context())));
            assert_eq!(injected(&propagator, &OtelContext::current()), expected(span_id(current.span_context())));
        });
        tracing::info_span!("tracing in otel").in_scope(|| {
            let current = Context::current();
            assert_eq!(outgoing(&current), expected(span_id(current.span_context())));
            assert_eq!(injected(&propagator, &OtelContext::current()), expected(span_id(current.span_context())));
            otel.in_span("otel in tracing", |cx| {
                assert_eq!(injected(&propagator, &cx), expected(cx.span().span_context().span_id().to_string()));
            });
        });
        let _more =
            OtelContext::current_with_baggage([KeyValue::new("tenant", "acme"), KeyValue::new("more", "1")]).attach();
        assert_eq!(Context::current().baggage().get("more").unwrap(), "1");
    });
    let context = propagation::global().extract(&carrier::map(&incoming));
    let _attached = context.attach();
    assert_eq!(OtelContext::current().baggage().to_string(), "tenant=acme");
    native.span("native").start().in_scope(|| {
        let cx = OtelContext::current();
        assert_eq!(injected(&propagator, &cx), expected(span_id(Context::current().span_context())));
        otel.in_span("otel in native", |cx| {
            assert_eq!(cx.span().span_context().trace_state().header(), "congo=t61");
            assert_eq!(cx.baggage().to_string(), "tenant=acme");
        });
    });
    for name in ["otel", "native in otel", "tracing in otel", "otel in tracing", "native", "otel in native"] {
        let spans = recorder.spans();
        assert_eq!(named(&spans, name).span_context.trace_state().header(), "congo=t61", "{name}");
    }
}

#[test]
fn a_tracing_span_is_injected_through_the_api() {
    let recorder = Recorder::new();
    let _ = recorder.tracer();
    let propagator = propagator("tracecontext");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(recorder.layer()), || {
        tracing::info_span!("tracing").in_scope(|| {
            let span = tracing::Span::current();
            let context = SpanExt::context(&span).unwrap();
            let expected = format!("00-{}-{}-03", context.trace_id(), context.span_id());
            assert_eq!(injected(&propagator, &OtelContext::current()), [pair("traceparent", &expected)]);
            span.set_parent(clewline::traceparent::parse(TRACEPARENT.as_bytes()).ok());
            let expected = format!("00-{TRACE}-{}-01", context.span_id());
            assert_eq!(injected(&propagator, &OtelContext::current()), [pair("traceparent", &expected)]);
        });
    });
}
