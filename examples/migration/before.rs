//! A small program as many are: `tracing` spans, exported by tracing-opentelemetry and opentelemetry-otlp.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, info, info_span, instrument};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> Result<(), Box<dyn Error>> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = SpanExporter::builder().with_http().build()?;
    let resource = Resource::builder().with_service_name("orders").build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();

    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let message = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    process(&message, 17)?;

    provider.shutdown_with_timeout(Duration::from_secs(30))?;
    Ok(())
}

/// Handles a message from the queue, in the trace of whoever sent it.
fn process(message: &HashMap<String, String>, order: u32) -> Result<(), Box<dyn Error>> {
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(message));
    let span = info_span!("process", otel.kind = "consumer", order);
    span.set_parent(parent)?;
    let _entered = span.enter();
    for card in ["visa", "debit"] {
        if let Ok(headers) = charge(order, card) {
            info!(headers = headers.len(), "charged");
        }
    }
    Ok(())
}

/// Asks the bank, and hands the trace on.
#[instrument(err, fields(otel.name = "POST /charge", otel.kind = "client"))]
fn charge(order: u32, card: &str) -> Result<HashMap<String, String>, Box<dyn Error>> {
    Span::current().set_attribute("bank.name", "acme");
    let mut headers = HashMap::new();
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    if card == "visa" {
        return Err(format!("order {order}: no funds").into());
    }
    Ok(headers)
}
