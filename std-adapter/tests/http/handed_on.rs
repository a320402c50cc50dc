//! Whole contexts through servers and clients: tracestate and baggage arrive where the trace arrives, recorded or not.

use std::net::SocketAddr;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use clewline::http::{ClientMiddleware, SendTraced as _, inject};
use clewline::propagation::WithContext as _;
use clewline::{Context, SpanContext};
use tracing::Instrument as _;
use tracing::subscriber::NoSubscriber;

use crate::support::{CLIENT, PARENT_ID, TRACE_ID, ended, exchange, hex, serve, server_span, the_span};

/// Answers the headers that arrived.
async fn echo(headers: HeaderMap) -> String {
    ["traceparent", "tracestate", "baggage"].map(|name| shown(&headers, name)).join("|")
}

fn shown(headers: &HeaderMap, name: &str) -> String {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(",")
}

/// Asks the far end and answers what it got.
async fn ask(far_end: SocketAddr, path: &str) -> String {
    let request = reqwest::Client::new().get(format!("http://{far_end}{path}"));
    request.send_traced().await.unwrap().text().await.unwrap()
}

fn head(path: &str, flags: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\ntraceparent: 00-{TRACE_ID}-{PARENT_ID}-{flags}\r\nTracestate: congo=1\r\ntracestate: rojo=2\r\nbaggage: tenant=acme"
    )
}

#[tokio::test]
async fn lists_go_through_a_server_and_the_tasks_it_starts() {
    let far_end = serve(Router::new().route("/handed-on/far", get(echo))).await;
    let forward = async move || {
        let task = async move { ask(far_end, "/handed-on/far").await };
        let context = Context::current().with_baggage_entry("user", "Müller").unwrap();
        let own = tracing::info_span!("task");
        tokio::spawn(task.with_context(context).instrument(own)).await.unwrap()
    };
    let address = serve(Router::new().route("/handed-on/near", get(forward))).await;
    let response = exchange(address, &head("/handed-on/near", "03")).await;
    assert!(response.ends_with("-03|congo=1,rojo=2|tenant=acme,user=M%C3%BCller"), "{response}");
    let [near, far] = [server_span("/handed-on/near").await, server_span("/handed-on/far").await];
    for span in [&near, &far] {
        assert_eq!((hex(&span.trace_id), span.trace_state.as_str()), (TRACE_ID.to_owned(), "congo=1,rojo=2"));
    }
    let client = the_span(|span| span.kind == CLIENT && span.span_id == far.parent_span_id).await;
    assert_eq!(client.trace_state, "congo=1,rojo=2");
}

#[tokio::test]
async fn lists_go_through_a_server_that_records_nothing() {
    let far_end = serve(Router::new().route("/unrecorded/far", get(echo))).await;
    let forward = async move || ask(far_end, "/unrecorded/far").await;
    let address = serve(Router::new().route("/unrecorded/near", get(forward))).await;
    let trace_id = TRACE_ID.replace("0af7", "eee1");
    let response = exchange(address, &head("/unrecorded/near", "00").replace(TRACE_ID, &trace_id)).await;
    assert!(response.contains(&format!("00-{trace_id}-")) && !response.contains(PARENT_ID), "{response}");
    assert!(response.ends_with("-00|congo=1,rojo=2|tenant=acme"), "{response}");
    assert_eq!(ended(|span| hex(&span.trace_id) == trace_id), []);
}

/// Where no subscriber is interested in the spans, contexts pass through as they came, also from the body.
#[tokio::test]
async fn without_a_subscriber_contexts_pass_through() {
    let far_end = serve(Router::new().route("/untraced/far", get(echo))).await;
    // The test's tasks all run on this thread.
    let _untraced = tracing::subscriber::set_default(NoSubscriber::new());
    let forward = async move || {
        let body = futures_util::stream::once(async move {
            let mut headers = HeaderMap::new();
            assert!(inject(&mut headers));
            Ok::<_, std::convert::Infallible>(format!(
                "{} {}",
                shown(&headers, "traceparent"),
                ask(far_end, "/untraced/far").await
            ))
        });
        axum::body::Body::from_stream(body)
    };
    let address = serve(Router::new().route("/untraced/near", get(forward))).await;
    let response = exchange(address, &head("/untraced/near", "01")).await;
    let parent = format!("00-{TRACE_ID}-{PARENT_ID}-01");
    assert!(response.contains(&format!("{parent} {parent}|congo=1,rojo=2|tenant=acme")), "{response}");
    assert_eq!(Context::current(), Context::default(), "nothing stays behind");
}

#[tokio::test]
async fn a_middleware_traces_every_request_of_a_client() {
    let far_end = serve(Router::new().route("/middleware/far", get(echo))).await;
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(ClientMiddleware::new()).build();
    let work = tracing::info_span!("middleware work");
    let request = client.get(format!("http://{far_end}/middleware/far")).send();
    let arrived = async { request.await.unwrap().text().await.unwrap() }.instrument(work).await;
    let server = server_span("/middleware/far").await;
    let client_span = the_span(|span| span.kind == CLIENT && span.span_id == server.parent_span_id).await;
    let work = the_span(|span| span.name == "middleware work").await;
    assert_eq!(client_span.parent_span_id, work.span_id);
    assert!(arrived.starts_with(&format!("00-{}-{}-03", hex(&work.trace_id), hex(&client_span.span_id))), "{arrived}");

    let address = crate::nobody::nobody();
    let error = client.get(format!("http://{address}/middleware/nobody")).send().await.unwrap_err();
    assert!(error.is_connect());
    let failed = the_span(|span| {
        crate::support::verdict(span) == (crate::support::ERROR, Some("connect"))
            && format!("{span:?}").contains("/middleware/nobody")
    })
    .await;
    assert_eq!(failed.kind, CLIENT);
}

/// A context of elsewhere is the parent of the request, and nothing else is.
#[tokio::test]
async fn an_attached_context_is_the_parent_of_requests() {
    let far_end = serve(Router::new().route("/attached/far", get(echo))).await;
    let remote: SpanContext = clewline::traceparent::parse(format!("00-{TRACE_ID}-{PARENT_ID}-01").as_bytes()).unwrap();
    let context = Context::from(remote).with_trace_state("congo=1");
    let arrived = ask(far_end, "/attached/far").with_context(context).await;
    assert!(arrived.starts_with(&format!("00-{TRACE_ID}-")) && arrived.ends_with("|congo=1|"), "{arrived}");
    let server = server_span("/attached/far").await;
    let client = the_span(|span| span.kind == CLIENT && span.span_id == server.parent_span_id).await;
    assert_eq!(hex(&client.parent_span_id), PARENT_ID);
}
