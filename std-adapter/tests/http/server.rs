//! What the server span says of a request, and which trace it belongs to.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get, post};
use clewline::SpanExt as _;
use tracing::Span;

use crate::support::{
    ERROR, PARENT_ID, SERVER, TRACE_ID, UNSET, events, exchange, hex, integer, serve, server_span, text, the_span,
    verdict,
};

/// Answers its own context, as the header for the next service would have it.
async fn own_context() -> String {
    let context = Span::current().context().expect("a context");
    format!("{}-{}", context.trace_id(), context.span_id())
}

#[tokio::test]
async fn a_request_is_described_by_the_semantic_conventions() {
    let address = serve(Router::new().route("/described/{id}", post(own_context))).await;
    let request = format!(
        "POST /described/7?token=secret HTTP/1.1\r\nUser-Agent: curl/8\r\ntraceparent: 00-{TRACE_ID}-{PARENT_ID}-01"
    );
    let response = exchange(address, &request).await;

    let span = server_span("/described/7").await;
    assert!(response.ends_with(&format!("{TRACE_ID}-{}", hex(&span.span_id))), "{response}");
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE_ID.to_owned(), PARENT_ID.to_owned()));
    assert_eq!(span.flags, 0x301, "sampled, and the parent is known to be remote");
    assert_eq!((span.name.as_str(), span.kind), ("POST /described/{id}", SERVER));
    let mut keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.sort_unstable();
    let texts = [
        ("client.address", "127.0.0.1"),
        ("http.request.method", "POST"),
        ("http.route", "/described/{id}"),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("server.address", "shop.example"),
        ("url.path", "/described/7"),
        ("url.query", "token=REDACTED"),
        ("url.scheme", "http"),
        ("user_agent.original", "curl/8"),
    ];
    let integers = [("http.response.status_code", 200), ("server.port", 8080)];
    let mut expected: Vec<_> = texts.iter().map(|(key, _)| *key).chain(integers.iter().map(|(key, _)| *key)).collect();
    expected.push("network.peer.port");
    expected.sort_unstable();
    assert_eq!(keys, expected, "these and no others");
    for (key, value) in texts {
        assert_eq!(text(&span.attributes, key), Some(value), "{key}");
    }
    for (key, value) in integers {
        assert_eq!(integer(&span.attributes, key), Some(value), "{key}");
    }
    assert_eq!(verdict(&span), (UNSET, None));
    assert_eq!(span.events, [], "nothing went wrong");
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
}

#[tokio::test]
async fn invalid_headers_begin_a_new_trace_and_the_request_is_answered() {
    let address = serve(Router::new().route("/invalid/{which}", get(own_context))).await;
    let good = format!("00-{TRACE_ID}-{PARENT_ID}-01");
    let cases: [(&str, String, bool); 7] = [
        ("missing", String::new(), false),
        ("empty", "\r\ntraceparent:".to_owned(), true),
        ("word", "\r\ntraceparent: malformed".to_owned(), true),
        ("capitals", format!("\r\ntraceparent: {}", good.to_uppercase()), true),
        ("zero", format!("\r\ntraceparent: 00-{}-{PARENT_ID}-01", "0".repeat(32)), true),
        ("twice", format!("\r\ntraceparent: {good}\r\ntraceparent: {good}"), true),
        ("twice-in-one-line", format!("\r\ntraceparent: {good}, {good}"), true),
    ];
    for (which, header, is_told) in cases {
        let response = exchange(address, &format!("GET /invalid/{which} HTTP/1.1{header}")).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{which}: {response}");
        let span = server_span(&format!("/invalid/{which}")).await;
        assert!(response.ends_with(&format!("{}-{}", hex(&span.trace_id), hex(&span.span_id))), "{which}: {response}");
        assert_eq!(hex(&span.parent_span_id), "", "{which}");
        assert_ne!(hex(&span.trace_id), TRACE_ID, "{which}");
        assert_eq!(events(&span).len(), usize::from(is_told), "{which}: {:?}", span.events);
    }
}

#[tokio::test]
async fn a_request_that_no_route_matches_is_named_after_its_method() {
    let address = serve(Router::new()).await;
    assert!(exchange(address, "GET /no/such/page HTTP/1.1").await.starts_with("HTTP/1.1 404 "));
    let span = server_span("/no/such/page").await;
    assert_eq!((span.name.as_str(), text(&span.attributes, "http.route")), ("GET", None));
    assert_eq!(integer(&span.attributes, "http.response.status_code"), Some(404));
    assert_eq!(verdict(&span), (UNSET, None));
}

#[tokio::test]
async fn an_unknown_method_does_not_become_a_name() {
    let address = serve(Router::new().route("/teapot", any(async || "short and stout"))).await;
    exchange(address, "BREW /teapot HTTP/1.1").await;
    let span = server_span("/teapot").await;
    assert_eq!(span.name, "HTTP /teapot");
    assert_eq!(text(&span.attributes, "http.request.method"), Some("_OTHER"));
    assert_eq!(text(&span.attributes, "http.request.method_original"), Some("BREW"));
}

#[tokio::test]
async fn only_the_servers_own_failures_are_errors() {
    async fn answer(axum::extract::Path(code): axum::extract::Path<u16>) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }
    let address = serve(Router::new().route("/status/{code}", get(answer))).await;
    for (code, expected) in [
        (200, (UNSET, None)),
        (302, (UNSET, None)),
        (400, (UNSET, None)),
        (499, (UNSET, None)),
        (500, (ERROR, Some("500"))),
        (503, (ERROR, Some("503"))),
    ] {
        let path = format!("/status/{code}");
        exchange(address, &format!("GET {path} HTTP/1.1")).await;
        let span = server_span(&path).await;
        assert_eq!(verdict(&span), expected, "{code}");
        assert_eq!(integer(&span.attributes, "http.response.status_code"), Some(code));
        assert_eq!(span.status.map(|status| status.message).unwrap_or_default(), "", "the code says it all");
    }
}

#[tokio::test]
async fn spans_of_the_handler_are_children_even_after_it_moved_between_threads() {
    #[tracing::instrument]
    async fn inner_work() {
        tokio::task::yield_now().await;
    }
    let handler = async || {
        tokio::task::yield_now().await;
        inner_work().await;
    };
    let address = serve(Router::new().route("/children", get(handler))).await;
    exchange(address, "GET /children HTTP/1.1").await;
    let server = server_span("/children").await;
    let inner = the_span(|span| span.name == "inner_work").await;
    assert_eq!((inner.trace_id, inner.parent_span_id), (server.trace_id, server.span_id));
}
