//! What a recorder records, and what can be asserted of it.

use std::sync::LazyLock;

use clewline::testing::Recorder;
use clewline::{SpanKind, SpanLimits, Status, StatusCode, Tracer, Value, current_span};
use clewline_core::AlwaysOff;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};

/// As programs keep it: made in whichever test comes first, or before all of them.
static TRACER: LazyLock<Tracer> = LazyLock::new(|| clewline::tracer("shop"));

#[test]
fn every_door_is_recorded() {
    let recorder = Recorder::new();
    let otel = clewline::opentelemetry::TracerProvider::new().tracer("lib");
    {
        let _native = TRACER.span("native").kind(SpanKind::Server).start().enter();
        tracing::info_span!("tracing", answer = 42).in_scope(|| {
            tracing::info!("seen");
            otel.start("otel").end();
        });
        tracing::debug_span!("not by default").in_scope(|| ());
    }
    let spans = recorder.spans();
    spans.are_named(&["native", "tracing", "otel"]);
    let native =
        spans.named("native").is_root().has_kind(SpanKind::Server).has_scope("shop").has_children(&["tracing"]);
    let tracing = spans.named("tracing").child_of(native).has("answer", 42).has_event("seen");
    spans.named("otel").child_of("tracing").in_trace_of(native).has_scope("lib");
    tracing.event("seen").has("level", "INFO");
    assert_eq!(spans.root().name, "native");
    assert_eq!((spans.len(), spans.is_empty(), spans.iter().count()), (3, false, 3));
}

#[test]
fn a_recorder_can_differ() {
    let off = Recorder::builder().sampler(AlwaysOff).start();
    TRACER.span("dropped").start().end();
    assert!(off.spans().is_empty());
    drop(off);
    let limits = SpanLimits { attributes: 1, ..SpanLimits::DEFAULT };
    let limited = Recorder::builder().limits(limits).level(tracing::Level::TRACE).start();
    TRACER.span("limited").start().set("a", 1).set("b", 2);
    drop(tracing::trace_span!("detail"));
    let spans = limited.spans();
    assert_eq!(spans.named("limited").has("a", 1).lacks("b").dropped_attributes_count, 1);
    spans.named("detail").is_root();
}

#[test]
fn everything_about_a_span_can_be_asserted() {
    let recorder = Recorder::new();
    let remote = clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let first = TRACER.span("first").child_of(remote).start();
    let mut second = TRACER.span("second").root().start();
    second.add_link(&first.context().unwrap().into()).add_link(&remote.into());
    second.set("list", Value::Strs(&["a", "b"])).set("float", 0.5).set("bool", true).set("bytes", &b"\x00a"[..]);
    second.set_status(Status::error("broken"));
    let context = second.context().unwrap();
    drop((second, first));
    let spans = recorder.spans();
    let first = spans.named("first").child_of(remote).did_not_fail().has_status(StatusCode::Unset);
    let second =
        spans.named("second").linked_to(first).linked_to(remote).failed_with("broken").has_status(StatusCode::Error);
    second.has("list", vec!["a", "b"]).has("float", 0.5).has("bool", true).has_key("bytes").lacks("no such");
    assert_eq!(second.context(), context);
    assert_eq!(spans.all_named("second").len(), 1);
    assert!(spans.all_named("third").is_empty());
}

#[test]
fn spans_that_go_on_are_counted_and_recorders_follow_each_other() {
    let recorder = Recorder::new();
    let open = TRACER.span("open").start();
    assert!(recorder.spans().to_string().contains("1 span has not ended"));
    drop(recorder);
    assert!(!current_span().is_recording());
    let next = Recorder::new();
    drop(open);
    TRACER.span("next").start().end();
    next.spans().are_named(&["next"]);
}

#[test]
fn recorders_may_be_nested() {
    let outer = Recorder::new();
    TRACER.span("outer 1").start().end();
    {
        let inner = Recorder::new();
        TRACER.span("inner").start().end();
        inner.spans().are_named(&["inner"]);
    }
    TRACER.span("outer 2").start().end();
    drop(tracing::info_span!("outer 3"));
    outer.spans().are_named(&["outer 1", "outer 2", "outer 3"]);
}
