//! The ways through which a program is recorded: the bridge to OpenTelemetry's SDK, and Clewline's two doors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clewline::exporter::{Destination, MemoryExporter, OwnedValue};
use clewline::{ClewlineLayer, ClewlineSubscriber, Pipeline};
use opentelemetry::trace::{SpanId, Status, TracerProvider as _};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::Dispatch;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::normal::{Attributes, Event, Finished, Span};

/// Runs a program with `dispatch` as the subscriber, also of the threads that it starts.
fn run(dispatch: &Dispatch, program: fn()) {
    tracing::dispatcher::with_default(dispatch, program);
}

/// Keeps what the SDK exports.
#[derive(Clone, Debug, Default)]
struct Keep(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Keep {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("no panic").extend(batch);
        Ok(())
    }
}

/// The bridge, without what it adds by itself unless it is told not to.
pub(crate) fn opentelemetry(program: fn()) -> Vec<Finished> {
    let keep = Keep::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(keep.clone()).build();
    let layer = OpenTelemetryLayer::new(provider.tracer("bridge"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    run(&Dispatch::new(Registry::default().with(layer)), program);
    provider.force_flush().expect("kept in memory");
    let spans = keep.0.lock().expect("no panic");
    spans.iter().map(from_sdk).collect()
}

fn from_sdk(data: &SpanData) -> Finished {
    let status = match &data.status {
        Status::Unset => ("Unset".to_owned(), String::new()),
        Status::Ok => ("Ok".to_owned(), String::new()),
        Status::Error { description } => ("Error".to_owned(), description.to_string()),
    };
    let event = |event: &opentelemetry::trace::Event| Event {
        name: event.name.to_string(),
        attributes: sdk_attributes(&event.attributes),
    };
    Finished {
        trace: data.span_context.trace_id().to_string(),
        id: data.span_context.span_id().to_string(),
        parent: (data.parent_span_id != SpanId::INVALID).then(|| data.parent_span_id.to_string()),
        links: data.links.iter().map(|link| link.span_context.span_id().to_string()).collect(),
        span: Span {
            path: Vec::new(),
            name: data.name.to_string(),
            kind: format!("{:?}", data.span_kind),
            status,
            attributes: sdk_attributes(&data.attributes),
            events: data.events.iter().map(event).collect(),
            links: Vec::new(),
            trace: 0,
        },
    }
}

/// Of several values of a key the last one counts, as readers take it.
fn sdk_attributes(attributes: &[KeyValue]) -> Attributes {
    let value = |value: &Value| match value {
        Value::Bool(value) => ("bool", value.to_string()),
        Value::I64(value) => ("i64", value.to_string()),
        Value::F64(value) => ("f64", format!("{value:?}")),
        Value::String(value) => ("text", value.to_string()),
        Value::Array(Array::String(texts)) => {
            ("texts", texts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        other => ("other", format!("{other:?}")),
    };
    attributes.iter().map(|pair| (pair.key.to_string(), value(&pair.value))).collect()
}

/// Clewline's layer on a registry.
pub(crate) fn layer(program: fn()) -> Vec<Finished> {
    clewline(|pipeline| Dispatch::new(Registry::default().with(ClewlineLayer::new(pipeline))), program)
}

/// Clewline's own subscriber.
pub(crate) fn subscriber(program: fn()) -> Vec<Finished> {
    clewline(|pipeline| Dispatch::new(ClewlineSubscriber::new(pipeline)), program)
}

fn clewline(dispatch: impl FnOnce(&'static Pipeline) -> Dispatch, program: fn()) -> Vec<Finished> {
    let memory = MemoryExporter::new(10_000);
    let pipeline = Pipeline::builder(&[])
        .destination(Destination::new("memory", Box::new(memory.clone())))
        .start()
        .expect("the machine has room for one more thread");
    run(&dispatch(pipeline), program);
    pipeline.shutdown(Duration::from_secs(60)).expect("kept in memory");
    assert_eq!(pipeline.ledger().pending, 0);
    memory.spans().iter().map(from_clewline).collect()
}

fn from_clewline(span: &clewline::exporter::FinishedSpan) -> Finished {
    let event = |event: &clewline::exporter::FinishedEvent| Event {
        name: event.name.clone(),
        attributes: own_attributes(&event.attributes),
    };
    Finished {
        trace: span.trace_id.to_string(),
        id: span.span_id.to_string(),
        parent: span.parent_span_id.map(|id| id.to_string()),
        links: span.links.iter().map(|link| link.span_id.to_string()).collect(),
        span: Span {
            path: Vec::new(),
            name: span.name.clone(),
            kind: format!("{:?}", span.kind),
            status: (format!("{:?}", span.status), span.status_message.clone()),
            attributes: own_attributes(&span.attributes),
            events: span.events.iter().map(event).collect(),
            links: Vec::new(),
            trace: 0,
        },
    }
}

fn own_attributes(attributes: &[(String, OwnedValue)]) -> Attributes {
    let value = |value: &OwnedValue| match value {
        OwnedValue::Bool(value) => ("bool", value.to_string()),
        OwnedValue::I64(value) => ("i64", value.to_string()),
        OwnedValue::F64(value) => ("f64", format!("{value:?}")),
        OwnedValue::Str(value) => ("text", value.clone()),
        OwnedValue::Bytes(value) => ("bytes", format!("{value:?}")),
        other => ("other", format!("{other:?}")),
    };
    let pairs: Vec<_> = attributes.iter().map(|(key, of)| (key.clone(), value(of))).collect();
    let count = pairs.len();
    let map: Attributes = pairs.into_iter().collect();
    assert_eq!(map.len(), count, "a key stands there twice");
    map
}
