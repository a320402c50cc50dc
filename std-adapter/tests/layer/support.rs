//! A pipeline of its own for each test, and what it exported.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clewline::exporter::{ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::{
    ClewlineLayer, Ledger, Pipeline, PipelineOptions, Sampler, SpanContext, SpanId, SpanProcessor, TraceFlags, TraceId,
};
use clewline_core::AlwaysOn;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
pub(crate) use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use prost::Message as _;
use tracing::Dispatch;

use crate::door::{self, Door};

pub(crate) use any_value::Value;
pub(crate) use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
pub(crate) use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

const LIMIT: Duration = Duration::from_secs(300);

/// A pipeline whose exporter keeps what it gets.
pub(crate) struct Recorder {
    pub(crate) pipeline: &'static Pipeline,
    exported: Arc<Mutex<Vec<ScopeSpans>>>,
}

struct Keep(Arc<Mutex<Vec<ScopeSpans>>>);

impl SpanExporter for Keep {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let request = ExportTraceServiceRequest::decode(request.parts().concat().as_slice()).expect("OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.0.lock().expect("no panic").extend(scopes);
        ExportOutcome::Delivered
    }
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self::with_sampler(AlwaysOn)
    }

    pub(crate) fn with_sampler(sampler: impl Sampler + Send + Sync + 'static) -> Self {
        Self::with_processors(sampler, Vec::new())
    }

    pub(crate) fn with_processors(
        sampler: impl Sampler + Send + Sync + 'static,
        processors: Vec<Box<dyn SpanProcessor + Send + Sync>>,
    ) -> Self {
        Self::with_all(sampler, processors, PipelineOptions::default())
    }

    pub(crate) fn with_options(options: PipelineOptions) -> Self {
        Self::with_all(AlwaysOn, Vec::new(), options)
    }

    fn with_all(
        sampler: impl Sampler + Send + Sync + 'static,
        processors: Vec<Box<dyn SpanProcessor + Send + Sync>>,
        options: PipelineOptions,
    ) -> Self {
        let exported = Arc::default();
        let exporter = Box::new(Keep(Arc::clone(&exported)));
        let settings = WorkerSettings { max_queue_spans: 1_000_000, ..WorkerSettings::default() };
        let pipeline = Pipeline::start(&[], Box::new(sampler), processors, options, settings, exporter).unwrap();
        Self { pipeline, exported }
    }

    pub(crate) fn layer(&self) -> ClewlineLayer {
        ClewlineLayer::new(self.pipeline)
    }

    /// The subscriber through which these tests come.
    pub(crate) fn dispatch(&self) -> Dispatch {
        self.dispatch_with(|door| door)
    }

    /// The same with options.
    pub(crate) fn dispatch_with(&self, options: impl FnOnce(Door) -> Door) -> Dispatch {
        door::dispatch(options(Door::new(self.pipeline)))
    }

    /// Runs `work` with the door as its subscriber, and answers what was exported, in the order of the ends.
    pub(crate) fn run(&self, work: impl FnOnce()) -> Vec<Span> {
        tracing::dispatcher::with_default(&self.dispatch(), work);
        self.spans()
    }

    /// What was exported since the last call, in the order of the ends.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.scopes().into_iter().flat_map(|scope| scope.spans).collect()
    }

    /// What was exported so far, without asking for more.
    pub(crate) fn exported(&self) -> Vec<Span> {
        self.exported.lock().unwrap().iter().flat_map(|scope| scope.spans.clone()).collect()
    }

    /// What was exported since the last call, by scope.
    pub(crate) fn scopes(&self) -> Vec<ScopeSpans> {
        self.pipeline.flush(LIMIT).unwrap();
        std::mem::take(&mut *self.exported.lock().unwrap())
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.pipeline.ledger()
    }
}

/// Runs `work` in a subscriber with a recorder of its own.
pub(crate) fn record(work: impl FnOnce()) -> Vec<Span> {
    Recorder::new().run(work)
}

/// Runs `work`, which makes one span.
pub(crate) fn record_one(work: impl FnOnce()) -> Span {
    let mut spans = record(work);
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.remove(0)
}

/// The span of this name, of which there must be one.
pub(crate) fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no `{name}` in {spans:?}"));
    assert_eq!(found.next(), None, "there are several");
    first
}

/// Keys and values, in the order recorded.
pub(crate) fn pairs(attributes: &[KeyValue]) -> Vec<(&str, Value)> {
    let value = |pair: &KeyValue| pair.value.clone().and_then(|value| value.value).expect("a value");
    attributes.iter().map(|pair| (pair.key.as_str(), value(pair))).collect()
}

/// The pairs of an event other than `level` and `target`.
pub(crate) fn own_pairs(event: &Event) -> Vec<(&str, Value)> {
    pairs(&event.attributes).into_iter().filter(|(key, _)| !matches!(*key, "level" | "target")).collect()
}

pub(crate) fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

pub(crate) fn int(value: i64) -> Value {
    Value::IntValue(value)
}

/// Code and message.
pub(crate) fn status(span: &Span) -> (StatusCode, &str) {
    span.status.as_ref().map_or((StatusCode::Unset, ""), |status| (status.code(), status.message.as_str()))
}

/// A context that came from elsewhere.
pub(crate) fn remote(flags: TraceFlags) -> SpanContext {
    let trace_id = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
    SpanContext::new(trace_id, SpanId::from_hex("b7ad6b7169203331").unwrap(), flags).into_remote()
}

#[track_caller]
pub(crate) fn assert_child(child: &Span, parent: &Span) {
    assert_eq!(child.trace_id, parent.trace_id, "{} and {}", child.name, parent.name);
    assert_eq!(child.parent_span_id, parent.span_id, "{} and {}", child.name, parent.name);
    assert_ne!(child.span_id, parent.span_id);
}
