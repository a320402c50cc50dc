//! Errors that do not behave: nothing hangs, nothing panics, and what they said is recorded.

use std::error::Error;
use std::fmt;

use clewline::SpanKind;
use clewline::exporter::OwnedValue;
use clewline::helpers::{in_span, record_error, with_span};
use clewline::testing::Recorder;

/// Is its own source, and so on without an end.
#[derive(Debug)]
struct Circular;

impl fmt::Display for Circular {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("round and round")
    }
}

impl Error for Circular {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

/// Cannot show itself to the end.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("half")?;
        Err(fmt::Error)
    }
}

impl Error for Speechless {}

#[test]
fn an_error_that_is_its_own_source_comes_to_an_end() {
    let recorder = Recorder::new();
    in_span("current", SpanKind::Internal, || record_error(&Circular));
    clewline::tracer("native").span("native").start().record_error(&Circular).end();
    let spans = recorder.spans();
    for name in ["current", "native"] {
        let span = spans.named(name).failed_with("round and round");
        // What does not fit into the span is refused, and counted.
        let event = span.event("exception").has("exception.message", "round and round");
        let counted = event.dropped_attributes_count;
        assert!(event.attribute("exception.stacktrace").is_some() || counted == 1, "{name}: {counted}");
    }
}

#[tokio::test]
async fn an_error_that_cannot_be_shown_costs_no_request() {
    let recorder = Recorder::new();
    in_span("current", SpanKind::Internal, || record_error(&Speechless));
    clewline::tracer("native").span("native").start().record_error(&Speechless).end();
    let outcome = with_span("awaited", SpanKind::Client, || async { Err::<(), _>(Speechless) }).await;
    assert!(outcome.is_err());
    let spans = recorder.spans();
    for name in ["current", "native", "awaited"] {
        spans.named(name).failed_with("half").event("exception").has("exception.message", "half");
    }
}

#[test]
fn a_native_span_has_the_sources_of_its_error_too() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the order failed")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let recorder = Recorder::new();
    clewline::tracer("native").span("order").start().record_error(&Outer(std::io::Error::other("disk full"))).end();
    let spans = recorder.spans();
    let event = spans.named("order").failed_with("the order failed").event("exception");
    assert_eq!(event.attribute("exception.stacktrace"), Some(&OwnedValue::from("caused by: disk full")));
}
