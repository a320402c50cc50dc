//! `opentelemetry::install`: what a whole process does through OpenTelemetry's globals comes to Clewline.

use std::collections::HashMap;

use clewline::testing::Recorder;
use clewline::{SpanKind, StatusCode};
use opentelemetry::trace::{FutureExt as _, Status, TraceContextExt as _, Tracer as _, get_active_span};
use opentelemetry::{Context, KeyValue, global};

/// A library that has never heard of Clewline.
mod library {
    use super::*;

    /// Sends a request: a CLIENT span whose context travels in the headers.
    pub(super) async fn send(url: &str) -> HashMap<String, String> {
        let tracer = global::tracer("http-library");
        let builder = tracer.span_builder("GET").with_kind(opentelemetry::trace::SpanKind::Client);
        let span = builder.with_attributes([KeyValue::new("url.full", url.to_owned())]).start(&tracer);
        async {
            tokio::task::yield_now().await;
            let mut headers = HashMap::new();
            global::get_text_map_propagator(|propagator| propagator.inject(&mut headers));
            get_active_span(|span| span.set_status(Status::Ok));
            headers
        }
        .with_context(Context::current_with_span(span))
        .await
    }

    /// Answers a request: a SERVER span that continues the trace.
    pub(super) fn serve(headers: &HashMap<String, String>, handle: impl FnOnce()) {
        let cx = global::get_text_map_propagator(|propagator| propagator.extract(headers));
        let tracer = global::tracer("http-library");
        let builder = tracer.span_builder("GET /").with_kind(opentelemetry::trace::SpanKind::Server);
        tracer.in_span_with_builder_and_context(builder, &cx, |cx| {
            handle();
            cx.span().add_event("answered", vec![]);
        });
    }
}

#[tokio::test]
async fn libraries_record_through_the_globals() {
    clewline::opentelemetry::install();
    let recorder = Recorder::new();
    let outer = tracing::info_span!("handler");
    let headers = tracing::Instrument::instrument(library::send("http://stock.example/"), outer).await;
    library::serve(&headers, || tracing::info_span!("query").in_scope(|| tracing::info!("done")));
    let spans = recorder.spans();
    spans.are_named(&["handler", "GET", "GET /", "query"]);
    let client = spans.named("GET").child_of("handler").has_kind(SpanKind::Client).has_scope("http-library");
    client.has("url.full", "http://stock.example/").has_status(StatusCode::Ok);
    let server = spans.named("GET /").child_of(client).has_kind(SpanKind::Server).has_event("answered");
    spans.named("query").child_of(server).has_event("done");
}
