//! Headers that carry one context.

use clewline_core::b3::{self, SamplingState};
use clewline_core::propagation::{Extracted, Format, Outgoing, extract, inject};
use clewline_core::traceparent::{self, Traceparent};
use clewline_core::{SpanContext, environment, jaeger, server_timing};

use super::lines;

/// What was accepted is written canonically, and read again as the same.
pub(super) fn traceparent(data: &[u8]) {
    for line in lines(data) {
        if let Ok(context) = traceparent::parse(line) {
            assert!(context.is_remote());
            let text = Traceparent::new(context);
            assert_eq!(traceparent::parse(text.as_bytes()), Ok(context));
            // White space around a value is not part of it (RFC 9110, section 5.5).
            assert_eq!(line.trim_ascii().get(3..52), text.as_bytes().get(3..52), "the ids are those that arrived");
        }
    }
    let count = lines(data).count();
    assert!(traceparent::extract(lines(data)).is_err() || count == 1, "several lines are no traceparent");
}

/// Single and multi header: what was accepted is written, and read again as the same.
pub(super) fn b3(data: &[u8]) {
    for line in lines(data) {
        if let Ok(read) = b3::parse_single(line)
            && let Some(text) = b3::single(&read)
        {
            let again = b3::parse_single(text.as_bytes()).expect("it was written by us");
            assert_eq!(b3::single(&again), Some(text));
            assert_eq!(again.context, read.context);
            assert_eq!(again.sampling, read.sampling);
        }
    }
    let pairs = pairs(data);
    if let Ok(read) = b3::extract(pairs.as_slice()) {
        let mut written = Vec::new();
        b3::multi(&read, |name, value| written.push((name.to_owned(), value.to_owned())));
        if !written.is_empty() {
            let again = b3::extract_multi(written.as_slice()).expect("it was written by us");
            assert_eq!((again.context, again.sampling), (read.context, read.sampling));
        }
    }
}

/// What was accepted is written, and read again as the same.
pub(super) fn jaeger(data: &[u8]) {
    let _ = jaeger::extract(lines(data));
    for line in lines(data) {
        if let Ok(read) = jaeger::parse(line) {
            assert_eq!(jaeger::parse(jaeger::value(&read).as_bytes()), Ok(read));
        }
    }
}

/// A context that was found is written, and found again.
pub(super) fn server_timing(data: &[u8]) {
    if let Ok(context) = server_timing::extract(lines(data)) {
        let value = server_timing::value(context);
        assert_eq!(server_timing::extract([value.as_bytes()]), Ok(context));
        assert!(server_timing::meta_element(context).as_str().contains(Traceparent::new(context).as_str()));
    }
}

/// The 26-byte form, and names of environment variables.
pub(super) fn binary(data: &[u8]) {
    use clewline_core::binary::{decode, encode};
    if let Ok(context) = decode(data) {
        assert_eq!(decode(&encode(context)), Ok(context));
    }
    if let Ok(name) = core::str::from_utf8(data)
        && let Some(variable) = environment::variable(name)
    {
        assert_eq!(
            environment::variable(variable.as_str()).map(|again| again.as_str().to_owned()),
            Some(variable.as_str().to_owned())
        );
    }
}

/// All formats over one carrier: what was extracted is injected, and extracted again.
pub(super) fn propagation(data: &[u8]) {
    const FORMATS: &[Format] = &[Format::TraceContext, Format::B3, Format::B3Multi, Format::Jaeger];
    type Arrived = Extracted<heapless::Vec<u8, 512>>;

    let all: Arrived = extract(FORMATS, pairs(data).as_slice());
    assert!(all.errors.iter().all(|error| !error.to_string().is_empty()));
    let Some(context) = all.context else { return };
    assert!(context.is_remote());
    let debug = all.sampling == SamplingState::Debug;
    for format in FORMATS {
        let mut carrier = Vec::new();
        let outgoing = Outgoing { context, trace_state: all.trace_state.as_str(), debug };
        inject(&[*format], &outgoing, &mut |name: &str, value: &str| carrier.push((name.to_owned(), value.to_owned())));
        let again: Arrived = extract(&[*format], carrier.as_slice());
        let ids = |context: SpanContext| (context.trace_id(), context.span_id());
        assert_eq!(again.context.map(ids), Some(ids(context)), "{format:?}");
        assert_eq!(again.errors.iter().count(), 0, "{format:?}");
        if *format == Format::TraceContext {
            assert_eq!(again.trace_state.as_str(), all.trace_state.as_str());
        }
    }
}

/// Lines `name: value`.
fn pairs(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let pair = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        Some((String::from_utf8_lossy(name).into_owned(), value.trim_ascii().to_owned()))
    };
    lines(data).filter_map(pair).collect()
}
