//! Tables from the b3-propagation document.

use super::*;
use std::format;
use std::string::String;
use std::vec::Vec;

/// `trace-span state`, as canonical text.
fn show(read: Result<B3Context, B3Error>) -> Result<String, B3Error> {
    let B3Context { context, sampling } = read?;
    assert!(context.is_none_or(|context| context.is_remote() && context.is_sampled() == sampling.is_sampled()));
    let ids = context.map(|context| format!("{}-{} ", context.trace_id(), context.span_id())).unwrap_or_default();
    Ok(format!("{ids}{sampling:?}"))
}

/// A value, what it says, and the section of the b3-propagation document.
#[test]
fn single_header_table() {
    use B3Error as E;
    let table: &[(&str, Result<&str, E>)] = &[
        // "Single Header" and its parts: the document's examples.
        (
            "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-e457b5a2e4d86bd1",
            Ok("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90 Accept"),
        ),
        (
            "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1",
            Ok("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90 Accept"),
        ),
        (
            "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-d",
            Ok("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90 Debug"),
        ),
        (
            "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-0",
            Ok("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90 Deny"),
        ),
        // "Sampling State": left out it is deferred, also before a parent.
        (
            "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90",
            Ok("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90 Defer"),
        ),
        (
            "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-e457b5a2e4d86bd1",
            Ok("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90 Defer"),
        ),
        // It can also come alone.
        ("0", Ok("Deny")),
        ("1", Ok("Accept")),
        ("d", Ok("Debug")),
        (" 0\t", Ok("Deny")),
        // "TraceId": 32 or 16 lower-case digits.
        ("64fe8b2a57d3eff7-05e3ac9a4f6e3b90-1", Ok("000000000000000064fe8b2a57d3eff7-05e3ac9a4f6e3b90 Accept")),
        ("64fe8b2a57d3eff-05e3ac9a4f6e3b90-1", Err(E::TraceId)),
        ("80f198ee56343ba864fe8b2a57d3eff-05e3ac9a4f6e3b90-1", Err(E::TraceId)),
        ("80f198ee56343ba864fe8b2a57d3eff70-05e3ac9a4f6e3b90-1", Err(E::TraceId)),
        ("80F198EE56343BA864FE8B2A57D3EFF7-05e3ac9a4f6e3b90-1", Err(E::TraceId)),
        ("0000000000000000-05e3ac9a4f6e3b90-1", Err(E::TraceId)),
        ("-05e3ac9a4f6e3b90-1", Err(E::TraceId)),
        ("", Err(E::TraceId)),
        ("2", Err(E::TraceId)),
        // "SpanId": 16 lower-case digits, required.
        ("80f198ee56343ba864fe8b2a57d3eff7", Err(E::SpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-", Err(E::SpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-5e3ac9a4f6e3b90-1", Err(E::SpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05E3AC9A4F6E3B90-1", Err(E::SpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-0000000000000000-1", Err(E::SpanId)),
        // Other states, and what may follow.
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-2", Err(E::Sampling)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-D", Err(E::Sampling)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-true", Err(E::Sampling)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-", Err(E::Sampling)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-", Err(E::ParentSpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-e457", Err(E::ParentSpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-E457B5A2E4D86BD1", Err(E::ParentSpanId)),
        ("80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-e457b5a2e4d86bd1-", Err(E::ParentSpanId)),
    ];
    for (value, verdict) in table {
        assert_eq!(show(parse_single(value.as_bytes())), verdict.map(String::from), "{value:?}");
    }
}

/// Headers, what they say, and the section of the b3-propagation document.
#[test]
fn multi_header_table() {
    use B3Error as E;
    const T: (&str, &str) = ("X-B3-TraceId", "463ac35c9f6413ad48485a3953bb6124");
    const S: (&str, &str) = ("X-B3-SpanId", "a2fb4a1d1a96d312");
    let ids = |state: &str| Ok(format!("463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312 {state}"));
    type Headers = &'static [(&'static str, &'static str)];
    let table: &[(Headers, Result<String, E>)] = &[
        (&[T, S], ids("Defer")),
        (&[T, S, ("X-B3-Sampled", "1")], ids("Accept")),
        (&[T, S, ("X-B3-Sampled", "0")], ids("Deny")),
        // "Sampling State": tracers before the document wrote words.
        (&[T, S, ("x-b3-sampled", "true")], ids("Accept")),
        (&[T, S, ("x-b3-sampled", "False")], ids("Deny")),
        (&[T, S, ("x-b3-sampled", "2")], Err(E::Sampling)),
        // "Debug Flag": implies an accept decision; other values mean nothing.
        (&[T, S, ("X-B3-Flags", "1")], ids("Debug")),
        (&[T, S, ("X-B3-Flags", "1"), ("X-B3-Sampled", "0")], ids("Debug")),
        (&[T, S, ("X-B3-Flags", "0"), ("X-B3-Sampled", "1")], ids("Accept")),
        // "ParentSpanId".
        (&[T, S, ("X-B3-ParentSpanId", "0020000000000001")], ids("Defer")),
        (&[T, S, ("X-B3-ParentSpanId", "002000000000000")], ids("Defer")),
        // "TraceId" and "SpanId": both are required.
        (
            &[("x-b3-traceid", "48485a3953bb6124"), S],
            Ok("000000000000000048485a3953bb6124-a2fb4a1d1a96d312 Defer".into()),
        ),
        (&[("x-b3-traceid", "48485a39"), S], Err(E::TraceId)),
        (&[T], Err(E::SpanId)),
        (&[S], Err(E::TraceId)),
        // A state alone.
        (&[("X-B3-Sampled", "0")], Ok("Deny".into())),
        (&[("X-B3-Flags", "1")], Ok("Debug".into())),
        (&[], Err(E::Missing)),
        (&[("X-B3-ParentSpanId", "0020000000000001")], Err(E::Missing)),
        // "Multiple Headers": the first value wins.
        (&[T, S, ("X-B3-Sampled", "1"), ("X-B3-Sampled", "0")], ids("Accept")),
        // "Http Encodings": the single header comes first; a broken one does not hide the others.
        (&[T, S, ("b3", "0")], Ok("Deny".into())),
        (&[T, S, ("b3", "x")], ids("Defer")),
        (&[T, ("b3", "x")], Err(E::TraceId)),
    ];
    for (headers, verdict) in table {
        assert_eq!(show(extract(*headers)), *verdict, "{headers:?}");
    }
}

#[test]
fn a_parent_span_id_of_its_own_header_is_checked_on_request() {
    for (value, verdict) in [
        ("0020000000000001", Ok(())),
        (" 0020000000000001\t", Ok(())),
        ("002000000000000", Err(B3Error::ParentSpanId)),
        ("002000000000000G", Err(B3Error::ParentSpanId)),
        ("", Err(B3Error::ParentSpanId)),
    ] {
        assert_eq!(check_parent_span_id(&[("x-b3-parentspanid", value)][..]), verdict, "{value}");
    }
    assert_eq!(check_parent_span_id(&[("b3", "0")][..]), Ok(()));
}

#[test]
fn what_is_written_is_read() {
    let context = parse_single(b"463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312").unwrap().context;
    for sampling in [SamplingState::Defer, SamplingState::Deny, SamplingState::Accept, SamplingState::Debug] {
        for ids in [context, None] {
            let flagged = ids.map(|context| {
                let flags = TraceFlags::NONE.with_sampled(sampling.is_sampled());
                SpanContext::new(context.trace_id(), context.span_id(), flags).into_remote()
            });
            let written = B3Context { context: flagged, sampling };
            let mut headers = Vec::new();
            multi(&written, |name, value| headers.push((String::from(name), String::from(value))));
            let (single, multi) = (single(&written), extract_multi(headers.as_slice()));
            if ids.is_none() && sampling == SamplingState::Defer {
                assert_eq!((single, multi), (None, Err(B3Error::Missing)));
            } else {
                assert_eq!((parse_single(single.unwrap().as_bytes()), multi), (Ok(written), Ok(written)));
            }
        }
    }
}
