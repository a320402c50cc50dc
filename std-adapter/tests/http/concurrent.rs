//! Very many requests at once on few threads, through two servers: each stays in its own trace, with its own lists.

use std::collections::HashMap;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::get;
use clewline::Context;
use clewline::http::SendTraced as _;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::support::{SERVER, ended, hex, integer, serve, text};

const REQUESTS: usize = 10_000;
/// Under way at a time.
const AT_ONCE: usize = 250;

#[tracing::instrument(name = "interleaved step")]
async fn step(number: usize) {
    for _ in 0..number % 7 {
        tokio::task::yield_now().await;
    }
}

/// The context of this moment as a text: trace, list and baggage.
fn shown() -> String {
    let context = Context::current();
    let trace_id = context.span_context().map(|span| span.trace_id().to_string()).unwrap_or_default();
    format!("{trace_id} {} {}", context.trace_state(), context.baggage())
}

async fn far(Path(number): Path<usize>, headers: HeaderMap) -> String {
    step(number).await;
    format!("{} {}", shown(), headers["baggage"].to_str().unwrap())
}

async fn near(Path(number): Path<usize>, State((client, far_end)): State<(reqwest::Client, SocketAddr)>) -> String {
    step(number).await;
    let request = client.get(format!("http://{far_end}/interleaved/far/{number}"));
    let arrived = request.send_traced().await.unwrap().text().await.unwrap();
    tokio::task::yield_now().await;
    format!("{} {arrived}", shown())
}

fn expected(number: usize) -> String {
    let context = format!("{number:032x} n={number} number={number}");
    format!("{context} {context} number={number}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_interleaved_requests_never_mix() {
    let client = reqwest::Client::new();
    let far_end = serve(Router::new().route("/interleaved/far/{number}", get(far))).await;
    let router = Router::new().route("/interleaved/near/{number}", get(near)).with_state((client.clone(), far_end));
    let address = serve(router).await;
    for first in (1..=REQUESTS).step_by(AT_ONCE) {
        let requests: Vec<_> = (first..first + AT_ONCE)
            .map(|number| {
                let request = client
                    .get(format!("http://{address}/interleaved/near/{number}"))
                    .header("traceparent", format!("00-{number:032x}-{number:016x}-01"))
                    .header("tracestate", format!("n={number}"))
                    .header("baggage", format!("number={number}"));
                tokio::spawn(async move { (number, request.send().await.unwrap().text().await.unwrap()) })
            })
            .collect();
        for request in requests {
            let (number, answer) = request.await.unwrap();
            assert_eq!(answer, expected(number), "both handlers saw their own context");
        }
        // What has ended leaves before there is more of it than the rings can hold.
        ended(|_| false);
    }

    let spans = ended(|span| span.trace_state.starts_with("n="));
    let mut traces: HashMap<&[u8], Vec<&Span>> = HashMap::new();
    for span in &spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    assert_eq!((traces.len(), spans.len()), (REQUESTS, 5 * REQUESTS), "two servers, a client and two steps each");
    for trace in traces.values() {
        check(trace);
    }
}

/// The spans of one request: each knows its number, and they hang together.
fn check(trace: &[&Span]) {
    let number = usize::from_str_radix(&hex(&trace[0].trace_id), 16).unwrap();
    let server = |path: String| {
        let found = trace.iter().find(|span| span.kind == SERVER && text(&span.attributes, "url.path") == Some(&path));
        *found.unwrap_or_else(|| panic!("no {path} in {trace:#?}"))
    };
    let near = server(format!("/interleaved/near/{number}"));
    let far = server(format!("/interleaved/far/{number}"));
    assert_eq!(hex(&near.parent_span_id), format!("{number:016x}"));
    let client = trace.iter().find(|span| span.span_id == far.parent_span_id).expect("the client's span");
    assert_eq!(client.parent_span_id, near.span_id);
    for parent in [near, far] {
        let steps: Vec<_> = trace
            .iter()
            .filter(|span| span.parent_span_id == parent.span_id && span.name == "interleaved step")
            .collect();
        assert_eq!(steps.len(), 1, "{trace:#?}");
        assert_eq!(integer(&steps[0].attributes, "number"), i64::try_from(number).ok());
    }
    assert!(trace.iter().all(|span| span.trace_state == format!("n={number}")), "{trace:#?}");
}
