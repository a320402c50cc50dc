//! `fastrace`: its roots and local spans, a reporter that discards, and `fastrace-opentelemetry` for the encoding.
//!
//! Configuration: the default collector (a report a second, or sooner under pressure). Children are [`LocalSpan`]s, the
//! fastest kind, and their properties are set at once. Case e adds events to the thread's local parent for the same
//! reason. Sampled out is a context with `sampled(false)`: fastrace leaves the decision to its caller. Encoding is what
//! its reporter and `opentelemetry-otlp` do with a batch: to `SpanData`, to prost messages, to bytes.

use crate::arrivals;
use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::peers::opentelemetry::{encode_batch, resource};
use crate::routine::Routine;
use crate::workload;
use fastrace::collector::{Config, Reporter, SpanId, SpanRecord, TraceId};
use fastrace::prelude::{Event, LocalSpan, Span, SpanContext};
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::borrow::Cow;
use std::hint::black_box;

/// The library with its default collector.
#[derive(Clone, Copy, Debug)]
pub struct Fastrace;

impl Library for Fastrace {
    fn label(&self) -> &'static str {
        "fastrace"
    }

    fn name(&self) -> &'static str {
        "fastrace"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        if mode != Mode::NotInstalled {
            fastrace::set_reporter(Discard, Config::default());
        }
        Some(Box::new(Running))
    }
}

struct Running;

impl Installed for Running {
    fn routine(&self, case: Case) -> Option<Routine> {
        match case {
            Case::Root | Case::NotInstalled => Some(Routine::repeat(|| {
                drop(Span::root(workload::ROOT, SpanContext::random()));
            })),
            Case::SampledOut => Some(Routine::repeat(|| {
                drop(Span::root(workload::ROOT, SpanContext::random().sampled(false)));
            })),
            Case::RootAndChild => Some(Routine::repeat(root_and_child)),
            Case::HundredChildren => Some(Routine::repeat(hundred_children)),
            Case::AddEvent => Some(Routine::prepared(
                workload::EVENTS_PER_SPAN,
                || {
                    let root = Span::root(workload::ROOT, SpanContext::random());
                    // The guard must be dropped before the root: fields of a tuple go in order.
                    (root.set_local_parent(), root)
                },
                |live| {
                    for _ in 0..workload::EVENTS_PER_SPAN {
                        LocalSpan::add_event(Event::new(workload::EVENT));
                    }
                    live
                },
            )),
            Case::Encode => Some(encode()),
            Case::ParseTraceparent => {
                Some(Routine::repeat(|| SpanContext::decode_w3c_traceparent(black_box(workload::TRACEPARENT))))
            }
            Case::FormatTraceparent => {
                let context = SpanContext::decode_w3c_traceparent(workload::TRACEPARENT)
                    .expect("the header of the workload is valid");
                Some(Routine::repeat(move || black_box(&context).encode_w3c_traceparent()))
            }
        }
    }

    fn flush(&self) {
        fastrace::flush();
    }

    /// A thread whose queue is full keeps what follows to itself, and queues it with the next command that it sends: here those of
    /// a root that is cancelled. Each round makes room for a whole queue, which holds whole traces.
    fn settle(&self) {
        loop {
            let before = arrivals::now();
            Span::root(workload::ROOT, SpanContext::random()).cancel();
            fastrace::flush();
            if arrivals::now() == before {
                return;
            }
        }
    }

    fn role(&self) -> Role {
        Role::Pipeline
    }
}

fn root_and_child() {
    let root = Span::root(workload::ROOT, SpanContext::random());
    let _parent = root.set_local_parent();
    let _child = LocalSpan::enter_with_local_parent(workload::CHILD).with_properties(|| workload::CHILD_ATTRIBUTES);
}

fn hundred_children() {
    let root = Span::root(workload::ROOT, SpanContext::random());
    let _parent = root.set_local_parent();
    for _ in 0..workload::CHILDREN {
        let _child = LocalSpan::enter_with_local_parent(workload::CHILD);
    }
}

fn encode() -> Routine {
    let records = records();
    let mut reporter = OpenTelemetryReporter::new(
        Encode(ResourceAttributesWithSchema::from(&resource())),
        Cow::Owned(resource()),
        InstrumentationScope::builder(workload::SCOPE).build(),
    );
    Routine::prepared(1, move || records.clone(), move |records| reporter.report(records))
}

/// The finished spans of case f.
fn records() -> Vec<SpanRecord> {
    (1..=workload::ENCODED_SPANS)
        .map(|index| SpanRecord {
            trace_id: TraceId(u128::from(index) << 64 | 0xfeed),
            span_id: SpanId(index),
            parent_id: SpanId(index ^ 0xbeef),
            begin_time_unix_ns: workload::ENCODED_START + index,
            duration_ns: workload::ENCODED_DURATION,
            name: workload::ROOT.into(),
            properties: workload::ENCODED_ATTRIBUTES.map(|(key, value)| (key.into(), value.into())).to_vec(),
            events: Vec::new(),
            links: Vec::new(),
        })
        .collect()
}

/// A reporter that counts batches and drops them.
struct Discard;

impl Reporter for Discard {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        arrivals::count_batch(spans.len(), || {
            spans.iter().fold((0, 0), |(attributes, events), span| {
                (attributes + span.properties.len(), events + span.events.len())
            })
        });
    }
}

/// An exporter that encodes and drops the bytes.
#[derive(Debug)]
struct Encode(ResourceAttributesWithSchema);

impl SpanExporter for Encode {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        black_box(encode_batch(batch, &self.0));
        std::future::ready(Ok(()))
    }
}
