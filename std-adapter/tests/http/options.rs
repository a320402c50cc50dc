//! What the layers' options change: headers, query strings, baggage, proxies, and the way back to the page.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::AppendHeaders;
use axum::routing::get;
use clewline::http::{ClientLayer, Options, Query, SendTraced as _};
use clewline::propagation::Propagators;
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::support::{
    CLIENT, PARENT_ID, TRACE_ID, exchange, hex, integer, serve_with, server_span, text, texts, the_span,
};

#[tokio::test]
async fn chosen_headers_are_recorded_and_secrets_are_not() {
    let options = Options::new()
        .request_headers(["X-Request-Id", "authorization", "cookie", "not a header", "absent"])
        .response_headers(["x-cache", "set-cookie"]);
    let headers =
        AppendHeaders([("x-cache", "hit"), ("set-cookie", "secret=1"), ("set-cookie", "secret=2"), ("x-other", "no")]);
    let address = serve_with(Router::new().route("/captured", get(async move || headers)), options).await;
    exchange(
        address,
        "GET /captured HTTP/1.1\r\nX-Request-ID: a\r\nx-request-id: b\r\nAuthorization: Bearer secret\r\nCookie: secret=0",
    )
    .await;
    let span = server_span("/captured").await;
    for (key, values) in [
        ("http.request.header.x-request-id", &["a", "b"][..]),
        ("http.request.header.authorization", &["REDACTED"]),
        ("http.request.header.cookie", &["REDACTED"]),
        ("http.response.header.x-cache", &["hit"]),
        ("http.response.header.set-cookie", &["REDACTED", "REDACTED"]),
    ] {
        assert_eq!(texts(&span.attributes, key), values, "{key}");
    }
    let shown = format!("{span:?}");
    assert!(!shown.contains("secret") && !shown.contains("x-other") && !shown.contains("absent"), "{shown}");
}

#[tokio::test]
async fn query_strings_are_recorded_as_asked() {
    for (policy, path, expected) in [
        (Query::Redacted, "/query/redacted", Some("page=REDACTED&sig=REDACTED")),
        (Query::Recorded, "/query/recorded", Some("page=2&sig=REDACTED")),
        (Query::Omitted, "/query/omitted", None),
    ] {
        let options = Options::new().query(policy);
        let address = serve_with(Router::new().route(path, get(async || ())), options.clone()).await;
        let url = format!("http://{address}{path}");
        reqwest::Client::new().get(format!("{url}?page=2&sig=secret")).send_traced_with(&options).await.unwrap();
        let server = server_span(path).await;
        assert_eq!(text(&server.attributes, "url.query"), expected, "{path}");
        let client = the_span(|span| span.kind == CLIENT && span.span_id == server.parent_span_id).await;
        let full = expected.map_or(url.clone(), |query| format!("{url}?{query}"));
        assert_eq!(text(&client.attributes, "url.full"), Some(full.as_str()));
    }
}

#[tokio::test]
async fn chosen_entries_of_the_baggage_become_attributes() {
    let address = serve_with(Router::new().route("/baggage/attributes", get(async || ())), Options::new()).await;
    exchange(address, "GET /baggage/attributes HTTP/1.1\r\nbaggage: tenant=M%C3%BCller,secret=1").await;
    let span = server_span("/baggage/attributes").await;
    assert_eq!(text(&span.attributes, "tenant"), Some("Müller"));
    assert!(!format!("{span:?}").contains("secret"), "{span:?}");
}

#[tokio::test]
async fn forwarded_headers_are_believed_only_of_trusted_proxies() {
    let head = "HTTP/1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\nX-Forwarded-For: 203.0.113.7";
    for (is_trusted, path, expected) in [
        (false, "/proxy/strange", [Some("http"), Some("shop.example"), Some("127.0.0.1")]),
        (true, "/proxy/trusted", [Some("https"), Some("shop.test"), Some("203.0.113.7")]),
    ] {
        let options = Options::new().trust_proxy(is_trusted);
        let address = serve_with(Router::new().route(path, get(async || ())), options).await;
        exchange(address, &format!("GET {path} {head}")).await;
        let span = server_span(path).await;
        let found = ["url.scheme", "server.address", "client.address"].map(|key| text(&span.attributes, key));
        assert_eq!(found, expected);
        assert_eq!(integer(&span.attributes, "server.port"), if is_trusted { None } else { Some(8080) });
        assert_eq!(text(&span.attributes, "network.peer.address"), Some("127.0.0.1"), "what is known for certain");
    }
}

#[tokio::test]
async fn the_page_is_told_which_span_it_was() {
    let options = Options::new().server_timing(true);
    let handler = async || AppendHeaders([("server-timing", "db;dur=3")]);
    let address = serve_with(Router::new().route("/timing", get(handler)), options).await;
    let response =
        exchange(address, &format!("GET /timing HTTP/1.1\r\ntraceparent: 00-{TRACE_ID}-{PARENT_ID}-01")).await;
    let span = server_span("/timing").await;
    let expected = format!("server-timing: traceparent;desc=\"00-{TRACE_ID}-{}-01\"", hex(&span.span_id));
    assert!(response.contains(&expected) && response.contains("server-timing: db;dur=3"), "{response}");
}

#[tokio::test]
async fn a_layer_may_speak_other_formats_than_the_process() {
    let b3: Propagators = "b3".parse().unwrap();
    let options = Options::new().propagators(b3);
    let answer = async |headers: HeaderMap| {
        let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        format!("{}|{}", value("b3"), value("traceparent"))
    };
    let far_end = serve_with(Router::new().route("/b3/far", get(answer)), options.clone()).await;
    let forward = {
        let options = options.clone();
        async move || {
            let request = reqwest::Client::new().get(format!("http://{far_end}/b3/far"));
            request.send_traced_with(&options).await.unwrap().text().await.unwrap()
        }
    };
    let address = serve_with(Router::new().route("/b3/near", get(forward)), options).await;
    let response = exchange(address, &format!("GET /b3/near HTTP/1.1\r\nb3: {TRACE_ID}-{PARENT_ID}-d")).await;
    let client =
        the_span(|span| span.kind == CLIENT && hex(&span.trace_id) == TRACE_ID && has_path(span, "/b3/far")).await;
    assert!(response.ends_with(&format!("{TRACE_ID}-{}-d|", hex(&client.span_id))), "{response}");
}

fn has_path(span: &opentelemetry_proto::tonic::trace::v1::Span, path: &str) -> bool {
    text(&span.attributes, "url.full").is_some_and(|url| url.ends_with(path))
}

/// The service under a client layer answers in place, so that nothing but the layer is seen.
#[tokio::test]
async fn a_client_layer_records_what_its_options_say() {
    crate::support::start();
    let answer = tower::service_fn(async |request: http::Request<String>| {
        assert!(request.headers().contains_key("traceparent"));
        let response = http::Response::builder().status(404).header("x-cache", "miss").body(String::new());
        Ok::<_, std::convert::Infallible>(response.unwrap())
    });
    let options = Options::new().request_headers(["x-request-id"]).response_headers(["x-cache"]);
    let service = ClientLayer::with_options(options).layer(answer);
    let request = http::Request::get("https://user:secret@stock.example/client/layer?key=secret")
        .header("x-request-id", "7")
        .body(String::new())
        .unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 404);
    let span = the_span(|span| text(&span.attributes, "server.address") == Some("stock.example")).await;
    assert_eq!(text(&span.attributes, "url.full"), Some("https://stock.example/client/layer?key=REDACTED"));
    assert_eq!(integer(&span.attributes, "server.port"), Some(443));
    assert_eq!(texts(&span.attributes, "http.request.header.x-request-id"), ["7"]);
    assert_eq!(texts(&span.attributes, "http.response.header.x-cache"), ["miss"]);
    assert_eq!(crate::support::verdict(&span), (crate::support::ERROR, Some("404")));
}
