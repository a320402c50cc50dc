//! What Zipkin is sent (specification, `trace/sdk_exporters/zipkin.md`), and what its answers lead to.

use clewline::config::Compression;
use clewline::exporter::{ExportOutcome, ExporterError, Request, SpanExporter, Target, ZipkinExporter};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message as _;
use serde_json::{Value, json};

use crate::collector::{Collector, Step, answer};
use crate::full::{self, attribute, text, value};

fn export(collector: &Collector, request: &ExportTraceServiceRequest) -> ExportOutcome {
    let mut exporter = ZipkinExporter::new(&Target::new(collector.url("/api/v2/spans"))).expect("a valid URL");
    exporter.export(&Request::new(&[&request.encode_to_vec()], 2), None)
}

/// The spans that a request comes to.
fn sent(request: &ExportTraceServiceRequest) -> Value {
    let collector = Collector::start(|_| answer(202, "", b""));
    assert_eq!(export(&collector, request), ExportOutcome::Delivered);
    serde_json::from_slice(&collector.received()[0].body).expect("JSON")
}

/// The one span that a CLIENT span with these changes comes to.
fn one(change: impl FnOnce(&mut Span)) -> Value {
    let mut request = full::request();
    let scopes = &mut request.resource_spans[0].scope_spans;
    scopes.remove(0);
    scopes[0].spans[0].attributes.clear();
    change(&mut scopes[0].spans[0]);
    sent(&request)[0].take()
}

#[test]
fn a_span_is_mapped_as_the_specification_says() {
    let spans = sent(&full::request());
    let expected = json!([
        {
            "traceId": "ab".repeat(16),
            "parentId": "0f".repeat(8),
            "id": "01".repeat(8),
            "kind": "SERVER",
            "name": "GET /cart",
            "timestamp": 1_767_323_045_123_456_u64,
            "duration": 12_345,
            "localEndpoint": {"serviceName": "shop"},
            "annotations": [
                {"timestamp": 1_767_323_045_123_457_u64, "value": "cache.miss"},
                {
                    "timestamp": 1_767_323_045_123_458_u64,
                    "value": r#""retry": {"attempt":2,"why":"timeout","otel.dropped_attributes_count":4}"#,
                },
            ],
            "tags": {
                "otel.status_code": "ERROR",
                "error": "no such cart",
                "otel.scope.name": "cart",
                "otel.library.name": "cart",
                "otel.scope.version": "1.2.3",
                "otel.library.version": "1.2.3",
                "w3c.tracestate": "vendor=1",
                "otel.dropped_attributes_count": "1",
                "otel.dropped_events_count": "2",
                "otel.dropped_links_count": "3",
                "otlp.link.0": format!("{}|{}|other=2|{{\"reason\":\"batch\"}}|5", "cd".repeat(16), "0c".repeat(8)),
                "text": "quote \" and \u{1} and é",
                "truth": "false",
                "integer": "-9223372036854775808",
                "double": "1.5",
                "bytes": "AP8=",
                "array": r#"["a",2,"NaN"]"#,
                "map": r#"{"inner":"AQL/"}"#,
                "empty": "",
                "nothing": "",
                "scope.kind": "lib",
                "service.namespace": "eu",
                "process.pid": "42",
            },
        },
        {
            "traceId": "ab".repeat(16),
            "parentId": "01".repeat(8),
            "id": "02".repeat(8),
            "kind": "CLIENT",
            "name": "SELECT",
            "timestamp": 1_767_323_045_124_456_u64,
            "duration": 1,
            "localEndpoint": {"serviceName": "shop"},
            "remoteEndpoint": {"serviceName": "database"},
            "tags": {
                "otel.status_code": "OK",
                "otel.scope.name": "sql",
                "otel.library.name": "sql",
                "peer.service": "database",
                "service.namespace": "eu",
                "process.pid": "42",
            },
        },
    ]);
    assert_eq!(spans, expected, "{spans:#}");
}

#[test]
fn kinds_that_zipkin_does_not_have_are_left_out() {
    let kind = |number| one(|span| span.kind = number)["kind"].take();
    let table = [(0, Value::Null), (1, Value::Null), (2, "SERVER".into()), (3, "CLIENT".into())];
    for (number, expected) in table.into_iter().chain([(4, "PRODUCER".into()), (5, "CONSUMER".into())]) {
        assert_eq!(kind(number), expected, "{number}");
    }
}

#[test]
fn the_remote_endpoint_is_the_best_that_is_told() {
    let port = |key| attribute(key, value(Any::IntValue(5432)));
    let cases: [(Vec<KeyValue>, Value); 9] = [
        (vec![], Value::Null),
        (vec![attribute("db.name", text("carts"))], json!({"serviceName": "carts"})),
        (
            vec![attribute("server.address", text("db.example")), attribute("peer.service", text("database"))],
            json!({"serviceName": "database"}),
        ),
        (
            vec![attribute("network.peer.address", text("10.1.2.3")), port("network.peer.port")],
            json!({"ipv4": "10.1.2.3", "port": 5432}),
        ),
        (
            vec![port("server.socket.port"), attribute("server.socket.address", text("2001:db8::1"))],
            json!({"ipv6": "2001:db8::1", "port": 5432}),
        ),
        (vec![attribute("net.sock.peer.addr", text("10.1.2.3"))], json!({"ipv4": "10.1.2.3"})),
        (vec![attribute("network.peer.address", text("/run/db.sock"))], json!({"serviceName": "/run/db.sock"})),
        (vec![attribute("server.address", text("10.1.2.3"))], json!({"serviceName": "10.1.2.3"})),
        (
            vec![attribute("peer.service", text("")), attribute("peer.hostname", text("db"))],
            json!({"serviceName": "db"}),
        ),
    ];
    for (attributes, expected) in cases {
        assert_eq!(one(|span| span.attributes = attributes)["remoteEndpoint"], expected);
    }
    let name = vec![attribute("peer.service", text("page"))];
    let server = one(|span| {
        span.kind = 2;
        span.attributes = name;
    });
    assert_eq!(server["remoteEndpoint"], Value::Null, "who called a server is not asked for");
}

#[test]
fn only_a_failed_span_has_an_error_that_denies_it() {
    let error = |code, attribute: Option<KeyValue>| {
        let mut span = one(|span| {
            span.status = Some(Status { code, message: String::new() });
            span.attributes = attribute.into_iter().collect();
        });
        span["tags"]["error"].take()
    };
    let said = |value| Some(attribute("error", value));
    assert_eq!(error(0, None), Value::Null);
    assert_eq!(error(1, None), Value::Null);
    assert_eq!(error(2, None), "");
    assert_eq!(error(2, said(text("mine"))), "", "the description is the status's");
    assert_eq!(error(0, said(value(Any::BoolValue(false)))), Value::Null);
    assert_eq!(error(0, said(text("false"))), Value::Null);
    assert_eq!(error(0, said(text("mine"))), "mine");
    assert_eq!(one(|span| span.status = None)["tags"]["otel.status_code"], Value::Null);
}

#[test]
fn keys_that_come_twice_are_sent_once() {
    let tags = one(|span| {
        span.attributes = vec![
            attribute("a", text("first")),
            attribute("a", text("last")),
            attribute("process.pid", text("the span's own")),
            attribute("otel.scope.name", text("not the scope")),
        ];
    })["tags"]
        .take();
    assert_eq!(tags["a"], "last");
    assert_eq!(tags["process.pid"], "the span's own");
    assert_eq!(tags["otel.scope.name"], "sql");
}

#[test]
fn times_and_names_that_are_not_known_are_left_out() {
    let mut request = full::request();
    request.resource_spans[0].resource = None;
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    *span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Span::default() };
    let span = &sent(&request)[0];
    let mut keys: Vec<_> = span.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["id", "localEndpoint", "tags", "traceId"]);
    assert_eq!(span["localEndpoint"]["serviceName"], "unknown_service");
}

#[test]
fn the_request_is_a_json_post_and_may_be_compressed() {
    let collector = Collector::start(|_| answer(202, "", b""));
    let mut target = Target::new(collector.url("/api/v2/spans"));
    target.compression = Compression::Gzip;
    let mut exporter = ZipkinExporter::new(&target).expect("a valid URL");
    let message = full::request().encode_to_vec();
    assert_eq!(exporter.export(&Request::new(&[&message], 2), None), ExportOutcome::Delivered);
    let received = &collector.received()[0];
    assert_eq!(received.request_line, "POST /api/v2/spans HTTP/1.1");
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("content-encoding"), Some("gzip"));
    let spans: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&received.body[..])).expect("JSON");
    assert_eq!(spans.as_array().map(Vec::len), Some(2));
}

#[test]
fn answers_are_judged_by_their_status() {
    let outcome = |step: fn() -> Step| export(&Collector::start(move |_| step()), &full::request());
    // What an OTLP receiver would mean by it means nothing here.
    let partial = || answer(200, "content-type: application/json\r\n", br#"{"partialSuccess":{"rejectedSpans":"2"}}"#);
    assert_eq!(outcome(partial), ExportOutcome::Delivered);
    assert!(matches!(outcome(|| answer(503, "", b"")), ExportOutcome::Retryable { .. }));
    let refused = outcome(|| answer(400, "content-type: text/plain\r\n", b"bad span"));
    assert!(
        matches!(refused, ExportOutcome::Rejected { reason } if reason.ends_with("/api/v2/spans: HTTP 400: bad span"))
    );
}

#[test]
fn spans_with_an_invalid_id_are_counted_and_not_sent() {
    let collector = Collector::start(|_| answer(202, "", b""));
    let mut request = full::request();
    request.resource_spans[0].scope_spans[0].spans[0].span_id = vec![0; 8];
    let outcome = export(&collector, &request);
    assert!(matches!(outcome, ExportOutcome::PartiallyRejected { rejected: 1, .. }), "{outcome:?}");
    request.resource_spans[0].scope_spans[1].spans[0].trace_id = vec![];
    let outcome = export(&collector, &request);
    assert!(matches!(outcome, ExportOutcome::PartiallyRejected { rejected: 2, .. }), "{outcome:?}");
    assert_eq!(collector.received().len(), 1, "no request without a span");
}

#[test]
fn an_address_that_cannot_be_posted_to_is_refused() {
    for url in ["", "zipkin", "ftp://zipkin/", "http://", "http:///spans"] {
        assert_eq!(ZipkinExporter::new(&Target::new(url)).err(), Some(ExporterError::Url), "{url}");
    }
    assert!(ZipkinExporter::new(&Target::new(ZipkinExporter::DEFAULT_URL)).is_ok());
}
