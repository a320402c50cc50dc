//! `opentelemetry_sdk`: its tracer with spans discarded, and with its batch processor.
//!
//! Configuration: the SDK's tracer itself, not the boxed global one, and an explicit parent context, not the
//! thread-local one: the cheapest ways the API offers. Default span limits, random ids and, for
//! [`OpenTelemetry::Batching`], the default queue of 2,048 spans and batches of 512; the SDK's internal logs are compiled
//! out. Headers go through the smallest possible carrier instead of a `HashMap`. Encoding is what `opentelemetry-otlp`
//! does with a batch: `group_spans_by_resource_and_scope` and prost.

use crate::arrivals;
use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::routine::Routine;
use crate::workload;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor,
};
use prost::Message as _;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

/// The SDK, by what happens to a finished span.
#[derive(Clone, Copy, Debug)]
pub enum OpenTelemetry {
    /// A processor that does nothing: the price of recording alone.
    Discarding,
    /// The batch processor in front of an exporter that does nothing.
    Batching,
}

impl Library for OpenTelemetry {
    fn label(&self) -> &'static str {
        match self {
            Self::Discarding => "opentelemetry, spans discarded",
            Self::Batching => "opentelemetry + batch",
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Discarding => "opentelemetry-discarding",
            Self::Batching => "opentelemetry-batching",
        }
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        let sampler = match mode {
            Mode::Recording => Sampler::AlwaysOn,
            Mode::SampledOut => Sampler::AlwaysOff,
            Mode::NotInstalled => {
                return matches!(self, Self::Discarding).then(|| Box::new(Absent) as Box<dyn Installed>);
            }
        };
        Some(Box::new(Provider { provider: provider(*self, sampler), configuration: *self }))
    }
}

impl OpenTelemetry {
    /// The role of a row with this processor.
    pub(crate) const fn role(self) -> Role {
        match self {
            Self::Discarding => Role::Recorder,
            Self::Batching => Role::Pipeline,
        }
    }
}

/// A provider with the processor of `configuration`.
pub(crate) fn provider(configuration: OpenTelemetry, sampler: Sampler) -> SdkTracerProvider {
    let builder = SdkTracerProvider::builder().with_resource(resource()).with_sampler(sampler);
    match configuration {
        OpenTelemetry::Discarding => builder.with_span_processor(Discard),
        OpenTelemetry::Batching => builder.with_span_processor(BatchSpanProcessor::builder(CountingExporter).build()),
    }
    .build()
}

struct Provider {
    provider: SdkTracerProvider,
    configuration: OpenTelemetry,
}

impl Installed for Provider {
    fn routine(&self, case: Case) -> Option<Routine> {
        match (case, self.configuration) {
            // The batch processor changes nothing in these.
            (Case::Encode, OpenTelemetry::Discarding) => Some(encode()),
            (Case::ParseTraceparent, OpenTelemetry::Discarding) => Some(parse(TraceContextPropagator::new())),
            (Case::FormatTraceparent, OpenTelemetry::Discarding) => Some(format(TraceContextPropagator::new())),
            _ => recording(self.provider.tracer(workload::SCOPE), case),
        }
    }

    fn flush(&self) {
        self.provider.force_flush().expect("nothing here can fail to flush");
    }

    fn role(&self) -> Role {
        self.configuration.role()
    }
}

/// The cases that record, through the API: the same code for every tracer.
pub(crate) fn recording<T>(tracer: T, case: Case) -> Option<Routine>
where
    T: Tracer<Span: Send + Sync> + Send + 'static,
{
    match case {
        Case::Root | Case::SampledOut => Some(Routine::repeat(move || tracer.start(workload::ROOT).end())),
        Case::RootAndChild => Some(Routine::repeat(move || root_and_child(&tracer))),
        Case::HundredChildren => Some(Routine::repeat(move || hundred_children(&tracer))),
        Case::AddEvent => Some(Routine::prepared(
            workload::EVENTS_PER_SPAN,
            move || tracer.start(workload::ROOT),
            |mut span| {
                for _ in 0..workload::EVENTS_PER_SPAN {
                    span.add_event(workload::EVENT, Vec::new());
                }
                span
            },
        )),
        _ => None,
    }
}

fn root_and_child<T: Tracer<Span: Send + Sync + 'static>>(tracer: &T) {
    let context = Context::new().with_span(tracer.start(workload::ROOT));
    let mut child = tracer.start_with_context(workload::CHILD, &context);
    for (key, value) in workload::CHILD_ATTRIBUTES {
        child.set_attribute(KeyValue::new(key, value));
    }
    child.end();
    context.span().end();
}

fn hundred_children<T: Tracer<Span: Send + Sync + 'static>>(tracer: &T) {
    let context = Context::new().with_span(tracer.start(workload::ROOT));
    for _ in 0..workload::CHILDREN {
        tracer.start_with_context(workload::CHILD, &context).end();
    }
    context.span().end();
}

fn encode() -> Routine {
    let spans = spans();
    let resource = ResourceAttributesWithSchema::from(&resource());
    Routine::prepared(1, move || spans.clone(), move |spans| encode_batch(spans, &resource))
}

/// What `opentelemetry-otlp` does with a batch before it sends it.
pub(crate) fn encode_batch(spans: Vec<SpanData>, resource: &ResourceAttributesWithSchema) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(spans, resource) }.encode_to_vec()
}

/// The finished request of case f.
pub(crate) fn payload() -> Vec<u8> {
    encode_batch(spans(), &ResourceAttributesWithSchema::from(&resource()))
}

pub(crate) fn resource() -> Resource {
    Resource::builder_empty().with_service_name(workload::SERVICE).build()
}

/// The finished spans of case f.
fn spans() -> Vec<SpanData> {
    let scope = InstrumentationScope::builder(workload::SCOPE).build();
    (1..=workload::ENCODED_SPANS)
        .map(|index| {
            let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(workload::ENCODED_START + index);
            SpanData {
                span_context: SpanContext::new(
                    TraceId::from(u128::from(index) << 64 | 0xfeed),
                    SpanId::from(index),
                    TraceFlags::SAMPLED,
                    false,
                    TraceState::default(),
                ),
                parent_span_id: SpanId::from(index ^ 0xbeef),
                parent_span_is_remote: false,
                span_kind: SpanKind::Internal,
                name: workload::ROOT.into(),
                start_time: start,
                end_time: start + Duration::from_nanos(workload::ENCODED_DURATION),
                attributes: workload::ENCODED_ATTRIBUTES.map(|(key, value)| KeyValue::new(key, value)).to_vec(),
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: Status::Unset,
                instrumentation_scope: scope.clone(),
            }
        })
        .collect()
}

/// A request's headers, reduced to the one that counts.
struct Header(&'static str);

impl Extractor for Header {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

impl Injector for Header {
    fn set(&mut self, key: &str, value: String) {
        black_box((key, value));
    }
}

/// Case g1 through the API.
pub(crate) fn parse(propagator: impl TextMapPropagator + 'static) -> Routine {
    let context = Context::new();
    Routine::repeat(move || propagator.extract_with_context(&context, black_box(&Header(workload::TRACEPARENT))))
}

/// Case g2 through the API.
pub(crate) fn format(propagator: impl TextMapPropagator + 'static) -> Routine {
    let context = propagator.extract_with_context(&Context::new(), &Header(workload::TRACEPARENT));
    assert!(context.has_active_span(), "the header of the workload is valid");
    Routine::repeat(move || {
        propagator.inject_context(black_box(&context), &mut Header(workload::TRACEPARENT));
    })
}

/// The global tracer without a provider.
struct Absent;

impl Installed for Absent {
    fn routine(&self, case: Case) -> Option<Routine> {
        let tracer = global::tracer(workload::SCOPE);
        (case == Case::NotInstalled).then(|| Routine::repeat(move || tracer.start(workload::ROOT).end()))
    }
}

/// A processor that does nothing.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        arrivals::count_span(span.attributes.len(), span.events.len());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// An exporter that counts batches and drops them.
#[derive(Debug, Default)]
struct CountingExporter;

impl SpanExporter for CountingExporter {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        arrivals::count_batch(batch.len(), || {
            batch.iter().fold((0, 0), |(attributes, events), span| {
                (attributes + span.attributes.len(), events + span.events.len())
            })
        });
        std::future::ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_holds_what_the_workload_says() {
        let request = ExportTraceServiceRequest::decode(payload().as_slice()).expect("valid OTLP");
        let spans = &request.resource_spans[0].scope_spans[0].spans;
        assert_eq!(spans.len() as u64, workload::ENCODED_SPANS);
        assert!(spans.iter().all(|span| span.attributes.len() == workload::ENCODED_ATTRIBUTES.len()));
    }
}
