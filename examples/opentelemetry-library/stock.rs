//! A library that only knows the OpenTelemetry API: no word of Clewline in it.

use std::time::Duration;

use opentelemetry::trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _, get_active_span};
use opentelemetry::{Context, KeyValue, global};

/// Reserves items, and answers how many were there.
pub(crate) async fn reserve(item: &str, wanted: u32) -> u32 {
    let tracer = global::tracer("stock");
    let span = tracer
        .span_builder("reserve")
        .with_kind(SpanKind::Client)
        .with_attributes([KeyValue::new("stock.item", item.to_owned())])
        .start(&tracer);
    ask(wanted).with_context(Context::current_with_span(span)).await
}

async fn ask(wanted: u32) -> u32 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let found = wanted.min(3);
    let tracer = global::tracer("stock");
    tracer.in_span("count", |cx| cx.span().set_attribute(KeyValue::new("stock.found", i64::from(found))));
    get_active_span(|span| {
        span.add_event("answered", vec![]);
        if found < wanted {
            span.set_status(Status::error("not enough"));
        }
    });
    found
}
