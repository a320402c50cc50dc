//! The rules of OTLP/JSON for writers: one rich request, letter by letter, and what does not fit.

use clewline_core::json::{self, Request};
use clewline_core::{
    CapacityError, CountingIds, Envelope, InlineBatch, InlineSpan, LocalSink, ManualClock, Scope, SpanContext, SpanId,
    SpanKind, SpanLimits, SpanProcessor, SpanStart, SpanView, Status, TraceFlags, TraceId, Tracer, Value, Verdict,
};

use crate::write;

fn envelope() -> Envelope<heapless::Vec<u8, 128>> {
    let scope = Scope { name: "firm\"ware", version: "1.2", schema_url: "https://s", ..Scope::default() };
    Envelope::new(heapless::Vec::new(), &[("service.name", Value::from("sensor"))], &scope).unwrap()
}

fn batch() -> InlineBatch<1024> {
    let trace_id = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
    let context = |id: u8| SpanContext::new(trace_id, SpanId::from_bytes([id; 8]).unwrap(), TraceFlags::SAMPLED);
    let start = SpanStart {
        context: context(0xab),
        parent: Some(context(1).into_remote()),
        name: "read\u{1f}\u{7f}é",
        kind: SpanKind::Server,
        start_time: 1_700_000_000_000_000_001,
        trace_state: "a=1",
        limits: SpanLimits { attributes: 8, ..SpanLimits::DEFAULT },
    };
    let mut span = InlineSpan::<1024>::new(heapless::Vec::new(), &start);
    span.set("i", i64::MIN)
        .set("d", 21.5)
        .set("n", f64::NAN)
        .set("b", false)
        .set("s", "")
        .set("y", [0_u8, 255, 16, 1].as_slice());
    span.set("l", Value::List(&[Value::I64(1), Value::Empty, Value::F64(f64::NEG_INFINITY)]));
    span.set("m", Value::Map(&[("k", Value::Strs(&[]))]));
    span.set("too.many", 1);
    span.event("e", 5).set("x", true);
    span.link(&context(9), "").set("x", 0);
    span.set_status(Status::error("out of range"));
    let mut batch = InlineBatch::default();
    batch.push(&span, 1_700_000_000_000_000_002).unwrap();
    batch
}

const EXPECTED: &str = concat!(
    r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"sensor"}}]},"#,
    r#""scopeSpans":[{"scope":{"name":"firm\"ware","version":"1.2"},"spans":[{"#,
    r#""traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"abababababababab","traceState":"a=1","#,
    r#""parentSpanId":"0101010101010101","flags":769,"name":"read\u001F"#,
    "\u{7f}é",
    r#"","kind":2,"startTimeUnixNano":"1700000000000000001","endTimeUnixNano":"1700000000000000002","attributes":["#,
    r#"{"key":"i","value":{"intValue":"-9223372036854775808"}},"#,
    r#"{"key":"d","value":{"doubleValue":21.5}},"#,
    r#"{"key":"n","value":{"doubleValue":"NaN"}},"#,
    r#"{"key":"b","value":{"boolValue":false}},"#,
    r#"{"key":"s","value":{"stringValue":""}},"#,
    r#"{"key":"y","value":{"bytesValue":"AP8QAQ=="}},"#,
    r#"{"key":"l","value":{"arrayValue":{"values":[{"intValue":"1"},{},{"doubleValue":"-Infinity"}]}}},"#,
    r#"{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[]}}}]}}}],"#,
    r#""droppedAttributesCount":1,"events":[{"timeUnixNano":"5","name":"e","attributes":[{"key":"x","value":{"boolValue":true}}]}],"#,
    r#""links":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"0909090909090909","#,
    r#""attributes":[{"key":"x","value":{"intValue":"0"}}],"flags":257}],"#,
    r#""status":{"message":"out of range","code":2}}],"schemaUrl":"https://s"}]}]}"#,
);

#[test]
fn envelope_and_batch_become_a_request() {
    let (envelope, batch) = (envelope(), batch());
    let request = Request::new(&envelope, &batch);
    assert_eq!(String::from_utf8(write(&request)).unwrap(), EXPECTED);
    let mut slice = [0; 4096];
    let length = serde_json_core::to_slice(&request, &mut slice).unwrap();
    assert_eq!(str::from_utf8(&slice[..length]).unwrap(), EXPECTED);
}

#[test]
fn without_spans_there_is_no_list_of_spans() {
    let envelope = Envelope::new(heapless::Vec::<u8, 16>::new(), &[], &Scope::default()).unwrap();
    let json = write(&Request::new(&envelope, &InlineBatch::<1>::default()));
    assert_eq!(json, br#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{}}]}]}"#);
}

#[test]
fn every_escape_is_read_as_it_was() {
    for character in (0..=0x7f_u8).map(char::from).chain(['\u{80}', 'é', '\u{2028}', '🧵']) {
        // At every place of the eight bytes that are looked at together.
        for before in 0..9 {
            let name = format!("{}{character}{}", "a".repeat(before), "b".repeat(before % 3));
            let envelope =
                Envelope::new(heapless::Vec::<u8, 64>::new(), &[], &Scope { name: &name, ..Scope::default() }).unwrap();
            let json = write(&Request::new(&envelope, &InlineBatch::<1>::default()));
            let value: serde_json::Value =
                serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{name:?}: {error}"));
            assert_eq!(value["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"], name.as_str());
        }
    }
}

#[test]
fn what_does_not_fit_adds_nothing() {
    fn attempt<const N: usize>() -> Result<(), CapacityError> {
        let (envelope, batch) = (envelope(), batch());
        let mut out = heapless::Vec::<u8, N>::from_slice(b"kept").unwrap();
        let result = json::write(&Request::new(&envelope, &batch), &mut out);
        match result {
            Ok(()) => assert_eq!(out[4..], *EXPECTED.as_bytes()),
            Err(CapacityError) => assert_eq!(out, b"kept"),
        }
        result
    }
    assert_eq!(attempt::<{ EXPECTED.len() + 4 }>(), Ok(()), "to the last byte");
    assert_eq!(attempt::<{ EXPECTED.len() + 3 }>(), Err(CapacityError));
    assert_eq!(attempt::<4>(), Err(CapacityError));
}

/// A processor sees a span before it is encoded; what it writes is what is exported.
#[test]
fn a_live_span_is_written_as_the_finished_one() {
    #[derive(Default)]
    struct Log(std::cell::RefCell<Vec<String>>);
    impl SpanProcessor for Log {
        fn on_end(&self, span: &SpanView<'_>) -> Verdict {
            self.0.borrow_mut().push(String::from_utf8(write(span)).unwrap());
            Verdict::Keep
        }
    }
    let log = Log::default();
    let sink = LocalSink::<512, 4096, _>::with_processor(&log);
    let tracer = Tracer::new(ManualClock::new(7), CountingIds::new(), clewline_core::AlwaysOn, sink);
    let mut span = tracer.span("work").kind(SpanKind::Client).trace_state("a=1").start();
    span.set("k", "v").event("e").set_status(Status::OK);
    span.link(&SpanContext::new(
        TraceId::from_bytes([1; 16]).unwrap(),
        SpanId::from_bytes([2; 8]).unwrap(),
        TraceFlags::NONE,
    ));
    span.end();
    tracer.span("unjudged").start().end();
    let finished = tracer
        .sink()
        .with_batch(|batch| batch.iter().map(|span| String::from_utf8(write(&span)).unwrap()).collect::<Vec<_>>());
    assert_eq!(finished.unwrap(), *log.0.borrow());
    assert!(log.0.borrow()[0].contains(r#""status":{"code":1}"#) && !log.0.borrow()[1].contains("status"));
}
