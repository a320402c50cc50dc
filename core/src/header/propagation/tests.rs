//! What arrives and leaves by all formats together.

use super::*;
use std::string::{String, ToString};
use std::vec::Vec;

type Arrived = Extracted<heapless::Vec<u8, 512>>;

const ALL: &[Format] = &[Format::TraceContext, Format::B3, Format::Jaeger];
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
const OTHER: &str = "463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1";

/// Headers, the `traceparent` and `tracestate` they amount to, and the errors; sections of W3C Trace Context level 2.
#[test]
fn extraction_table() {
    type Headers = &'static [(&'static str, &'static str)];
    let table: &[(Headers, &str, &str, &[&str])] = &[
        (&[], "", "", &[]),
        // 3.2.1 and 3.3.1: names in any case.
        (&[("TrAcEpArEnT", PARENT), ("TRACESTATE", "a=1"), ("tracestate", "b=2")], PARENT, "a=1,b=2", &[]),
        // 3.3: without a valid traceparent the list is not even read.
        (&[("tracestate", "a=1")], "", "", &[]),
        (
            &[("traceparent", "00-x"), ("tracestate", "A=1")],
            "",
            "",
            &["traceparent: the length is not that of the version"],
        ),
        (&[("traceparent", PARENT), ("traceparent", PARENT)], "", "", &["traceparent: more than one header"]),
        // 3.3: an invalid list leaves the context alone.
        (&[("traceparent", PARENT), ("tracestate", "a=1,b")], PARENT, "", &["tracestate: a member has no '='"]),
        // Later formats overrule; the list stays with its trace, and so does the random flag.
        (
            &[("traceparent", PARENT), ("tracestate", "a=1"), ("b3", OTHER)],
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
            "",
            &[],
        ),
        (
            &[
                ("traceparent", PARENT),
                ("tracestate", "a=1"),
                ("b3", "0af7651916cd43dd8448eb211c80319c-a2fb4a1d1a96d312-0"),
            ],
            "00-0af7651916cd43dd8448eb211c80319c-a2fb4a1d1a96d312-02",
            "a=1",
            &[],
        ),
        (
            &[("b3", OTHER), ("uber-trace-id", "a:b:0:0")],
            "00-0000000000000000000000000000000a-000000000000000b-00",
            "",
            &[],
        ),
        // What is broken overrules nothing.
        (
            &[("traceparent", PARENT), ("b3", "x"), ("uber-trace-id", "a:b:0")],
            PARENT,
            "",
            &[
                "b3: the trace id is not 16 or 32 lower-case hexadecimal digits, or all zero",
                "uber-trace-id: not four parts with ':' between them",
            ],
        ),
        // What nobody uses is told of, and costs nothing.
        (
            &[
                ("x-b3-traceid", "463ac35c9f6413ad48485a3953bb6124"),
                ("x-b3-spanid", "a2fb4a1d1a96d312"),
                ("x-b3-parentspanid", ""),
            ],
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-00",
            "",
            &["b3: the parent span id is not 16 lower-case hexadecimal digits"],
        ),
    ];
    for (headers, context, list, errors) in table {
        let arrived: Arrived = extract(ALL, *headers);
        let text = arrived.context.map(|context| Traceparent::new(context).to_string()).unwrap_or_default();
        assert_eq!((text.as_str(), arrived.trace_state.as_str()), (*context, *list), "{headers:?}");
        let said: Vec<String> = arrived.errors.iter().map(ToString::to_string).collect();
        assert_eq!(said, *errors, "{headers:?}");
    }
}

#[test]
fn sampling_is_told_with_and_without_ids() {
    let sampling = |headers: &[(&str, &str)]| extract::<heapless::Vec<u8, 512>>(ALL, headers).sampling;
    assert_eq!(sampling(&[]), SamplingState::Defer);
    assert_eq!(sampling(&[("traceparent", PARENT)]), SamplingState::Accept);
    assert_eq!(sampling(&[("b3", "0")]), SamplingState::Deny);
    assert_eq!(sampling(&[("traceparent", PARENT), ("b3", "0")]), SamplingState::Accept, "about no trace of ours");
    assert_eq!(sampling(&[("uber-trace-id", "a:b:0:3")]), SamplingState::Debug);
    assert_eq!(sampling(&[("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312")]), SamplingState::Defer);
}

/// What each format writes, and that it can be read again.
#[test]
fn injection_table() {
    let context = traceparent::parse(PARENT.as_bytes()).unwrap();
    let ids = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let table: &[(Format, bool, Headers<'_>)] = &[
        (Format::TraceContext, false, &[("traceparent", PARENT), ("tracestate", "a=1")]),
        (Format::B3, false, &[("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1")]),
        (Format::B3, true, &[("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-d")]),
        (Format::B3Multi, false, &[("x-b3-traceid", ids.0), ("x-b3-spanid", ids.1), ("x-b3-sampled", "1")]),
        (Format::B3Multi, true, &[("x-b3-traceid", ids.0), ("x-b3-spanid", ids.1), ("x-b3-flags", "1")]),
        (Format::Jaeger, false, &[("uber-trace-id", "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1")]),
        (Format::Jaeger, true, &[("uber-trace-id", "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:3")]),
    ];
    for (format, debug, headers) in table {
        let mut written = Vec::new();
        let mut sink = |name: &str, value: &str| written.push((name.to_string(), value.to_string()));
        inject(&[*format], &Outgoing { context, trace_state: "a=1", debug: *debug }, &mut sink);
        assert!(
            written.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(headers.iter().copied()),
            "{written:?}"
        );
        assert!(written.iter().all(|(name, _)| format.fields().contains(&name.as_str())));
        let arrived: Arrived = extract(&[*format], written.as_slice());
        let read = arrived.context.unwrap();
        assert_eq!((read.trace_id(), read.span_id(), read.is_sampled()), (context.trace_id(), context.span_id(), true));
        assert_eq!(arrived.sampling == SamplingState::Debug, *debug);
    }
    let mut written = 0;
    inject(&[Format::TraceContext], &Outgoing { context, trace_state: "", debug: false }, &mut |_: &str, _: &str| {
        written += 1;
    });
    assert_eq!(written, 1, "an empty list is not sent");
}

#[test]
fn formats_have_the_names_of_the_specification() {
    assert_eq!(Format::from_name("tracecontext"), Some(Format::TraceContext));
    assert_eq!(Format::from_name("b3"), Some(Format::B3));
    assert_eq!(Format::from_name("b3multi"), Some(Format::B3Multi));
    assert_eq!(Format::from_name("jaeger"), Some(Format::Jaeger));
    assert_eq!(Format::from_name("baggage"), None);
}
