//! Futures within spans: their parents, their ends, and what fails in them.

use std::error::Error;
use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use clewline::helpers::{
    db_span, instrument_future, span_attribute, traced_backend_call, traced_execution, traced_query, with_span,
};
use clewline::testing::Recorder;
use clewline::{SpanKind, StatusCode, current_context, current_span, tracer};
use futures_util::FutureExt as _;

async fn pause() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test]
async fn each_wrapper_names_its_span() {
    let recorder = Recorder::new();
    let rows = with_span("outer", SpanKind::Server, async || {
        pause().await;
        let rows = traced_query("SELECT", "cart", async || {
            pause().await;
            span_attribute("rows", 3);
            Ok::<_, io::Error>(3)
        })
        .await?;
        traced_backend_call("stock", "reserve", async || Ok::<_, io::Error>(())).await?;
        traced_execution("render", "shop::page", || async { Ok::<_, io::Error>(()) }).await?;
        instrument_future(db_span("DELETE FROM cart", "sqlite"), async { Ok::<_, io::Error>(()) }).await?;
        Ok::<_, io::Error>(rows)
    })
    .await;
    assert_eq!(rows.unwrap(), 3);
    assert_eq!(current_context(), None);
    let spans = recorder.spans();
    let outer = spans.named("outer").is_root().has_kind(SpanKind::Server);
    outer.has_children(&["SELECT cart", "reserve stock", "render", "DELETE cart"]);
    let query = spans.named("SELECT cart").has_kind(SpanKind::Client).has("rows", 3);
    query.has("db.operation.name", "SELECT").has("db.collection.name", "cart").has_status(StatusCode::Unset);
    spans.named("reserve stock").has_kind(SpanKind::Client).has("service.peer.name", "stock");
    spans.named("render").has_scope("shop::page").has_kind(SpanKind::Internal);
}

#[derive(Debug)]
struct Declined;

impl std::fmt::Display for Declined {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("no funds")
    }
}

#[tokio::test]
async fn an_err_is_recorded_whatever_its_type() {
    let recorder = Recorder::new();
    let error = traced_query("INSERT", "orders", async || Err::<(), _>(Declined)).await;
    assert_eq!(error.unwrap_err().to_string(), "no funds");
    let boxed = with_span("boxed", SpanKind::Internal, async || Err::<(), Box<dyn Error>>("a text".into())).await;
    assert!(boxed.is_err());
    let judged = with_span("judged", SpanKind::Internal, async || {
        current_span().set_status(clewline::Status::OK);
        Err::<(), _>(io::Error::other("expected"))
    });
    assert!(judged.await.is_err());
    let spans = recorder.spans();
    let insert = spans.named("INSERT orders").failed_with("no funds").has("error.type", "helpers::futures::Declined");
    insert.event("exception").has("exception.type", "helpers::futures::Declined").has("exception.message", "no funds");
    spans.named("boxed").failed_with("a text").lacks("error.type");
    spans.named("judged").has_status(StatusCode::Ok).has_event("exception");
}

#[tokio::test]
async fn a_future_that_is_dropped_was_cancelled() {
    let recorder = Recorder::new();
    let never = with_span("never polled", SpanKind::Internal, async || Ok::<_, io::Error>(()));
    drop(never);
    let mut waits = Box::pin(with_span("waits", SpanKind::Internal, async || {
        std::future::pending::<()>().await;
        Ok::<_, io::Error>(())
    }));
    assert!(futures_util::poll!(&mut waits).is_pending());
    assert_eq!(current_context(), None, "it is current only while it is polled");
    drop(waits);
    let limit = tokio::time::timeout(
        Duration::from_millis(2),
        tracer("shop").span("slow").start().instrument(async {
            let _inner = tracer("shop").span("inner").start().enter();
            std::future::pending::<()>().await;
        }),
    );
    assert!(limit.await.is_err());
    let spans = recorder.spans();
    spans.are_named(&["waits", "slow", "inner"]);
    spans.named("waits").has_event("cancelled").did_not_fail();
    spans.named("slow").has_event("cancelled");
    spans.named("inner").child_of("slow");
}

#[tokio::test]
async fn a_panic_ends_the_span() {
    let recorder = Recorder::new();
    let panics = with_span("panics", SpanKind::Internal, async || {
        pause().await;
        if current_context().is_some() {
            panic!("as the test wants it");
        }
        Ok::<_, io::Error>(())
    });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    assert_eq!(current_context(), None);
    // Before there is a future at all.
    fn early() -> std::future::Ready<Result<(), io::Error>> {
        panic!("as the test wants it")
    }
    assert!(AssertUnwindSafe(with_span("early", SpanKind::Internal, early)).catch_unwind().await.is_err());
    let spans = recorder.spans();
    for name in ["panics", "early"] {
        let span = spans.named(name).failed_with("panicked").has("error.type", "panic");
        assert!(span.events.is_empty(), "{spans}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn futures_in_one_task_and_on_many_threads_keep_their_spans_apart() {
    let recorder = Recorder::new();
    let work = |name: &'static str| {
        with_span(name, SpanKind::Internal, async move || {
            for _ in 0..20 {
                tokio::task::yield_now().await;
                assert_eq!(current_span().context(), clewline::Context::current().span_context());
                let child = tracer("shop").span("child").start();
                assert_ne!(child.context(), current_context());
                span_attribute("name", name);
            }
            Ok::<_, io::Error>(())
        })
    };
    let handle = recorder.handle();
    let spawned = [tokio::spawn(handle.instrument(work("a"))), tokio::spawn(handle.instrument(work("b")))];
    let (c, d) = tokio::join!(work("c"), work("d"));
    c.and(d).unwrap();
    for task in spawned {
        task.await.unwrap().unwrap();
    }
    let spans = recorder.spans();
    for name in ["a", "b", "c", "d"] {
        let span = spans.named(name).is_root().has("name", name);
        assert_eq!(span.children().len(), 20, "{name}");
    }
    assert_eq!(spans.len(), 4 * 21);
}

#[tokio::test]
async fn any_future_can_run_in_a_span() {
    let recorder = Recorder::new();
    let seven = tracer("shop").span("counts").start().instrument(async {
        pause().await;
        7
    });
    assert_eq!(seven.await, 7);
    recorder.spans().named("counts").did_not_fail();
}
