//! Finding traces: every filter, alone and together, and the order of what is found.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use serde_json::{Value, json};

use crate::spans::{attribute, failed, request, service, span, text, trace_hex};
use crate::support::TestServer;

/// Three traces: 1 a failing checkout over two services, 2 a quick one of another tenant, 3 a worker without a root.
fn shop() -> TestServer {
    let server = TestServer::start();
    let mut checkout = span(1, 2, 1, "POST /api/checkout", 5, 95);
    checkout.attributes = vec![attribute("tenant_id", Any::IntValue(42)), text("note", "card \"gold\" declined")];
    checkout.status = failed("declined");
    let mut query = span(1, 3, 2, "SELECT cart", 10, 20);
    query.attributes = vec![text("db.system", "postgresql"), attribute("rows", Any::DoubleValue(3.0))];
    let mut other = span(2, 1, 0, "POST /api/checkout", 1000, 1004);
    let items = ["pen", "mug"].map(|item| AnyValue { value: Some(Any::StringValue(item.to_owned())) }).to_vec();
    other.attributes = vec![
        text("tenant_id", "7"),
        attribute("vip", Any::BoolValue(true)),
        attribute("items", Any::ArrayValue(ArrayValue { values: items })),
        attribute("raw", Any::BytesValue(vec![1, 2])),
    ];
    let answer = server.post_protobuf(&request(vec![
        service("page", vec![span(1, 1, 0, "click", 0, 100)]),
        service("shop", vec![checkout, query, other]),
        service("worker", vec![span(3, 5, 4, "restock", 500, 550)]),
    ]));
    assert_eq!(answer.status, 200);
    server
}

#[test]
fn filters_find_exactly_what_they_say() {
    let server = shop();
    let rows: [(&str, &[u8]); 42] = [
        ("", &[2, 3, 1]),
        ("service=", &[2, 3, 1]),
        ("service=page", &[1]),
        ("service=shop", &[2, 1]),
        ("service=Shop", &[]),
        ("operation=POST%20/api/checkout", &[2, 1]),
        ("operation=POST", &[]),
        ("operation=restock&service=worker", &[3]),
        ("operation=restock&service=shop", &[]),
        ("operation=click&service=page", &[1]),
        ("operation=SELECT%20cart&service=page", &[]),
        ("min_duration_ms=100", &[1]),
        ("min_duration_ms=100.001", &[]),
        ("min_duration_ms=4.5", &[3, 1]),
        ("errors=true", &[1]),
        ("errors=false", &[2, 3, 1]),
        ("q=tenant_id%3D42", &[1]),
        ("q=tenant_id%3D42.0", &[]),
        ("q=tenant_id%3D7", &[2]),
        ("q=rows%3D3", &[1]),
        ("q=rows%3D3.0", &[1]),
        ("q=vip%3Dtrue", &[2]),
        ("q=vip%3Dfalse", &[]),
        ("q=items%3Dmug", &[2]),
        ("q=items%3D%22%5B%5C%22pen%5C%22,%5C%22mug%5C%22%5D%22", &[2]),
        ("q=items%3D%22%5B%5C%22pen%5C%22%5D%22", &[]),
        ("q=raw%3DAQI%3D", &[2]),
        ("q=note%3D%22card%20%5C%22gold%5C%22%20declined%22", &[1]),
        ("q=note%3Dcard", &[]),
        ("q=host.name%3Dhost-of-worker", &[3]),
        ("q=host.name", &[2, 3, 1]),
        ("q=db.system", &[1]),
        ("q=tenant_id", &[2, 1]),
        ("q=CHECKOUT", &[2, 1]),
        ("q=%22post%20/api%22", &[2, 1]),
        ("q=tenant_id%3D42%20db.system%3Dpostgresql%20click", &[1]),
        ("q=tenant_id%3D7%20db.system", &[]),
        ("q=nowhere%3D", &[]),
        ("service=shop&errors=true&min_duration_ms=50&q=tenant_id%3D42", &[1]),
        ("limit=1", &[2]),
        ("limit=0", &[]),
        (&format!("trace_id={}", trace_hex(3)), &[3]),
    ];
    for (parameters, expected) in rows {
        let answer = server.get_json(&format!("/api/traces?{parameters}"));
        let found: Vec<_> =
            answer["traces"].as_array().unwrap().iter().map(|trace| trace["trace_id"].clone()).collect();
        let expected: Vec<_> = expected.iter().map(|number| json!(trace_hex(*number))).collect();
        assert_eq!(found, expected, "{parameters}");
    }
    assert_eq!(server.get_json("/api/traces?limit=1")["matched"], 3);
    assert_eq!(server.get_json("/api/traces?service=shop&limit=0")["matched"], 2);
}

#[test]
fn parameters_that_mean_nothing_are_refused_by_name() {
    let server = shop();
    for (parameters, reason) in [
        ("tenant=42", "tenant: unknown"),
        ("min_duration_ms=fast", "min_duration_ms: \"fast\""),
        ("min_duration_ms=-1", "min_duration_ms"),
        ("min_duration_ms=inf", "min_duration_ms"),
        ("errors=yes", "errors: \"yes\""),
        ("limit=-1", "limit: \"-1\""),
        ("trace_id=12", "trace_id"),
    ] {
        let answer = server.get(&format!("/api/traces?{parameters}"));
        assert_eq!(answer.status, 400, "{parameters}");
        assert!(answer.json()["error"].as_str().unwrap().contains(reason), "{}", answer.text());
    }
}

#[test]
fn a_list_says_what_a_row_shows() {
    let server = shop();
    let traces = server.get_json("/api/traces");
    let expected = json!({
        "trace_id": trace_hex(1),
        "root": {"service": "page", "name": "click", "kind": "SERVER"},
        "root_received": true,
        "services": ["page", "shop"],
        "start_time_unix_nano": "1700000000000000001",
        "duration_ns": "100000000",
        "span_count": 3,
        "error_count": 1,
    });
    assert_eq!(traces["traces"][2], expected);
    let rootless = &traces["traces"][1];
    assert_eq!((&rootless["root"]["name"], &rootless["root_received"]), (&json!("restock"), &json!(false)));
}

#[test]
fn services_are_listed_with_what_they_do() {
    let answer = shop().get_json("/api/services");
    let shop = json!({"name": "shop", "trace_count": 2, "span_count": 3, "operations": ["POST /api/checkout", "SELECT cart"], "more_operations": false});
    assert_eq!(answer["services"][1], shop);
    let names: Vec<_> = answer["services"].as_array().unwrap().iter().map(|service| service["name"].clone()).collect();
    assert_eq!(names, ["page", "shop", "worker"]);
}

/// The span ids of a trace in the order of the answer.
fn order(trace: &Value) -> Vec<u64> {
    let id = |span: &Value| u64::from_str_radix(span["span_id"].as_str().unwrap(), 16).unwrap();
    trace["spans"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn parents_come_before_children_whatever_the_parents_are() {
    // Id, parent, start; then the ids in the order in which they have to be answered.
    type Case<'a> = (&'a str, &'a [(u64, u64, u64)], &'a [u64]);
    let cases: [Case<'_>; 6] = [
        ("children before parents", &[(3, 2, 9), (2, 1, 5), (4, 1, 3), (1, 0, 0)], &[1, 4, 2, 3]),
        ("a child that starts first", &[(2, 1, 0), (1, 0, 5)], &[1, 2]),
        ("two roots and a missing parent", &[(1, 0, 5), (2, 0, 1), (3, 9, 3), (4, 3, 3)], &[2, 3, 4, 1]),
        ("its own parent", &[(1, 1, 0), (2, 1, 1)], &[1, 2]),
        ("a circle", &[(1, 3, 2), (2, 1, 3), (3, 2, 4), (4, 2, 9)], &[1, 2, 3, 4]),
        ("a circle besides a root", &[(1, 0, 5), (2, 3, 1), (3, 2, 2)], &[1, 2, 3]),
    ];
    for (number, (name, spans, expected)) in (1..).zip(cases) {
        let server = TestServer::start();
        let spans =
            spans.iter().map(|(id, parent, start)| span(number, *id, *parent, "s", *start, start + 1)).collect();
        assert_eq!(server.post_protobuf(&request(vec![service("s", spans)])).status, 200);
        let trace = server.get_json(&format!("/api/traces/{}", trace_hex(number)));
        assert_eq!(order(&trace), expected, "{name}");
        assert_eq!(server.get_json("/api/traces")["matched"], 1, "{name}");
    }
}

#[test]
fn a_very_deep_trace_is_answered() {
    let server = TestServer::start();
    let depth = 20_000;
    let spans = (1..=depth).rev().map(|id| span(1, id, id - 1, "s", id, id + 1)).collect();
    assert_eq!(server.post_protobuf(&request(vec![service("s", spans)])).status, 200);
    let trace = server.get_json(&format!("/api/traces/{}", trace_hex(1)));
    assert!(order(&trace).into_iter().eq(1..=depth));
}

#[test]
fn unknown_and_malformed_ids_are_told_apart() {
    let server = shop();
    let unknown = server.get(&format!("/api/traces/{}", trace_hex(9)));
    assert_eq!(unknown.status, 404);
    assert!(unknown.json()["error"].as_str().unwrap().contains(&trace_hex(9)));
    for malformed in ["12", &"0".repeat(32), &"g".repeat(32), &trace_hex(1)[1..]] {
        assert_eq!(server.get(&format!("/api/traces/{malformed}")).status, 400, "{malformed}");
    }
    assert_eq!(server.get(&format!("/api/traces/{}", trace_hex(10).to_uppercase())).status, 404, "hex of either case");
}
