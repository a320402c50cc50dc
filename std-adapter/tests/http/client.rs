//! Outgoing requests: the client span, the header it sends, and what it keeps to itself.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use clewline::http::{SendTraced as _, inject};
use tracing::Instrument as _;

use crate::support::{
    CLIENT, ERROR, PARENT_ID, TRACE_ID, UNSET, hex, integer, serve, server_span, text, the_span, verdict,
};

/// Answers the `traceparent` that arrived.
async fn echo(headers: HeaderMap) -> String {
    headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_request_is_a_client_span_whose_context_arrives() {
    let address = serve(Router::new().route("/client/echo", get(echo))).await;
    let work = tracing::info_span!("client work");
    let url = format!("http://name:password@{address}/client/echo?token=secret#part");
    let request = reqwest::Client::new().get(&url).send_traced();
    let arrived = async { request.await.unwrap().text().await.unwrap() }.instrument(work).await;

    let work = the_span(|span| span.name == "client work").await;
    let client = the_span(|span| span.kind == CLIENT && span.trace_id == work.trace_id).await;
    let server = server_span("/client/echo").await;
    assert_eq!(arrived, format!("00-{}-{}-03", hex(&client.trace_id), hex(&client.span_id)), "sampled, random id");
    assert_eq!(client.parent_span_id, work.span_id);
    assert_eq!((&server.trace_id, &server.parent_span_id), (&client.trace_id, &client.span_id));

    assert_eq!(client.name, "GET");
    let shown = format!("http://{address}/client/echo?token=REDACTED");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("url.full", shown.as_str()),
        ("server.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(text(&client.attributes, key), Some(value), "{key}");
    }
    assert_eq!(integer(&client.attributes, "server.port"), Some(address.port().into()));
    assert_eq!(integer(&client.attributes, "http.response.status_code"), Some(200));
    assert_eq!(verdict(&client), (UNSET, None));
    assert_eq!(client.attributes.len(), 6);
}

/// A proxy passes on all the headers that it got; the trace goes on through it all the same.
#[tokio::test]
async fn headers_that_a_proxy_passes_on_are_replaced() {
    let far_end = serve(Router::new().route("/client/proxied", get(echo))).await;
    let forward = async move |headers: HeaderMap| {
        let request = reqwest::Client::new().get(format!("http://{far_end}/client/proxied")).headers(headers);
        request.send_traced().await.unwrap().text().await.unwrap()
    };
    let address = serve(Router::new().route("/client/proxy", get(forward))).await;
    let header = format!("00-{TRACE_ID}-{PARENT_ID}-01");
    let request = reqwest::Client::new().get(format!("http://{address}/client/proxy")).header("traceparent", &header);
    let arrived = request.send().await.unwrap().text().await.unwrap();
    let [proxy, proxied] = [server_span("/client/proxy").await, server_span("/client/proxied").await];
    let client = the_span(|span| span.kind == CLIENT && span.span_id == proxied.parent_span_id).await;
    assert_eq!((hex(&client.trace_id).as_str(), &client.parent_span_id), (TRACE_ID, &proxy.span_id));
    assert_eq!(arrived, format!("00-{TRACE_ID}-{}-01", hex(&client.span_id)));
}

#[tokio::test]
async fn answers_from_400_are_errors_to_the_client() {
    let router = Router::new()
        .route("/client/301", get(async || StatusCode::NOT_MODIFIED))
        .route("/client/404", get(async || StatusCode::NOT_FOUND))
        .route("/client/500", get(async || StatusCode::INTERNAL_SERVER_ERROR));
    let address = serve(router).await;
    for (path, expected) in
        [("/client/301", (UNSET, None)), ("/client/404", (ERROR, Some("404"))), ("/client/500", (ERROR, Some("500")))]
    {
        let url = format!("http://{address}{path}");
        reqwest::Client::new().get(&url).send_traced().await.unwrap();
        let span = the_span(|span| span.kind == CLIENT && text(&span.attributes, "url.full") == Some(&url)).await;
        assert_eq!(verdict(&span), expected, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_an_error_without_secrets() {
    serve(Router::new()).await;
    let address = crate::nobody::nobody();
    let url = format!("http://{address}/client/unreachable?token=secret");
    let error = reqwest::Client::new().get(&url).send_traced().await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(error.url().map(reqwest::Url::as_str), Some(url.as_str()), "the caller's error is complete");

    let shown = format!("http://{address}/client/unreachable?token=REDACTED");
    let span = the_span(|span| text(&span.attributes, "url.full") == Some(&shown)).await;
    assert_eq!(verdict(&span), (ERROR, Some("connect")));
    assert_eq!(span.events[0].name, "exception");
    let why = span.status.as_ref().map_or("", |status| status.message.as_str());
    assert!(why.starts_with("error sending request: ") && why.contains("connect"), "with its causes: {why}");
    assert!(!format!("{span:?}").contains("secret"), "{span:?}");
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_is_handed_on_as_such() {
    let target = serve(Router::new().route("/client/unsampled-target", get(echo))).await;
    let forward = async move || {
        let url = format!("http://{target}/client/unsampled-target");
        reqwest::Client::new().get(url).send_traced().await.unwrap().text().await.unwrap()
    };
    let address = serve(Router::new().route("/client/unsampled", get(forward))).await;
    let other = TRACE_ID.replace("0af", "fff");
    let request = reqwest::Client::new()
        .get(format!("http://{address}/client/unsampled"))
        .header("traceparent", format!("00-{other}-{PARENT_ID}-00"));
    let arrived = request.send().await.unwrap().text().await.unwrap();
    assert!(arrived.starts_with(&format!("00-{other}-")) && arrived.ends_with("-00"), "{arrived}");
    assert!(!arrived.contains(PARENT_ID), "each hop has a span id of its own: {arrived}");
    assert_eq!(crate::support::ended(|span| hex(&span.trace_id) == other), []);
}

#[tokio::test]
async fn headers_of_any_client_can_carry_the_current_span() {
    serve(Router::new()).await;
    let mut headers = HeaderMap::new();
    assert!(!inject(&mut headers) && headers.is_empty(), "no span, no header");
    let span = tracing::info_span!("injecting");
    assert!(span.in_scope(|| inject(&mut headers)));
    drop(span);
    let span = the_span(|span| span.name == "injecting").await;
    assert_eq!(headers["traceparent"], format!("00-{}-{}-03", hex(&span.trace_id), hex(&span.span_id)));
    let before = headers.clone();
    assert!(tracing::info_span!("again").in_scope(|| inject(&mut headers)));
    assert!(headers["traceparent"] != before["traceparent"] && headers.get_all("traceparent").iter().count() == 1);
}
