//! The examples that users copy do what they say: one trace through server, database, queue, child process and gRPC.

#[path = "../orders/database.rs"]
mod database;
#[path = "../grpc/health.rs"]
mod health;
#[path = "../orders/queue.rs"]
mod queue;
#[path = "../orders/service.rs"]
mod service;

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::Router;
use clewline::exporter::{FinishedSpan, MemoryExporter, WorkerSettings};
use clewline::{ClewlineLayer, Pipeline, PipelineOptions, SpanKind, StatusCode};
use clewline_core::{AlwaysOn, ParentBased};
use tonic::Code;
use tracing::{Instrument as _, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

const LIMIT: Duration = Duration::from_secs(300);

/// The spans of all tests of this program.
fn memory() -> &'static (MemoryExporter, &'static Pipeline) {
    static MEMORY: OnceLock<(MemoryExporter, &'static Pipeline)> = OnceLock::new();
    MEMORY.get_or_init(|| {
        let memory = MemoryExporter::new(1000);
        let mut options = PipelineOptions::default();
        options.baggage_attributes = vec!["tenant".to_owned()];
        let (sampler, settings) = (Box::new(ParentBased::new(AlwaysOn)), WorkerSettings::default());
        let pipeline =
            Pipeline::start(&[], sampler, Vec::new(), options, settings, Box::new(memory.clone())).expect("a thread");
        let subscriber = tracing_subscriber::registry().with(ClewlineLayer::new(pipeline));
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
        (memory, pipeline)
    })
}

/// The spans of a trace, as soon as there are `count`.
async fn trace(trace_id: &str, count: usize) -> Vec<FinishedSpan> {
    let (memory, pipeline) = memory();
    let began = Instant::now();
    loop {
        pipeline.flush(LIMIT).unwrap();
        let mut spans = memory.spans();
        spans.retain(|span| span.trace_id.to_string() == trace_id);
        if spans.len() >= count {
            assert_eq!(spans.len(), count, "{spans:#?}");
            return spans;
        }
        assert!(began.elapsed() < LIMIT, "{spans:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn named<'s>(spans: &'s [FinishedSpan], name: &str) -> &'s FinishedSpan {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn an_order_is_one_trace_from_the_caller_to_the_delivery() {
    memory();
    let (router, _consumer) = service::start();
    let url = format!("http://{}/orders", serve(router).await);
    let order = async |trace_id: &str, count: u32| {
        let request = reqwest::Client::new()
            .post(&url)
            .header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"))
            .header("baggage", "tenant=acme")
            .json(&serde_json::json!({"item": "thread", "count": count}));
        request.send().await.unwrap().status().as_u16()
    };
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(order(trace_id, 2).await, 202);
    let spans = trace(trace_id, 5).await;
    let road = [
        ("POST /orders", SpanKind::Server),
        ("INSERT orders", SpanKind::Client),
        ("send deliveries", SpanKind::Producer),
        ("process deliveries", SpanKind::Consumer),
        ("deliver", SpanKind::Internal),
    ];
    for (name, kind) in road {
        let span = named(&spans, name);
        assert_eq!((span.kind, span.status), (kind, StatusCode::Unset), "{name}");
        assert_eq!(span.attribute("tenant"), Some(&"acme".into()), "{name}");
    }
    let parents = [(1, 0), (2, 0), (3, 2), (4, 3)];
    for (child, parent) in parents {
        let [child, parent] = [child, parent].map(|at: usize| named(&spans, road[at].0));
        assert_eq!(child.parent_span_id, Some(parent.span_id), "{} and {}", child.name, parent.name);
    }

    let trace_id = "5bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(order(trace_id, 0).await, 422);
    let spans = trace(trace_id, 2).await;
    assert_eq!(named(&spans, "INSERT orders").status, StatusCode::Error);
    assert_eq!(named(&spans, "POST /orders").status, StatusCode::Unset, "it is the customer's mistake");
}

#[tokio::test]
async fn a_grpc_call_is_one_trace() {
    memory();
    let mut client = health::connect(health::serve().await.unwrap()).await.unwrap();
    let span = info_span!("look after the shop");
    let trace_id = clewline::SpanExt::context(&span).unwrap().trace_id().to_string();
    async {
        assert!(health::check(&mut client, "shop").await.unwrap());
        assert_eq!(health::check(&mut client, "nobody").await.unwrap_err().code(), Code::NotFound);
    }
    .instrument(span)
    .await;
    let spans = trace(&trace_id, 5).await;
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "grpc.health.v1.Health/Check").collect();
    let of_kind = |kind| calls.iter().filter(|span| span.kind == kind).collect::<Vec<_>>();
    for server in of_kind(SpanKind::Server) {
        assert_eq!(server.status, StatusCode::Unset);
        assert!(of_kind(SpanKind::Client).iter().any(|client| server.parent_span_id == Some(client.span_id)));
    }
    let failed: Vec<_> = calls.iter().filter(|span| span.status == StatusCode::Error).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].attribute("rpc.response.status_code"), Some(&"NOT_FOUND".into()));
}
