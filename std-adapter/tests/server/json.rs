//! OTLP/JSON: the rules that differ from plain JSON mappings, one row each.

use serde_json::{Value, json};

use crate::spans::trace_hex;
use crate::support::TestServer;

/// A request with one span, whose members are those given and valid ids.
fn request(members: &str) -> String {
    let ids = r#""traceId":"01010101010101010101010101010101","spanId":"0000000000000001""#;
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids}{comma}{members}}}]}}]}}]}}"#)
}

/// What the API says about the span with these members.
fn shown(members: &str) -> Value {
    let server = TestServer::start();
    let answer = server.post_json(&request(members));
    assert_eq!(answer.status, 200, "{members}: {}", answer.text());
    assert_eq!((answer.header("content-type"), answer.text().as_str()), (Some("application/json"), "{}"));
    server.get_json(&format!("/api/traces/{}", trace_hex(1)))["spans"][0].take()
}

#[test]
fn values_of_every_spelling_are_read() {
    let rows = [
        (r#"{"stringValue":"a\u00fc\n"}"#, json!("aü\n")),
        (r#"{"stringValue":""}"#, json!("")),
        (r#"{"boolValue":false}"#, json!(false)),
        (r#"{"intValue":"-9007199254740993"}"#, json!("-9007199254740993")),
        (r#"{"intValue":"12"}"#, json!(12)),
        (r#"{"intValue":12}"#, json!(12)),
        (r#"{"intValue":1.2e1}"#, json!(12)),
        (r#"{"intValue":1e+300}"#, json!(1e300)),
        (r#"{"doubleValue":1}"#, json!(1.0)),
        (r#"{"doubleValue":0.5}"#, json!(0.5)),
        (r#"{"doubleValue":"0.5"}"#, json!(0.5)),
        (r#"{"doubleValue":"NaN"}"#, json!("NaN")),
        (r#"{"doubleValue":"Infinity"}"#, json!("Infinity")),
        (r#"{"doubleValue":"-Infinity"}"#, json!("-Infinity")),
        (r#"{"doubleValue":null}"#, json!(null)),
        (r#"{"bytesValue":"AP8Q"}"#, json!("AP8Q")),
        (r#"{"bytesValue":"_-8"}"#, json!("/+8=")),
        (r#"{"arrayValue":{}}"#, json!([])),
        (r#"{"arrayValue":{"values":[]}}"#, json!([])),
        (r#"{"arrayValue":{"values":null}}"#, json!([])),
        (
            r#"{"arrayValue":{"values":[{"intValue":"1"},{},null,{"arrayValue":{"values":[{"boolValue":true}]}}]}}"#,
            json!([1, null, null, [true]]),
        ),
        (
            r#"{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}},{"key":"e"}]}}"#,
            json!({"k": "v", "e": null}),
        ),
        (r#"{"kvlistValue":{}}"#, json!({})),
        ("{}", json!(null)),
        ("null", json!(null)),
        (r#"{"ofTheFuture":[{"deep":1}]}"#, json!(null)),
    ];
    let server = TestServer::start();
    let attributes: Vec<String> =
        rows.iter().enumerate().map(|(row, (value, _))| format!(r#"{{"key":"row {row}","value":{value}}}"#)).collect();
    let answer = server.post_json(&request(&format!(r#""attributes":[{}]"#, attributes.join(","))));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let span = server.get_json(&format!("/api/traces/{}", trace_hex(1)))["spans"][0].take();
    for (row, (value, expected)) in rows.iter().enumerate() {
        assert_eq!(&span["attributes"][format!("row {row}")], expected, "{value}");
    }
}

#[test]
fn fields_of_every_spelling_are_read() {
    let rows = [
        (r#""kind":3"#, "kind", json!("CLIENT")),
        (r#""kind":"SPAN_KIND_PRODUCER""#, "kind", json!("PRODUCER")),
        (r#""kind":77"#, "kind", json!("UNSPECIFIED")),
        (r#""status":{"code":"STATUS_CODE_ERROR","message":"m"}"#, "status", json!({"code": "ERROR", "message": "m"})),
        (r#""status":{"code":1}"#, "status", json!({"code": "OK", "message": ""})),
        (r#""status":{}"#, "status", json!({"code": "UNSET", "message": ""})),
        (r#""status":null"#, "status", json!({"code": "UNSET", "message": ""})),
        (r#""startTimeUnixNano":"18446744073709551615""#, "start_time_unix_nano", json!("18446744073709551615")),
        (r#""startTimeUnixNano":18446744073709551615"#, "start_time_unix_nano", json!("18446744073709551615")),
        (r#""endTimeUnixNano":17"#, "end_time_unix_nano", json!("17")),
        (r#""flags":257"#, "flags", json!(257)),
        (r#""droppedEventsCount":"4294967295""#, "dropped_events_count", json!(4_294_967_295_u32)),
        (r#""traceState":"a=1""#, "trace_state", json!("a=1")),
        (r#""parentSpanId":"00000000000000aF""#, "parent_span_id", json!("00000000000000af")),
        (r#""parentSpanId":"""#, "parent_span_id", json!(null)),
        (r#""parentSpanId":null"#, "parent_span_id", json!(null)),
        (
            r#""events":[{"timeUnixNano":"5","name":"e","droppedAttributesCount":1}]"#,
            "events",
            json!([{"name": "e", "time_unix_nano": "5", "attributes": {}, "dropped_attributes_count": 1}]),
        ),
        (
            r#""links":[{"traceId":"0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A","spanId":"0b0b0b0b0b0b0b0b","flags":1}]"#,
            "links",
            json!([{"trace_id": trace_hex(10), "span_id": "0b0b0b0b0b0b0b0b", "trace_state": "", "flags": 1, "attributes": {}, "dropped_attributes_count": 0}]),
        ),
        (r#""name":"n","start_time_unix_nano":9"#, "start_time_unix_nano", json!("0")),
        (r#""name":null,"attributes":null,"events":null,"links":null"#, "name", json!("")),
    ];
    for (members, field, expected) in rows {
        assert_eq!(shown(members)[field], expected, "{members}");
    }
}

#[test]
fn empty_requests_of_every_shape_are_taken() {
    let server = TestServer::start();
    for body in [
        "{}",
        "null",
        " {} ",
        r#"{"resourceSpans":null}"#,
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceSpans":[{}]}"#,
        r#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":null,"schemaUrl":null}]}]}"#,
        r#"{"other":1}"#,
    ] {
        let answer = server.post_json(body);
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "{body}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let server = TestServer::start();
    let attribute = |value: &str| request(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#));
    let rows = [
        (attribute(r#"{"intValue":"1.5"}"#), "spans[0].attributes[0].value", "64-bit signed integer"),
        (attribute(r#"{"intValue":"9223372036854775808"}"#), "attributes[0].value", "64-bit signed integer"),
        (attribute(r#"{"doubleValue":"nan"}"#), "attributes[0].value", "\\\"NaN\\\""),
        (attribute(r#"{"bytesValue":"*"}"#), "attributes[0].value", "not base64"),
        (attribute(r#"{"stringValue":"a","intValue":1}"#), "attributes[0].value", "more than one type"),
        (attribute(r#""text""#), "attributes[0].value", "an object such as"),
        (request(r#""kind":"SERVER""#), "spans[0].kind", "SPAN_KIND_SERVER"),
        (request(r#""parentSpanId":"xyz1""#), "spans[0].parentSpanId", "hexadecimal"),
        (request(r#""droppedLinksCount":-1"#), "spans[0].droppedLinksCount", "32-bit unsigned integer"),
        (request(r#""events":{}"#), "spans[0].events", "expected a sequence"),
        (request("")[..40].to_owned(), "", "EOF"),
        (String::new(), "", "EOF"),
    ];
    for (body, path, reason) in rows {
        let answer = server.post_json(&body);
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{body}");
        let text = answer.text();
        assert!(text.starts_with(r#"{"code":3,"message":"#), "{text}");
        assert!(text.contains(path) && text.contains(reason) && text.contains("line 1 column"), "{body}: {text}");
    }
    let not_utf8 = server.send("POST", "/v1/traces", &[("content-type", "application/json")], b"{\"a\":\"\xff\"}");
    assert_eq!(not_utf8.status, 400);
}

#[test]
fn ids_of_the_wrong_width_cost_only_their_span() {
    let server = TestServer::start();
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"0101","spanId":"0000000000000001"},
        {"traceId":"01010101010101010101010101010101","spanId":"0000000000000000"},
        {"traceId":"01010101010101010101010101010101","spanId":"0000000000000003"}]}]}]}"#;
    let answer = server.post_json(body);
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2");
    assert!(partial["errorMessage"].as_str().unwrap().starts_with("2 of 3 spans rejected: span 0"), "{partial}");
    assert_eq!(server.get_json("/api/stats")["stored_spans"], 1);
}
