//! Requests of other SDKs and ours, from one encoding into the other and back.

use std::io::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

use crate::support::{error, output};

const PYTHON: &[u8] = include_bytes!("data/python.pb");
const JAVASCRIPT: &[u8] = include_bytes!("data/javascript.pb");
const JAVASCRIPT_JSON: &[u8] = include_bytes!("data/javascript.json");

/// The message, written again by an encoder that is not ours: equal messages give equal bytes.
fn message(protobuf: &[u8]) -> Vec<u8> {
    ExportTraceServiceRequest::decode(protobuf).unwrap().encode_to_vec()
}

fn to_json(protobuf: &[u8]) -> Vec<u8> {
    output(&["otlp", "--from", "protobuf", "--to", "json"], protobuf)
}

fn to_protobuf(json: &[u8]) -> Vec<u8> {
    output(&["otlp", "--from", "json", "--to", "protobuf"], json)
}

#[test]
fn protobuf_survives_json() {
    for (name, request) in [("python", PYTHON), ("javascript", JAVASCRIPT), ("ours", &ours()), ("empty", &[])] {
        let json = to_json(request);
        assert_eq!(message(&to_protobuf(&json)), message(request), "{name}");
        assert_eq!(to_json(&to_protobuf(&json)), json, "{name}");
    }
}

/// The JSON exporter writes null for numbers that are not finite, and integers as numbers; all else is the same.
#[test]
fn the_json_of_javascript_is_its_protobuf() {
    let mut expected = ExportTraceServiceRequest::decode(JAVASCRIPT).unwrap();
    let mut changed = 0;
    for span in expected.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|scope| &mut scope.spans) {
        for attribute in span.attributes.iter_mut().filter(|attribute| ["nan", "inf"].contains(&attribute.key.as_str()))
        {
            attribute.value.as_mut().unwrap().value = None;
            changed += 1;
        }
    }
    assert_eq!(changed, 2);
    assert_eq!(message(&to_protobuf(JAVASCRIPT_JSON)), expected.encode_to_vec());
}

/// The rules of OTLP/JSON (opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding"), in Python's request.
#[test]
fn json_follows_its_rules() {
    let json: Value = serde_json::from_slice(&to_json(PYTHON)).unwrap();
    let scope = &json["resourceSpans"][0]["scopeSpans"][0];
    assert_eq!(scope["schemaUrl"], "https://opentelemetry.io/schemas/1.27.0");
    let span = &scope["spans"][1];
    assert_eq!(
        (&span["traceId"], &span["parentSpanId"]),
        (&json!("0af7651916cd43dd8448eb211c80319c"), &json!("b7ad6b7169203331"))
    );
    assert_eq!((&span["kind"], &span["status"]["code"]), (&json!(2), &json!(2)), "enums are integers");
    assert!(span["startTimeUnixNano"].is_string() && span["droppedEventsCount"] == 1);
    let value = |key: &str| {
        let attributes = span["attributes"].as_array().unwrap();
        attributes.iter().find(|attribute| attribute["key"] == key).unwrap_or_else(|| panic!("no {key}"))["value"]
            .clone()
    };
    assert_eq!(value("max"), json!({"intValue": "9223372036854775807"}));
    assert_eq!(value("nan"), json!({"doubleValue": "NaN"}));
    assert_eq!(value("ninf"), json!({"doubleValue": "-Infinity"}));
    assert_eq!(value("b"), json!({"boolValue": false}));
    assert_eq!(value("bytes"), json!({"bytesValue": "AP9/"}));
    assert_eq!(value("emptylist"), json!({"arrayValue": {"values": []}}));
}

/// A request of ours, of a span that has everything.
fn ours() -> Vec<u8> {
    use clewline::pipeline::GrowingBuffer;
    use clewline_core::{
        Batch, Envelope, Otlp, Resource, Scope, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, Status,
        StorageView as _, TraceFlags, TraceId, Value, traceparent,
    };
    let parent = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03").unwrap();
    let start = SpanStart {
        context: SpanContext::new(parent.trace_id(), SpanId::from_bytes([7; 8]).unwrap(), TraceFlags::SAMPLED),
        parent: Some(parent),
        name: "GET /cart",
        kind: SpanKind::Server,
        start_time: 17,
        trace_state: "congo=t61",
        limits: SpanLimits::DEFAULT,
    };
    let mut span = clewline_core::Span::<GrowingBuffer, Otlp>::new(GrowingBuffer::default(), &start);
    span.set("text", "héllo").set("empty", "").set("int", i64::MIN).set("float", f64::NAN);
    span.set("bytes", Value::Bytes(&[0, 255]));
    span.event("cache.miss", 18).set("key", true);
    let other =
        SpanContext::new(TraceId::from_bytes([1; 16]).unwrap(), SpanId::from_bytes([2; 8]).unwrap(), TraceFlags::NONE);
    span.link(&other, "rojo=1").set("why", "batch");
    span.set_status(Status::error("bad"));
    let mut batch = Batch::new(GrowingBuffer::default());
    batch.push(&span, 19).unwrap();
    let resource = [("service.name", Value::from("ours"))];
    let envelope = Envelope::new(GrowingBuffer::default(), Resource::from(&resource[..]), &Scope::default()).unwrap();
    let mut request = GrowingBuffer::default();
    envelope.write_request(batch.as_bytes(), &mut request).unwrap();
    request.as_slice().to_vec()
}

#[test]
fn encodings_are_found_out_and_gzip_is_undone() {
    let json = to_json(PYTHON);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(PYTHON).unwrap();
    let gzip = gzip.finish().unwrap();
    for input in [PYTHON, &gzip] {
        assert_eq!(output(&["otlp"], input), json);
    }
    let marked = [b"\xef\xbb\xbf".as_slice(), &json].concat();
    assert_eq!(message(&output(&["otlp"], &marked)), message(PYTHON));
    let spaced = [b" \n".as_slice(), &json].concat();
    assert_eq!(message(&output(&["otlp"], &spaced)), message(PYTHON));
    assert_eq!(output(&["otlp", "--from", "json", "--to", "json"], &spaced), json);
}

#[test]
fn a_tree_shows_parents_before_their_children() {
    let tree = String::from_utf8(output(&["otlp", "--to", "tree"], PYTHON)).unwrap();
    let lines: Vec<&str> = tree.lines().collect();
    assert!(lines[0].contains("0af7651916cd43dd8448eb211c80319c") && lines[0].contains("2 spans, 1 error"), "{tree}");
    assert!(lines[1].starts_with("GET /cart  python") && lines[1].ends_with("✗ bad"), "{tree}");
    assert!(lines[2].starts_with("└─ child   python"), "{tree}");
}

/// Every error names its place and ends with exit code 1.
#[test]
fn malformed_input_says_where() {
    let cases: [(&[&str], &[u8], &str); 7] = [
        (&["otlp"], b"\x0a\x05\x12", "(at byte 2)"),
        (&["otlp", "--from", "protobuf"], b"{}", "(at byte"),
        (&["otlp"], br#"{"resourceSpans":[{}"#, "line 1 column 20"),
        (
            &["otlp"],
            b"{\n\"resourceSpans\": 7}",
            "resourceSpans: invalid type: integer `7`, expected a sequence at line 2 column 18",
        ),
        (
            &["otlp"],
            br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"x"}]}]}]}"#,
            "resourceSpans[0].scopeSpans[0].spans[0].spanId",
        ),
        (&["otlp", "--from", "json"], PYTHON, "from index 1"),
        (&["otlp"], b"\x1f\x8bnot gzip", "the gzip data is broken after 0 bytes"),
    ];
    for (arguments, input, place) in cases {
        let message = error(arguments, input);
        assert!(message.contains(place), "{arguments:?}: {message}");
    }
}
