//! The bound on memory, whole evictions, and copies of the same span.

use clewline::server::ServerConfig;
use serde_json::json;

use crate::spans::{request, service, span, text, trace_hex};
use crate::support::TestServer;

#[test]
fn the_oldest_traces_make_room_and_are_counted() {
    let limit = 64 * 1024;
    let server = TestServer::with(ServerConfig { memory_limit: limit, ..ServerConfig::default() });
    let post = |number: u8, id: u64| {
        // Name, resource and scope of its own for each trace: they have to go with it.
        let own = format!("{number} {}", "x".repeat(500));
        let mut resource_spans =
            service(&own, vec![span(number, id, 0, &own, u64::from(number), u64::from(number) + 1)]);
        resource_spans.scope_spans[0].scope.as_mut().unwrap().name = own;
        assert_eq!(server.post_protobuf(&request(vec![resource_spans])).status, 200);
        let stats = server.get_json("/api/stats");
        assert!(stats["stored_bytes"].as_u64().unwrap() <= limit as u64, "{stats}");
    };
    for number in 1..=10 {
        post(number, 1);
    }
    assert_eq!(server.get_json("/api/stats")["evicted_traces"], 0);
    // Trace 1 hears news, so trace 2 is now the oldest.
    post(1, 2);
    // Enough of them that whatever an eviction forgets to give back fills the store.
    for number in 11..=120 {
        post(number, 1);
    }
    let stats = server.get_json("/api/stats");
    let stored = stats["stored_traces"].as_u64().unwrap();
    assert!((10..=14).contains(&stored), "{stats}");
    assert_eq!(stats["evicted_traces"], 120 - stored);
    assert_eq!(stats["evicted_spans"], 120 - stored + 1, "trace 1 was evicted whole, with both spans: {stats}");
    assert_eq!(stats["stored_spans"], stored);
    assert_eq!(server.get(&format!("/api/traces/{}", trace_hex(2))).status, 404);
    assert_eq!(server.get(&format!("/api/traces/{}", trace_hex(120))).status, 200);
    assert_eq!(server.get_json("/api/services")["services"].as_array().unwrap().len() as u64, stored);
}

#[test]
fn news_keeps_a_trace() {
    let server = TestServer::with(ServerConfig { memory_limit: 32 * 1024, ..ServerConfig::default() });
    let post = |number: u8, id: u64| {
        let mut span = span(number, id, 0, "s", 0, 1);
        span.attributes = vec![text("padding", &"x".repeat(500))];
        assert_eq!(server.post_protobuf(&request(vec![service("s", vec![span])])).status, 200);
    };
    for number in 2..=100 {
        post(1, 1);
        post(number, 1);
    }
    assert!(server.get_json("/api/stats")["evicted_traces"].as_u64().unwrap() > 50);
    assert_eq!(server.get(&format!("/api/traces/{}", trace_hex(1))).status, 200);
}

#[test]
fn a_trace_larger_than_the_limit_does_not_break_it() {
    let limit = 100_000;
    let server = TestServer::with(ServerConfig { memory_limit: limit, ..ServerConfig::default() });
    let spans = (1..=2000).map(|id| span(1, id, 0, "s", 0, 1)).collect();
    assert_eq!(server.post_protobuf(&request(vec![service("s", spans)])).status, 200);
    let stats = server.get_json("/api/stats");
    assert!(stats["stored_bytes"].as_u64().unwrap() <= limit as u64, "{stats}");
    let (evicted, stored) = (stats["evicted_spans"].as_u64().unwrap(), stats["stored_spans"].as_u64().unwrap());
    assert!(evicted > 0, "{stats}");
    assert_eq!(evicted + stored, 2000, "{stats}");
}

#[test]
fn a_span_that_comes_again_replaces_its_copy() {
    let server = TestServer::start();
    let post = |name: &str| {
        let spans = vec![span(1, 1, 0, name, 0, 1), span(1, 2, 1, "child", 0, 1)];
        assert_eq!(server.post_protobuf(&request(vec![service("s", spans)])).status, 200);
    };
    post("first");
    let bytes = server.get_json("/api/stats")["stored_bytes"].clone();
    post("again");
    let stats = server.get_json("/api/stats");
    assert_eq!(
        (&stats["stored_spans"], &stats["received_spans"], &stats["replaced_spans"]),
        (&json!(2), &json!(4), &json!(2))
    );
    assert_eq!(stats["stored_bytes"], bytes);
    let trace = server.get_json(&format!("/api/traces/{}", trace_hex(1)));
    assert_eq!((trace["spans"].as_array().unwrap().len(), &trace["spans"][0]["name"]), (2, &json!("again")));
}
