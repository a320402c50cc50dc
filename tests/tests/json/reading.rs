//! The rules of OTLP/JSON for readers, row by row (opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding";
//! protobuf "ProtoJSON Format").

use clewline_core::json::{self, JsonErrorKind};
use clewline_core::{MAX_VALUE_DEPTH, RequestView};

use crate::model::{Attributes, Span, Value};
use crate::{read, seen};

const IDS: &str = r#""traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331""#;

fn request(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},{members}}}]}}]}}]}}"#)
}

fn span(members: &str) -> Span {
    let request = request(members);
    let mut seen = seen(request.as_bytes()).unwrap_or_else(|| panic!("{request}"));
    seen.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

fn value_of(json: &str) -> Value {
    let mut attributes: Attributes = span(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#)).attributes;
    attributes.remove(0).1
}

#[test]
fn values_of_every_spelling_are_read() {
    let text = |text: &str| Value::Str(text.to_owned());
    let double = |number: f64| Value::F64(number.to_bits());
    let rows = [
        (r#"{"stringValue":"a\u00fc\n\"\\\/\b\f\r\t"}"#, text("aü\n\"\\/\u{8}\u{c}\r\t")),
        // Python's `json.dumps` writes every character beyond ASCII so.
        (r#"{"stringValue":"\ud83e\uddf5 x"}"#, text("🧵 x")),
        (r#"{"stringV\u0061lue":"n\u0061me"}"#, text("name")),
        (r#"{"stringValue":""}"#, text("")),
        (r#"{"boolValue":false}"#, Value::Bool(false)),
        (r#"{"boolValue":true}"#, Value::Bool(true)),
        (r#"{"intValue":"-9223372036854775808"}"#, Value::I64(i64::MIN)),
        (r#"{"intValue":"9223372036854775807"}"#, Value::I64(i64::MAX)),
        (r#"{"intValue":0}"#, Value::I64(0)),
        (r#"{"intValue":-12}"#, Value::I64(-12)),
        (r#"{"intValue":1.2e1}"#, Value::I64(12)),
        (r#"{"intValue":"5.0"}"#, Value::I64(5)),
        // As OpenTelemetry's writer in JavaScript puts doubles that are whole.
        (r#"{"intValue":1e+300}"#, double(1e300)),
        (r#"{"intValue":-1e+300}"#, double(-1e300)),
        (r#"{"intValue":100000000000000000000}"#, double(1e20)),
        (r#"{"intValue":9223372036854776000}"#, double(2_f64.powi(63))),
        (r#"{"intValue":9223372036854775808}"#, double(2_f64.powi(63))),
        (r#"{"intValue":9223372036854775807}"#, Value::I64(i64::MAX)),
        (r#"{"intValue":-9223372036854775808}"#, Value::I64(i64::MIN)),
        (r#"{"intValue":-9.223372036854775808e18}"#, Value::I64(i64::MIN)),
        (r#"{"doubleValue":1}"#, double(1.0)),
        (r#"{"doubleValue":-0}"#, double(-0.0)),
        (r#"{"doubleValue":0.1}"#, double(0.1)),
        (r#"{"doubleValue":"0.5"}"#, double(0.5)),
        (r#"{"doubleValue":5e-324}"#, double(5e-324)),
        (r#"{"doubleValue":"NaN"}"#, double(f64::NAN)),
        (r#"{"doubleValue":"Infinity"}"#, double(f64::INFINITY)),
        (r#"{"doubleValue":"-Infinity"}"#, double(f64::NEG_INFINITY)),
        (r#"{"doubleValue":null}"#, Value::Empty),
        (r#"{"doubleValue":null,"intValue":"1"}"#, Value::I64(1)),
        (r#"{"bytesValue":""}"#, Value::Bytes(vec![])),
        (r#"{"bytesValue":"AP8Q"}"#, Value::Bytes(vec![0, 255, 16])),
        (r#"{"bytesValue":"_-8="}"#, Value::Bytes(vec![255, 239])),
        (r#"{"bytesValue":"/w"}"#, Value::Bytes(vec![255])),
        (r#"{"arrayValue":{}}"#, Value::List(vec![])),
        (r#"{"arrayValue":{"values":[]}}"#, Value::List(vec![])),
        (r#"{"arrayValue":{"values":null}}"#, Value::List(vec![])),
        (
            r#"{"arrayValue":{"values":[{"intValue":"1"},{},null]}}"#,
            Value::List(vec![Value::I64(1), Value::Empty, Value::Empty]),
        ),
        (
            r#"{"kvlistValue":{"values":[{"value":{"boolValue":true},"key":"k"},{"key":"e"}]}}"#,
            Value::Map(vec![("k".to_owned(), Value::Bool(true)), ("e".to_owned(), Value::Empty)]),
        ),
        (r#"{"kvlistValue":{}}"#, Value::Map(vec![])),
        ("{}", Value::Empty),
        ("null", Value::Empty),
        (r#"{"ofTheFuture":[{"deep":[1e999,"\ud800",true,null,{}]}, -1.5E+3 ], "boolValue":true}"#, Value::Bool(true)),
    ];
    for (json, expected) in rows {
        assert_eq!(value_of(json), expected, "{json}");
    }
}

#[test]
fn fields_of_every_spelling_are_read() {
    assert_eq!(span(r#""kind":3"#).kind, 3);
    assert_eq!(span(r#""kind":"SPAN_KIND_PRODUCER""#).kind, 4);
    assert_eq!(span(r#""kind":77"#).kind, 0);
    assert_eq!(span(r#""kind":-1"#).kind, 0);
    assert_eq!(span(r#""status":{"message":"m","code":"STATUS_CODE_ERROR"}"#).status_code, 2);
    assert_eq!(span(r#""status":null"#).status_code, 0);
    assert_eq!(span(r#""startTimeUnixNano":"18446744073709551615""#).start, u64::MAX);
    assert_eq!(span(r#""startTimeUnixNano":18446744073709551615"#).start, u64::MAX);
    assert_eq!(span(r#""start_time_unix_nano":5"#).start, 0, "lowerCamelCase only");
    assert_eq!(span(r#""flags":4294967295"#).flags, u32::MAX);
    assert_eq!(span(r#""droppedLinksCount":"7""#).dropped_links, 7);
    assert_eq!(span(r#""parentSpanId":"00000000000000aF""#).parent_span_id, Some([0, 0, 0, 0, 0, 0, 0, 0xaf]));
    assert_eq!(span(r#""parentSpanId":"""#).parent_span_id, None);
    assert_eq!(span(r#""name":null,"attributes":null,"links":null"#).name, "");
    let long = "n".repeat(70_000);
    assert_eq!(span(&format!(r#""name":"{long}""#)).name, long, "a length of three bytes");
}

#[test]
fn empty_requests_of_every_shape_are_taken() {
    for json in [
        "{}",
        "null",
        " {}\r\n\t ",
        r#"{"resourceSpans":null}"#,
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceSpans":[{}]}"#,
        r#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":null,"schemaUrl":null}]}]}"#,
        r#"{"other":{"a":[[],{}],"b":""}}"#,
    ] {
        let protobuf = read(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert!(RequestView::parse(&protobuf).is_ok(), "{json}");
    }
}

/// Ids are judged span by span, by the view: see `ScopeSpansView::spans`.
#[test]
fn ids_of_the_wrong_width_cost_only_their_span() {
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0101","spanId":"01"},
        {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}]}]}]}"#;
    let protobuf = read(json.as_bytes()).unwrap();
    let scope = RequestView::parse(&protobuf).unwrap().resource_spans().next().unwrap().scope_spans().next().unwrap();
    assert_eq!(scope.spans().map(|span| span.is_ok()).collect::<Vec<_>>(), [false, true]);
}

/// Errors say what was wrong, and where: at the caret.
#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    use JsonErrorKind as Kind;
    let int = Kind::Expected("a 64-bit signed integer");
    let rows = [
        ("", "", Kind::UnexpectedEnd),
        (r#"{"resourceSpans":["#, "", Kind::UnexpectedEnd),
        (r#"{"resourceSpans":[{"schemaUrl":"a"#, "", Kind::UnexpectedEnd),
        (r#"{"resourceSpans":["#, "}", Kind::NoValue),
        (r#"{"x":tru"#, "}", Kind::NoValue),
        (r#"{"#, r#"x":1}"#, Kind::NoName),
        (r#"{"a":1,"#, "}", Kind::NoName),
        (r#"{"a" "#, "1}", Kind::NoColon),
        (r#"{"a":1 "#, r#""b":2}"#, Kind::NoComma),
        (r#"{"resourceSpans":[{} "#, "{}]}", Kind::NoComma),
        (r#"{"a":"#, "01}", Kind::InvalidNumber),
        (r#"{"a":"#, "-}", Kind::InvalidNumber),
        (r#"{"resourceSpans":["#, "1.]}", Kind::InvalidNumber),
        (r#"{"resourceSpans":"#, "1e999}", Kind::NumberTooLarge),
        ("{\"a\":\"x", "\u{1}\"}", Kind::ControlCharacter),
        (r#"{"resourceSpans":[{"schemaUrl":"a"#, r#"\x"}]}"#, Kind::InvalidEscape),
        (r#"{"resourceSpans":[{"schemaUrl":"a"#, r#"\u+123"}]}"#, Kind::InvalidEscape),
        (r#"{"resourceSpans":[{"schemaUrl":"é"#, r#"\ud800\u0041"}]}"#, Kind::LoneSurrogate),
        (r#"{"resourceSpans":[{"schemaUrl":"#, r#"7}]}"#, Kind::Expected("a string")),
        ("{} ", "{}", Kind::TrailingCharacters),
        ("", "[]", Kind::Expected("an object")),
        (r#"{"resourceSpans":"#, "7}", Kind::Expected("a sequence")),
        (r#"{"resourceSpans":"#, "{}}", Kind::Expected("a sequence")),
        (r#"{"resourceSpans":[{},"#, "null]}", Kind::Expected("an object")),
        (r#"{"resourceSpans":[],"resourceSpans""#, ":[]}", Kind::DuplicateMember),
    ];
    for (before, after, kind) in rows {
        let error = read(format!("{before}{after}").as_bytes()).expect_err(before);
        assert_eq!((error.kind, error.offset), (kind, before.len()), "{before} ^ {after}");
    }
    let rows = [
        (r#"{"intValue":"#, r#""1.5"}"#, int),
        (r#"{"intValue":"#, r#""9223372036854775808"}"#, int),
        (r#"{"intValue":"#, r#""1e+300"}"#, int),
        (r#"{"intValue":"#, "1.5}", int),
        (r#"{"intValue":"#, r#""+1"}"#, int),
        (r#"{"intValue":"#, "true}", int),
        (r#"{"doubleValue":"#, r#""nan"}"#, Kind::Expected("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")),
        (r#"{"doubleValue":"#, r#""1e999"}"#, Kind::Expected("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")),
        (r#"{"boolValue":"#, "1}", Kind::Expected("a boolean")),
        (r#"{"bytesValue":"#, r#""*"}"#, Kind::NotBase64),
        (r#"{"bytesValue":"#, r#""A"}"#, Kind::NotBase64),
        (r#"{"bytesValue":"#, r#""AA==="}"#, Kind::NotBase64),
        (r#"{"bytesValue":"#, r#""+_AA"}"#, Kind::NotBase64),
        (r#"{"stringValue":"a","intValue":1"#, "}", Kind::SeveralTypes),
        ("", r#""text""#, Kind::Expected("an object such as {\"stringValue\": \"…\"}")),
    ];
    for (before, after, kind) in rows {
        let start = format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{before}"#);
        let error = read(format!("{start}{after}}}]}}}}]}}").as_bytes()).expect_err(before);
        assert_eq!((error.kind, error.offset), (kind, start.len()), "{before} ^ {after}");
    }
    let error = read(request(r#""droppedLinksCount":-1"#).as_bytes()).unwrap_err();
    assert_eq!(error.kind, Kind::Expected("a 32-bit unsigned integer"));
    let error = read(request(r#""parentSpanId":"xyz1""#).as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("expected an id in hexadecimal digits (at byte {})", request("").len() - 7 + 15)
    );
    let error = read(b"{\"a\":\"\xc3\xa9\xff\"}").unwrap_err();
    assert_eq!((error.kind, error.offset), (Kind::NotUtf8, 8));
}

#[test]
fn nesting_is_bounded_and_does_not_eat_the_stack() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(levels), "]}}".repeat(levels));
        read(request(&format!(r#""attributes":[{{"key":"k","value":{open}{close}}}]"#)).as_bytes())
    };
    assert!(RequestView::parse(&nested(MAX_VALUE_DEPTH).unwrap()).is_ok(), "as deep as a view reads");
    assert_eq!(nested(MAX_VALUE_DEPTH + 1).unwrap_err().kind, JsonErrorKind::TooDeep);
    let unknown = |levels: usize| {
        read(format!(r#"{{"x":{}0{}}}"#, r#"[{"y":"#.repeat(levels / 2), "}]".repeat(levels / 2)).as_bytes())
    };
    assert!(unknown(128).is_ok());
    assert_eq!(unknown(130).unwrap_err().kind, JsonErrorKind::TooDeep);
    assert_eq!(read("[".repeat(1_000_000).as_bytes()).unwrap_err().kind, JsonErrorKind::Expected("an object"));
    assert_eq!(read(format!("{{\"x\":{}", "[".repeat(1_000_000)).as_bytes()).unwrap_err().kind, JsonErrorKind::TooDeep);
}

#[test]
fn a_full_storage_is_named_and_keeps_what_it_held() {
    fn attempt<const N: usize>(json: &str) -> Result<usize, JsonErrorKind> {
        let mut out = heapless::Vec::<u8, N>::from_slice(b"kept").unwrap();
        let result = json::read_request(&mut json.as_bytes().to_vec(), &mut out);
        assert!(result.is_ok() || out == b"kept");
        assert!(out.starts_with(b"kept"));
        result.map(|()| out.len()).map_err(|error| error.kind)
    }
    let json =
        request(r#""name":"n","startTimeUnixNano":"1","flags":1,"attributes":[{"key":"k","value":{"intValue":1}}]"#);
    let full = attempt::<512>(&json).unwrap();
    assert_eq!(full, 65);
    assert_eq!(attempt::<65>(&json), Ok(65), "to the last byte");
    assert_eq!(attempt::<64>(&json), Err(JsonErrorKind::StorageFull));
    assert_eq!(attempt::<40>(&json), Err(JsonErrorKind::StorageFull));
    assert_eq!(attempt::<4>(&json), Err(JsonErrorKind::StorageFull));
}
