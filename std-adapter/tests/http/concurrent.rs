//! Many requests at once on few threads: each stays in its own trace.

use std::collections::HashMap;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use clewline::SpanExt as _;
use tracing::Span;

use crate::support::{hex, serve, text, the_spans};

const REQUESTS: usize = 200;

#[tracing::instrument(name = "interleaved step")]
async fn step(number: usize) {
    for _ in 0..number % 7 {
        tokio::task::yield_now().await;
    }
}

async fn handler(Path(number): Path<usize>) -> String {
    for _ in 0..3 {
        step(number).await;
        tokio::task::yield_now().await;
    }
    Span::current().context().map(|context| context.trace_id().to_string()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_interleaved_requests_never_mix() {
    let address = serve(Router::new().route("/interleaved/{number}", get(handler))).await;
    let client = reqwest::Client::new();
    let requests: Vec<_> = (1..=REQUESTS)
        .map(|number| {
            let request = client
                .get(format!("http://{address}/interleaved/{number}"))
                .header("traceparent", format!("00-{number:032x}-{number:016x}-01"));
            tokio::spawn(async move { (number, request.send().await.unwrap().text().await.unwrap()) })
        })
        .collect();
    for request in requests {
        let (number, trace_id) = request.await.unwrap();
        assert_eq!(trace_id, format!("{number:032x}"), "the handler saw its own trace");
    }

    let servers = the_spans(REQUESTS, |span| span.name == "GET /interleaved/{number}").await;
    let steps = the_spans(3 * REQUESTS, |span| span.name == "interleaved step").await;
    let mut by_trace = HashMap::new();
    for server in &servers {
        let path = text(&server.attributes, "url.path").unwrap();
        let number: usize = path.rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(hex(&server.trace_id), format!("{number:032x}"));
        assert_eq!(hex(&server.parent_span_id), format!("{number:016x}"));
        assert!(by_trace.insert(&server.trace_id, (number, server)).is_none(), "one server span in each trace");
    }
    for step in &steps {
        let (number, server) = by_trace[&step.trace_id];
        assert_eq!(step.parent_span_id, server.span_id);
        let recorded = crate::support::integer(&step.attributes, "number");
        assert_eq!(recorded, i64::try_from(number).ok(), "the step ran for this request");
    }
}
