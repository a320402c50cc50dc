//! Tests at the same time see nothing of each other, on whatever threads their code runs.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use clewline::Context;
use clewline::helpers::{in_span, with_span};
use clewline::propagation::WithContext as _;
use clewline::testing::Recorder;
use clewline::{SpanKind, current_span};
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use tracing::instrument::Instrument as _;

#[test]
fn a_hundred_tests_at_once() {
    const TESTS: usize = 100;
    let barrier = Barrier::new(TESTS);
    let one = |number: usize| {
        let recorder = Recorder::new();
        barrier.wait();
        let name = format!("test {number}");
        in_span(&name, SpanKind::Internal, || {
            tracing::info_span!("tracing", number).in_scope(|| clewline::tracer("shop").span("native").start().end());
        });
        barrier.wait();
        let spans = recorder.spans();
        spans.are_named(&[&name, "tracing", "native"]);
        let number = i64::try_from(number).unwrap();
        spans.named("tracing").child_of(spans.named(&name)).has("number", number);
    };
    thread::scope(|scope| {
        for number in 0..TESTS {
            scope.spawn(move || one(number));
        }
    });
}

/// The same names in every test, so that a span of another one would be seen.
fn check(recorder: &Recorder, parent: &str, children: &[&str]) {
    let spans = recorder.spans();
    let parent = spans.named(parent);
    for child in children {
        spans.named(child).child_of(parent);
    }
    assert_eq!(spans.len(), 1 + children.len(), "{spans}");
}

#[test]
fn threads_inherit_the_recorder_within_its_spans() {
    let recorder = Recorder::new();
    {
        let span = clewline::tracer("shop").span("parent").start();
        let context = span.hand_on();
        thread::scope(|scope| {
            // A parent that is given.
            let explicit = context.clone();
            scope.spawn(move || clewline::tracer("shop").span("explicit").child_of(&explicit).start().end());
            // A context that is attached: also for `tracing`, and for spans without a parent.
            scope.spawn(move || {
                let _attached = context.attach();
                clewline::tracer("shop").span("attached").start().end();
                drop(tracing::info_span!("attached tracing"));
            });
        });
    }
    let spans = recorder.spans();
    for child in ["explicit", "attached", "attached tracing"] {
        spans.named(child).child_of("parent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn tasks_inherit_the_recorder_within_its_spans() {
    let recorder = Recorder::new();
    let pause = || tokio::time::sleep(Duration::from_millis(1));
    let span = tracing::info_span!("parent");
    let work = async move {
        pause().await;
        drop(tracing::info_span!("by tracing"));
        clewline::tracer("shop").span("by native").start().end();
        pause().await;
        current_span().set("done", true);
    };
    tokio::spawn(work.instrument(span)).await.unwrap();
    check(&recorder, "parent", &["by tracing", "by native"]);
    recorder.spans().named("parent").has("done", true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn contexts_and_helpers_carry_the_recorder_to_tasks() {
    let recorder = Recorder::new();
    let work = with_span("parent", SpanKind::Internal, async || {
        let context = Context::current();
        let task = async {
            tokio::task::yield_now().await;
            tracing::info_span!("in a task").in_scope(|| ());
        };
        tokio::spawn(task.with_context(context)).await
    });
    work.await.unwrap();
    check(&recorder, "parent", &["in a task"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn opentelemetrys_context_carries_the_recorder_to_tasks() {
    let recorder = Recorder::new();
    let tracer = clewline::opentelemetry::TracerProvider::new().tracer("lib");
    let cx = opentelemetry::Context::current_with_span(tracer.start("parent"));
    let task = async move {
        tokio::task::yield_now().await;
        tracer.in_span("in a task", |_| ());
        clewline::tracer("shop").span("native in a task").start().end();
    };
    tokio::spawn(opentelemetry::context::FutureExt::with_context(task, cx.clone())).await.unwrap();
    cx.span().end();
    check(&recorder, "parent", &["in a task", "native in a task"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_brings_what_starts_outside_of_all_spans() {
    let recorder = Recorder::new();
    let handle = recorder.handle();
    let task = async {
        tokio::task::yield_now().await;
        clewline::tracer("shop").span("task").start().end();
        drop(tracing::info_span!("task tracing"));
    };
    tokio::spawn(handle.instrument(task)).await.unwrap();
    tokio::task::spawn_blocking(move || {
        clewline::tracer("shop").span("before").start().end();
        {
            let _entered = handle.enter();
            clewline::tracer("shop").span("thread").start().end();
        }
        clewline::tracer("shop").span("after").start().end();
    })
    .await
    .unwrap();
    recorder.spans().are_named(&["task", "task tracing", "thread"]);
}
