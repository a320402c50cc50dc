//! `TracerProvider` and `Tracer`: what a library that is instrumented with the OpenTelemetry API asks for spans.

use clewline_core::Scope;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::{Context as OtelContext, InstrumentationScope};

use super::convert::{from_kind, from_time, with_attributes, with_links};
use super::current;
use super::span::Span;
use crate::pipeline::Pipeline;
use crate::{Tracer as NativeTracer, tracer_in};

/// Hands out tracers that record with a Clewline pipeline (OpenTelemetry trace API, "TracerProvider").
///
/// ```
/// use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
/// let provider = clewline::opentelemetry::TracerProvider::new();
/// let mut span = provider.tracer("shop").start("GET /cart");
/// span.end();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TracerProvider {
    pipeline: Option<&'static Pipeline>,
}

impl TracerProvider {
    /// Tracers for the pipeline that [`init`](crate::init) or [`start`](crate::start) started.
    #[must_use]
    pub fn new() -> Self {
        Self::from_pipeline(None)
    }

    fn from_pipeline(pipeline: Option<&'static Pipeline>) -> Self {
        current::activate();
        Self { pipeline }
    }
}

impl Default for TracerProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&'static Pipeline> for TracerProvider {
    /// Tracers for one pipeline.
    fn from(pipeline: &'static Pipeline) -> Self {
        Self::from_pipeline(Some(pipeline))
    }
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = Tracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Tracer {
        let attributes: Vec<_> = scope.attributes().cloned().collect();
        with_attributes(&attributes, |attributes| {
            let scope = Scope {
                name: scope.name(),
                version: scope.version().unwrap_or_default(),
                schema_url: scope.schema_url().unwrap_or_default(),
                attributes,
            };
            let tracer = match self.pipeline {
                Some(pipeline) => pipeline.tracer(&scope),
                None => tracer_in(&scope),
            };
            Tracer { tracer }
        })
    }
}

/// Starts spans that are recorded by Clewline (OpenTelemetry trace API, "Tracer").
#[derive(Clone, Copy, Debug)]
pub struct Tracer {
    tracer: NativeTracer,
}

impl opentelemetry::trace::Tracer for Tracer {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent_cx: &OtelContext) -> Span {
        if parent_cx.is_telemetry_suppressed() {
            return Span::none();
        }
        let parent = current::hand_on(parent_cx);
        let attributes = builder.attributes.as_deref().unwrap_or_default();
        let links = builder.links.as_deref().unwrap_or_default();
        // The context may be borrowed by who calls this, so that the sampler and processors must not change it.
        let _untouched = current::untouched();
        let mut span = with_attributes(attributes, |attributes| {
            with_links(links, |links, refused| {
                let mut native = self.tracer.span(&builder.name).child_of(parent);
                if let Some(kind) = &builder.span_kind {
                    native = native.kind(from_kind(kind));
                }
                if !attributes.is_empty() {
                    native = native.attributes(attributes);
                }
                if !links.is_empty() {
                    native = native.links(links);
                }
                if let Some(start_time) = builder.start_time {
                    native = native.start_time(from_time(start_time));
                }
                let mut span = native.start();
                if let Some(recording) = span.recording().filter(|_| refused > 0) {
                    recording.span.count_refused_links(refused);
                }
                span
            })
        });
        for event in builder.events.unwrap_or_default() {
            with_attributes(&event.attributes, |attributes| {
                span.event_at(&event.name, from_time(event.timestamp), attributes);
            });
        }
        Span::new(span, builder.start_time.is_some())
    }
}
