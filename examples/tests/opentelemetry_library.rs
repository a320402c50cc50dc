//! The library that only knows the OpenTelemetry API records through Clewline.

#[path = "../opentelemetry-library/stock.rs"]
mod stock;

use clewline::SpanKind;
use clewline::testing::Recorder;
use tracing::Instrument as _;

#[tokio::test]
async fn its_spans_are_part_of_the_programs_trace() {
    clewline::opentelemetry::install();
    let recorder = Recorder::new();
    let found = stock::reserve("book", 5).instrument(tracing::info_span!("checkout")).await;
    assert_eq!(found, 3);
    let spans = recorder.spans();
    let reserve = spans.named("reserve").child_of("checkout").has_kind(SpanKind::Client).has("stock.item", "book");
    reserve.has_event("answered").failed_with("not enough").has_scope("stock");
    spans.named("count").child_of(reserve).has("stock.found", 3);
}
