//! Clewline on a server through its own API: spans on the caller's thread, a ring per thread, and the exporter thread.
//!
//! Configuration: the defaults of `PipelineOptions` and `WorkerSettings`; the exporter reads what a transport would send and
//! discards it. Spans are encoded on the caller's thread, so the timed part holds the encoding. Sampled out is the
//! sampler `AlwaysOff`. Not installed is a tracer from before `init`.

use crate::arrivals;
use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::routine::Routine;
use crate::workload;
use clewline::exporter::{ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::pipeline::SharedSampler;
use clewline::{Pipeline, PipelineOptions, Scope, Tracer, Value};
use clewline_core::{AlwaysOff, AlwaysOn, RequestView};
use std::io::Read as _;
use std::time::{Duration, Instant};

/// How long a flush may take before the run fails.
const FLUSH: Duration = Duration::from_secs(60);

/// Clewline's own API.
#[derive(Clone, Copy, Debug)]
pub struct ClewlineNative;

impl Library for ClewlineNative {
    fn label(&self) -> &'static str {
        "Clewline, native API + batch"
    }

    fn name(&self) -> &'static str {
        "clewline-native"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        let (tracer, pipeline) = match pipeline(mode) {
            Some(pipeline) => (pipeline.tracer(&Scope { name: workload::SCOPE, ..Scope::default() }), Some(pipeline)),
            None => (clewline::tracer(workload::SCOPE), None),
        };
        Some(Box::new(Native { tracer, pipeline }))
    }
}

/// A pipeline whose exporter counts and discards; `None` where nothing is installed.
pub(crate) fn pipeline(mode: Mode) -> Option<&'static Pipeline> {
    let sampler: SharedSampler = match mode {
        Mode::Recording => Box::new(AlwaysOn),
        Mode::SampledOut => Box::new(AlwaysOff),
        Mode::NotInstalled => return None,
    };
    let resource = [("service.name", Value::from(workload::SERVICE))];
    let (options, settings) = (PipelineOptions::default(), WorkerSettings::default());
    Some(
        Pipeline::start(&resource, sampler, Vec::new(), options, settings, Box::new(Discard))
            .expect("the machine has room for one more thread"),
    )
}

/// Waits until everything that has ended has reached the exporter.
pub(crate) fn flush(pipeline: &Pipeline) {
    pipeline.flush(FLUSH).expect("a discarding exporter is in time");
}

struct Discard;

impl SpanExporter for Discard {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        arrivals::count_batch(request.spans(), || details(request));
        ExportOutcome::Delivered
    }
}

/// Attributes and events in a request.
fn details(request: &Request<'_>) -> (usize, usize) {
    let mut bytes = Vec::with_capacity(request.size());
    request.reader().read_to_end(&mut bytes).expect("memory can be read");
    let view = RequestView::parse(&bytes).expect("the request is valid OTLP");
    let scopes = view.resource_spans().flat_map(|resource| resource.scope_spans().collect::<Vec<_>>());
    scopes.flat_map(|scope| scope.spans().collect::<Vec<_>>()).fold((0, 0), |(attributes, events), span| {
        let (_, span) = span.expect("the span is valid OTLP");
        (attributes + span.attributes().count(), events + span.events().count())
    })
}

struct Native {
    tracer: Tracer,
    pipeline: Option<&'static Pipeline>,
}

impl Installed for Native {
    fn routine(&self, case: Case) -> Option<Routine> {
        let tracer = self.tracer;
        match case {
            Case::Root | Case::SampledOut | Case::NotInstalled => Some(Routine::repeat(move || {
                tracer.span(workload::ROOT).start().end();
            })),
            Case::RootAndChild => Some(Routine::repeat(move || root_and_child(tracer))),
            Case::HundredChildren => Some(Routine::repeat(move || hundred_children(tracer))),
            Case::AddEvent => Some(Routine::prepared(
                workload::EVENTS_PER_SPAN,
                move || tracer.span(workload::ROOT).start(),
                |mut span| {
                    for _ in 0..workload::EVENTS_PER_SPAN {
                        span.event(workload::EVENT);
                    }
                    span
                },
            )),
            // The same code as the core's own rows.
            Case::Encode | Case::ParseTraceparent | Case::FormatTraceparent => None,
        }
    }

    fn flush(&self) {
        if let Some(pipeline) = self.pipeline {
            flush(pipeline);
        }
    }

    fn role(&self) -> Role {
        Role::Pipeline
    }

    fn dropped(&self) -> Option<u64> {
        self.pipeline.map(|pipeline| pipeline.ledger().dropped())
    }
}

fn root_and_child(tracer: Tracer) {
    let mut root = tracer.span(workload::ROOT).start();
    let mut child = tracer.span(workload::CHILD).child_of(&root).start();
    for (key, value) in workload::CHILD_ATTRIBUTES {
        child.set(key, value);
    }
    child.end();
    root.end();
}

fn hundred_children(tracer: Tracer) {
    let mut root = tracer.span(workload::ROOT).start();
    for _ in 0..workload::CHILDREN {
        tracer.span(workload::CHILD).child_of(&root).start().end();
    }
    root.end();
}
