//! A pipeline of its own for each test, in front of an exporter written for `opentelemetry_sdk`.

use std::time::Duration;

use clewline::exporter::WorkerSettings;
use clewline::opentelemetry::{OpenTelemetryExporter, Tracer, TracerProvider};
use clewline::{ClewlineLayer, Pipeline, PipelineOptions, Sampler};
use clewline_core::AlwaysOn;
use opentelemetry::trace::{SpanId, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};

const LIMIT: Duration = Duration::from_secs(300);

/// A pipeline and what it exported.
pub(crate) struct Recorder {
    pub(crate) pipeline: &'static Pipeline,
    pub(crate) exported: InMemorySpanExporter,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self::with_sampler(AlwaysOn)
    }

    pub(crate) fn with_sampler(sampler: impl Sampler + Send + Sync + 'static) -> Self {
        let exported = InMemorySpanExporter::default();
        let exporter = Box::new(OpenTelemetryExporter::new(exported.clone()));
        let (options, settings) = (PipelineOptions::default(), WorkerSettings::default());
        let pipeline = Pipeline::start(&[], Box::new(sampler), Vec::new(), options, settings, exporter).unwrap();
        Self { pipeline, exported }
    }

    pub(crate) fn provider(&self) -> TracerProvider {
        TracerProvider::from(self.pipeline)
    }

    pub(crate) fn tracer(&self) -> Tracer {
        self.provider().tracer("test")
    }

    pub(crate) fn native(&self) -> clewline::Tracer {
        self.pipeline.tracer(&clewline::Scope { name: "native", ..Default::default() })
    }

    pub(crate) fn layer(&self) -> ClewlineLayer {
        ClewlineLayer::new(self.pipeline)
    }

    /// What was exported so far, in the order of the ends within each scope.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.pipeline.flush(LIMIT).unwrap();
        self.exported.get_finished_spans().unwrap()
    }
}

/// The span of this name, of which there must be one.
#[track_caller]
pub(crate) fn named<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no `{name}` in {spans:?}"));
    assert_eq!(found.next(), None, "there are several");
    first
}

#[track_caller]
pub(crate) fn assert_child(spans: &[SpanData], child: &str, parent: &str) {
    let (child, parent) = (named(spans, child), named(spans, parent));
    assert_eq!(child.span_context.trace_id(), parent.span_context.trace_id(), "{} of {}", child.name, parent.name);
    assert_eq!(child.parent_span_id, parent.span_context.span_id(), "{} of {}", child.name, parent.name);
}

#[track_caller]
pub(crate) fn assert_root(spans: &[SpanData], root: &str) {
    assert_eq!(named(spans, root).parent_span_id, SpanId::INVALID, "{root}");
}
