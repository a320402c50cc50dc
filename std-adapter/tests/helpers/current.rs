//! Short forms on the current span, whichever door it came through.

use std::error::Error;
use std::io;
use std::time::Duration;

use clewline::exporter::OwnedValue;
use clewline::helpers::{
    Timer, current_span_id, current_trace_id, in_span, measure, record_error, record_error_as, span_attribute,
    span_attribute_with, span_event, span_status,
};
use clewline::testing::{Recorder, TestSpan};
use clewline::{SpanKind, Status, StatusCode, current_context};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};

/// An error with a source.
#[derive(Debug, thiserror::Error)]
#[error("the order failed")]
struct Failed(#[source] io::Error);

/// Calls everything once.
fn everything() {
    assert!(current_trace_id().is_some() && current_span_id() == current_context().map(|context| context.span_id()));
    span_event("cart.checked", &[("cart.items", 3.into())]);
    span_attribute("tenant.id", "acme");
    span_attribute_with("lazy", || {
        // May use the span itself.
        span_attribute("within", true);
        String::from("computed")
    });
    record_error(&Failed(io::Error::other("disk full")));
    record_error_as(&io::Error::other("late"), "timeout");
    span_status(Status::OK);
    assert_eq!(measure("sum.duration", || 7), 7);
    let timed: Result<u32, io::Error> = (|| Ok(clewline::timed!("timed.duration", Ok::<_, io::Error>(8)?)))();
    assert_eq!(timed.unwrap(), 8);
    let timer = Timer::start("stopped.duration");
    std::thread::sleep(Duration::from_millis(2));
    assert!(timer.stop() >= Duration::from_millis(2));
}

fn check(span: TestSpan<'_>) {
    span.has("tenant.id", "acme").has("lazy", "computed").has("within", true).has("error.type", "timeout");
    span.has_status(StatusCode::Ok).event("cart.checked").has("cart.items", 3);
    let [first, second] = &span.events.iter().filter(|event| event.name == "exception").collect::<Vec<_>>()[..] else {
        panic!("{span:?}")
    };
    assert_eq!(first.attribute("exception.message"), Some(&"the order failed".into()));
    assert_eq!(first.attribute("exception.type"), Some(&"helpers::current::Failed".into()));
    assert_eq!(first.attribute("exception.stacktrace"), Some(&"caused by: disk full".into()));
    assert_eq!(second.attribute("exception.type"), Some(&"timeout".into()));
    for key in ["sum.duration", "timed.duration", "stopped.duration"] {
        assert!(
            matches!(span.attribute(key), Some(OwnedValue::F64(seconds)) if (0.0..60.0).contains(seconds)),
            "{key}"
        );
    }
    let stopped = span.attribute("stopped.duration");
    assert!(matches!(stopped, Some(OwnedValue::F64(seconds)) if *seconds >= 0.002), "in seconds: {stopped:?}");
}

#[test]
fn they_work_on_spans_of_all_doors() {
    let recorder = Recorder::new();
    in_span("native", SpanKind::Internal, everything);
    tracing::info_span!("tracing").in_scope(everything);
    clewline::opentelemetry::TracerProvider::new().tracer("lib").in_span("otel", |_| everything());
    let spans = recorder.spans();
    for name in ["native", "tracing", "otel"] {
        check(spans.named(name));
    }
}

#[test]
fn without_a_span_they_do_nothing() {
    let recorder = Recorder::new();
    assert_eq!((current_trace_id(), current_span_id()), (None, None));
    span_event("nobody", &[]);
    span_attribute("nobody", 1);
    span_attribute_with("nobody", || -> &str { unreachable!("nothing is recorded") });
    span_status(Status::error("nobody"));
    record_error(&io::Error::other("nobody"));
    assert_eq!(measure("nobody", || 7), 7);
    drop(Timer::start("nobody"));
    assert!(recorder.spans().is_empty());
}

#[test]
fn a_trait_object_has_no_type_and_its_text_is_recorded() {
    let recorder = Recorder::new();
    in_span("span", SpanKind::Internal, || {
        let boxed: Box<dyn Error> = "a text".into();
        record_error(boxed.as_ref());
    });
    let spans = recorder.spans();
    spans.named("span").failed_with("a text").lacks("error.type").event("exception").has("exception.message", "a text");
}

#[test]
fn a_timer_belongs_to_the_span_it_was_started_in() {
    let recorder = Recorder::new();
    in_span("outer", SpanKind::Internal, || {
        let timer = Timer::start("wait");
        in_span("inner", SpanKind::Internal, || drop(timer));
    });
    let spans = recorder.spans();
    spans.named("outer").has_key("wait");
    spans.named("inner").lacks("wait");
}
