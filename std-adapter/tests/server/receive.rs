//! Receiving protobuf: both content encodings, every refusal, and spans judged one by one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clewline::server::ServerConfig;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message as _;
use serde_json::json;

use crate::spans::{EPOCH, attribute, failed, request, service, span, text, trace_hex, trace_id};
use crate::support::{PATIENCE, TestServer, gzip};

/// `google.rpc.Status`, which opentelemetry-proto does not bring.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

#[test]
fn every_field_of_a_span_comes_back() {
    let server = TestServer::start();
    let any = |value| AnyValue { value: Some(value) };
    let mut full = span(1, 0xb, 0xa, "POST /cart ü", 5, 17);
    full.flags = 0x301;
    full.trace_state = "vendor=1".to_owned();
    full.status = failed("declined");
    full.dropped_attributes_count = 2;
    full.dropped_events_count = 3;
    full.dropped_links_count = 4;
    full.attributes = vec![
        text("text", "wörter"),
        attribute("empty text", Any::StringValue(String::new())),
        attribute("true", Any::BoolValue(true)),
        attribute("int", Any::IntValue(-42)),
        attribute("exact", Any::IntValue(1 << 53)),
        attribute("large", Any::IntValue(i64::MIN)),
        attribute("double", Any::DoubleValue(2.5)),
        attribute("nan", Any::DoubleValue(f64::NAN)),
        attribute("minus infinity", Any::DoubleValue(f64::NEG_INFINITY)),
        attribute("bytes", Any::BytesValue(vec![0, 255, 16])),
        attribute(
            "list",
            Any::ArrayValue(ArrayValue { values: vec![any(Any::IntValue(1)), any(Any::StringValue("b".into()))] }),
        ),
        attribute("map", Any::KvlistValue(KeyValueList { values: vec![text("k", "v")] })),
        opentelemetry_proto::tonic::common::v1::KeyValue { key: "nothing".to_owned(), ..Default::default() },
    ];
    full.events = vec![Event {
        time_unix_nano: EPOCH + 7,
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", "Declined")],
        dropped_attributes_count: 1,
    }];
    full.links = vec![Link {
        trace_id: trace_id(9).to_vec(),
        span_id: 0xc_u64.to_be_bytes().to_vec(),
        trace_state: "l=2".to_owned(),
        attributes: vec![text("why", "batch")],
        dropped_attributes_count: 5,
        flags: 0x100,
    }];
    let answer = server.post_protobuf(&request(vec![service("shop", vec![full])]));
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.body.len()),
        (200, Some("application/x-protobuf"), 0)
    );
    assert_eq!(
        server.get_json(&format!("/api/traces/{}", trace_hex(1))),
        json!({
            "trace_id": trace_hex(1),
            "spans": [{
                "span_id": "000000000000000b",
                "parent_span_id": "000000000000000a",
                "service": "shop",
                "scope": {"name": "tests", "version": "1.2", "attributes": {}},
                "name": "POST /cart ü",
                "kind": "SERVER",
                "start_time_unix_nano": "1700000000005000001",
                "end_time_unix_nano": "1700000000017000001",
                "status": {"code": "ERROR", "message": "declined"},
                "attributes": {
                    "text": "wörter", "empty text": "", "true": true, "int": -42, "exact": 9_007_199_254_740_992_i64,
                    "large": "-9223372036854775808", "double": 2.5, "nan": "NaN", "minus infinity": "-Infinity",
                    "bytes": "AP8Q", "list": [1, "b"], "map": {"k": "v"}, "nothing": null,
                },
                "events": [{
                    "name": "exception", "time_unix_nano": "1700000000000000008",
                    "attributes": {"exception.type": "Declined"}, "dropped_attributes_count": 1,
                }],
                "links": [{
                    "trace_id": trace_hex(9), "span_id": "000000000000000c", "trace_state": "l=2", "flags": 256,
                    "attributes": {"why": "batch"}, "dropped_attributes_count": 5,
                }],
                "resource": {"service.name": "shop", "host.name": "host-of-shop"},
                "flags": 769,
                "trace_state": "vendor=1",
                "dropped_attributes_count": 2,
                "dropped_events_count": 3,
                "dropped_links_count": 4,
            }],
        })
    );
}

#[test]
fn gzip_is_taken_in_one_or_several_members() {
    let server = TestServer::start();
    let body = request(vec![service("shop", vec![span(1, 1, 0, "a", 0, 1)])]);
    let (front, back) = body.split_at(body.len() / 2);
    let two_members = [gzip(front), gzip(back)].concat();
    for (name, compressed) in [("one", gzip(&body)), ("two", two_members)] {
        let answer = server.send("POST", "/v1/traces", &[PROTOBUF, GZIP], &compressed);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    assert_eq!(server.get_json("/api/stats")["received_spans"], 2);
    assert_eq!(server.get_json("/api/stats")["stored_spans"], 1);
}

#[test]
fn refusals_say_why_in_the_encoding_of_the_request() {
    let server = TestServer::with(ServerConfig { body_limit: 10_000, ..ServerConfig::default() });
    let good = request(vec![service("shop", vec![span(1, 1, 0, "a", 0, 1)])]);
    let truncated = &good[..good.len() - 3];
    let bomb = gzip(&vec![0; 20_000_000]);
    assert!(bomb.len() < 100_000, "the bomb is {} bytes", bomb.len());
    let small_bomb = gzip(&vec![0; 10_001]);
    let not_gzip = &gzip(&good)[..20];
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, i32, &'a str);
    let cases: [Case<'_>; 8] = [
        ("truncated", &[PROTOBUF], truncated, 400, 3, "ends within a field (at byte "),
        ("not protobuf", &[PROTOBUF], b"{}", 400, 3, "at byte "),
        ("large", &[PROTOBUF], &[0; 10_001], 413, 8, "limit of 10000 bytes"),
        ("large when decompressed", &[PROTOBUF, GZIP], &small_bomb, 413, 8, "after decompression"),
        ("large both ways", &[PROTOBUF, GZIP], &bomb, 413, 8, "limit of 10000 bytes"),
        ("not gzip", &[PROTOBUF, GZIP], &good, 400, 3, "not gzip"),
        ("half a gzip", &[PROTOBUF, GZIP], not_gzip, 400, 3, "not gzip"),
        ("brotli", &[PROTOBUF, ("content-encoding", "br")], &good, 415, 3, "\"br\" is not supported"),
    ];
    for (name, headers, body, status, code, message) in cases {
        let answer = server.send("POST", "/v1/traces", headers, body);
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("content-type"), Some("application/x-protobuf"), "{name}");
        let rpc = RpcStatus::decode(answer.body.as_slice()).unwrap();
        assert_eq!(rpc.code, code, "{name}");
        assert!(rpc.message.contains(message), "{name}: {}", rpc.message);
    }
    assert_eq!(server.get_json("/api/stats")["rejected_requests"], 8);
    assert_eq!(server.get_json("/api/stats")["stored_spans"], 0);

    let exactly = [good.clone(), vec![0xfa, 0x06, 0xc0, 0x4c], vec![b'x'; 9_792]].concat();
    let exactly = &exactly[..];
    let unknown_field = exactly.len();
    assert!(unknown_field <= 10_000, "{unknown_field}");
    assert_eq!(server.post_protobuf(exactly).status, 200, "unknown fields are skipped, up to the limit");
}

#[test]
fn other_types_and_methods_are_answered_in_json() {
    let server = TestServer::start();
    for (name, headers) in [("none", &[][..]), ("text", &[("content-type", "text/plain")][..])] {
        let answer = server.send("POST", "/v1/traces", headers, b"");
        assert_eq!((answer.status, answer.header("content-type")), (415, Some("application/json")), "{name}");
        assert!(answer.json()["message"].as_str().unwrap().contains("application/x-protobuf or application/json"));
    }
    for method in ["GET", "PUT", "DELETE"] {
        let answer = server.send(method, "/v1/traces", &[], b"");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")), "{method}");
        assert_eq!(answer.json()["code"], 12);
    }
    assert_eq!(server.send("POST", "/api/traces", &[], b"").status, 405);
    assert_eq!(server.get("/v1/metrics").status, 404);
    let with_charset = ("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(server.send("POST", "/v1/traces", &[with_charset], b"{}").status, 200);
}

#[test]
fn a_client_that_is_still_sending_hears_that_it_is_too_much() {
    let server = TestServer::with(ServerConfig { body_limit: 1_000_000, ..ServerConfig::default() });
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
                content-type: application/x-protobuf\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..25 {
        stream.write_all(b"186a0\r\n").unwrap();
        stream.write_all(&vec![0; 100_000]).unwrap();
        stream.write_all(b"\r\n").unwrap();
        // Slower than the server notices, so that it answers before the last piece is sent.
        std::thread::sleep(Duration::from_millis(5));
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn spans_with_invalid_ids_cost_only_themselves() {
    let server = TestServer::start();
    let mut spans: Vec<_> = (1..=6).map(|id| span(1, id, 0, "good", 0, 1)).collect();
    spans[1].trace_id.pop();
    spans[2].trace_id = vec![0; 16];
    spans[3].span_id = Vec::new();
    spans[4].parent_span_id = vec![1; 7];
    let body = request(vec![service("a", spans), service("b", vec![span(1, 7, 0, "good", 0, 1)])]);
    let answer = server.post_protobuf(&body);
    assert_eq!(answer.status, 200);
    let response = ExportTraceServiceResponse::decode(answer.body.as_slice()).unwrap();
    let ExportTracePartialSuccess { rejected_spans, error_message } = response.partial_success.unwrap();
    assert_eq!(rejected_spans, 4);
    assert!(error_message.starts_with("4 of 7 spans rejected: span 1 of the request: the trace id"), "{error_message}");
    assert!(error_message.contains("span 3 of the request: the span id"), "{error_message}");
    assert!(error_message.ends_with('…'), "only the first three are described: {error_message}");
    let kept = server.get_json(&format!("/api/traces/{}", trace_hex(1)));
    let ids: Vec<_> = kept["spans"].as_array().unwrap().iter().map(|span| span["span_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["0000000000000001", "0000000000000006", "0000000000000007"]);
    let stats = server.get_json("/api/stats");
    assert_eq!(
        (&stats["received_spans"], &stats["rejected_spans"], &stats["rejected_requests"]),
        (&json!(3), &json!(4), &json!(0))
    );
}

#[test]
fn bodies_on_their_way_are_bounded_together() {
    let server = TestServer::with(ServerConfig { body_limit: 1000, ..ServerConfig::default() });
    let unfinished = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n";
        write!(stream, "{head}content-length: 1000\r\n\r\n").unwrap();
        stream.write_all(&[0; 999]).unwrap();
        stream
    };
    let asked = Instant::now();
    let answer = |wanted: u16, mut meanwhile: Box<dyn FnMut() + '_>| loop {
        let answer = server.post_protobuf(&[0; 500]);
        if answer.status == wanted {
            return answer;
        }
        assert!(asked.elapsed() < PATIENCE, "no answer {wanted}");
        meanwhile();
        std::thread::sleep(Duration::from_millis(10));
    };
    // Four fill the room; one that comes while this asks finds none, and is refused itself.
    let mut streams = Vec::new();
    let busy = answer(503, Box::new(|| streams.push(unfinished())));
    assert_eq!(busy.header("retry-after"), Some("1"));
    assert_eq!(RpcStatus::decode(&*busy.body).unwrap().code, 14);
    drop(streams);
    answer(400, Box::new(|| ()));
}
