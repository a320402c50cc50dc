//! The native door and `tracing` share one current span: each is the other's parent, and anyone may add to it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clewline::{Context, Scope, SpanExt, Status, Tracer, current_context, current_span};
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Recorder, StatusCode, Value, assert_child, named, own_pairs, pairs, remote, status, text};

fn run(work: impl FnOnce(Tracer)) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    let recorder = Recorder::new();
    let tracer = recorder.pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    recorder.run(|| work(tracer))
}

#[test]
fn each_door_is_the_others_parent() {
    let spans = run(|tracer| {
        tracing::info_span!("a tracing").in_scope(|| {
            let _native = tracer.span("b native").start().enter();
            tracing::info_span!("c tracing").in_scope(|| {
                tracer.span("d native").start().in_scope(|| tracer.span("e native").start().end());
            });
            tracing::info_span!("f tracing").in_scope(|| assert!(current_context().is_some()));
        });
        assert_eq!(current_context(), None);
        tracer.span("g native").start().end();
    });
    for (child, parent) in [("b native", "a tracing"), ("c tracing", "b native"), ("d native", "c tracing")] {
        assert_child(named(&spans, child), named(&spans, parent));
    }
    assert_child(named(&spans, "e native"), named(&spans, "d native"));
    assert_child(named(&spans, "f tracing"), named(&spans, "b native"));
    assert_eq!(named(&spans, "g native").parent_span_id, b"");
}

#[test]
fn a_parent_that_is_given_wins_over_the_current_span() {
    let parent = remote(clewline::TraceFlags::SAMPLED);
    let spans = run(|tracer| {
        let current = tracer.span("current").start().enter();
        tracer.span("child").child_of(parent).start().end();
        tracer.span("of nobody").child_of(None::<clewline::SpanContext>).start().end();
        tracer.span("root").root().start().end();
        drop(tracing::info_span!(parent: None, "tracing root"));
        drop(current);
        tracer.span("after").start().end();
    });
    assert_eq!(named(&spans, "child").parent_span_id, parent.span_id().to_bytes());
    for name in ["of nobody", "root", "tracing root", "after"] {
        assert_eq!(named(&spans, name).parent_span_id, b"", "{name}");
    }
}

#[test]
fn events_and_errors_go_to_the_innermost_span() {
    let spans = run(|tracer| {
        tracing::info_span!("outer").in_scope(|| {
            current_span().set("on", "outer");
            tracer.span("inner").start().in_scope(|| {
                tracing::info!(answer = 42, "found");
                current_span().set("on", "inner").event("native").set_with("lazy", || String::from("value"));
                current_span().record_error(&io::Error::other("disk full"));
            });
            current_span().record_error_as(&io::Error::other("late"), "timeout").set_status(Status::OK);
        });
        current_span().set("nobody", true).event("nobody");
        assert!(!current_span().is_recording());
    });
    let (outer, inner) = (named(&spans, "outer"), named(&spans, "inner"));
    assert_eq!(pairs(&outer.attributes), [("on", text("outer")), ("error.type", text("timeout"))]);
    assert_eq!(status(outer), (StatusCode::Ok, ""));
    assert_eq!(
        pairs(&inner.attributes),
        [("on", text("inner")), ("lazy", text("value")), ("error.type", text("std::io::error::Error"))]
    );
    assert_eq!(status(inner), (StatusCode::Error, "disk full"));
    let events: Vec<&str> = inner.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["found", "native", "exception"]);
    assert_eq!(own_pairs(&inner.events[0]), [("answer", Value::IntValue(42))]);
    assert_eq!(outer.events.len(), 1);
}

#[test]
fn a_handle_works_on_other_threads_and_does_not_keep_the_span_open() {
    let spans = run(|tracer| {
        let native = tracer.span("native").start().enter();
        let tracing = tracing::info_span!("tracing").entered();
        let (of_tracing, of_native) = (current_span(), native.clone());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(current_context(), None);
                of_tracing.set("from", "elsewhere");
                of_native.set("from", "elsewhere");
                let _attached = of_tracing.hand_on().attach();
                assert_eq!(current_context(), of_tracing.context());
                tracer.span("over there").start().end();
            });
        });
        drop(tracing);
        drop(native);
        of_tracing.set("late", true);
        of_native.set("late", true);
        assert!(!of_tracing.is_recording() && !of_native.is_recording());
        assert!(of_native.context().is_some());
    });
    for name in ["native", "tracing"] {
        assert_eq!(pairs(&named(&spans, name).attributes), [("from", text("elsewhere"))], "{name}");
    }
    assert_child(named(&spans, "over there"), named(&spans, "tracing"));
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let spans = run(|tracer| {
        let first = tracer.span("first").start().enter();
        let second = tracer.span("second").start().enter();
        let attached = Context::from(remote(clewline::TraceFlags::SAMPLED)).attach();
        drop(first);
        assert_eq!(current_context().map(|context| context.is_remote()), Some(true));
        drop(attached);
        tracer.span("child of second").start().end();
        drop(second);
        assert_eq!(current_context(), None);
    });
    assert_child(named(&spans, "child of second"), named(&spans, "second"));
}

#[test]
fn a_panic_ends_the_span_and_leaves_nothing_current() {
    let spans = run(|tracer| {
        let panics = || tracer.span("panics").start().in_scope(|| panic!("as the test wants it"));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(current_context(), None);
    });
    named(&spans, "panics");
}

#[test]
fn the_tracestate_list_stays_with_the_trace() {
    let spans = run(|tracer| {
        let incoming = Context::from(remote(clewline::TraceFlags::SAMPLED)).with_trace_state("congo=t61rcWkgMzE");
        let server = tracer.span("server").child_of(&incoming).start().enter();
        let child = tracer.span("child").start();
        assert_eq!(child.hand_on().trace_state(), "congo=t61rcWkgMzE");
        tracer.span("grandchild").child_of(&child).start().end();
        tracer.span("root").root().start().end();
        drop(child);
        drop(server);
    });
    for (name, list) in [("server", "congo=t61rcWkgMzE"), ("child", "congo=t61rcWkgMzE"), ("root", "")] {
        assert_eq!(named(&spans, name).trace_state, list, "{name}");
    }
    assert_eq!(named(&spans, "grandchild").trace_state, "congo=t61rcWkgMzE");
}

/// Worker threads of a runtime have no subscriber of their own; spans bring theirs along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_carried_to_threads_without_a_subscriber_are_current_there() {
    let recorder = Recorder::new();
    let tracer = recorder.pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    let subscriber = tracing_subscriber::registry().with(recorder.layer());
    async {
        let span = tracing::info_span!("carried");
        let task = async move {
            let context = current_context();
            tracer.span("in the task").start().end();
            current_span().set("seen", true);
            context
        };
        let context = SpanExt::context(&span);
        let seen = tokio::spawn(tracing::Instrument::instrument(task, span)).await.unwrap();
        assert_eq!(seen, context);
    }
    .with_subscriber(subscriber)
    .await;
    let spans = recorder.spans();
    assert_child(named(&spans, "in the task"), named(&spans, "carried"));
    assert_eq!(pairs(&named(&spans, "carried").attributes), [("seen", Value::BoolValue(true))]);
}
