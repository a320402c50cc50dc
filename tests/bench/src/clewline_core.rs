//! `clewline-core` alone: spans and batch in fixed memory on one thread, as on a chip or in a browser.
//!
//! Configuration: spans of 512 bytes inside the tracer's own sink, the time-stamp counter through `fastant` as clock,
//! random ids. A root and its children are recorded, encoded and put into the batch within the timed part. No handover
//! to another thread: what a server adds is in the rows of the host adapter. Column f puts the envelope around the
//! finished batch and copies both into a request, as a transport would that cannot gather.

use crate::arrivals;
use crate::case::{Case, Mode};
use crate::library::{Installed, Library};
use crate::routine::Routine;
use crate::workload;
use clewline_core::traceparent::{self, Traceparent};
use clewline_core::{
    AlwaysOff, AlwaysOn, Clock, Envelope, IdSource, InlineBatch, InlineSpan, LocalSink, RandomIds, Sampler, Scope,
    SpanContext, SpanKind, SpanLimits, SpanStart, TraceFlags, Tracer, Value,
};
use fastant::{Anchor, Instant};
use std::hint::black_box;

/// Bytes of one span.
const SPAN: usize = 512;

/// Bytes of a batch: enough for the spans of one sample.
const BATCH: usize = 256 * 1024;

type LocalTracer<S> = Tracer<CounterClock, RandomIds, S, LocalSink<SPAN, BATCH>>;

/// The core without a host.
#[derive(Clone, Copy, Debug)]
pub struct ClewlineCore;

impl Library for ClewlineCore {
    fn label(&self) -> &'static str {
        "Clewline core, fixed memory, one thread"
    }

    fn name(&self) -> &'static str {
        "clewline-core"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        // Core has no globals, so there is nothing that could be missing.
        (mode != Mode::NotInstalled).then(|| Box::new(Running) as Box<dyn Installed>)
    }
}

/// Unix time from the time-stamp counter.
struct CounterClock(Anchor);

impl Clock for CounterClock {
    #[inline]
    fn unix_nanos(&self) -> Option<u64> {
        Some(Instant::now().as_unix_nanos(&self.0))
    }
}

fn tracer<S: Sampler>(sampler: S) -> LocalTracer<S> {
    let clock = CounterClock(Anchor::new());
    let seed = [clock.unix_nanos().unwrap_or(1), 0x5eed];
    Tracer::new(clock, RandomIds::from_seed(seed), sampler, LocalSink::new())
}

thread_local! {
    /// Leaked, so that live spans can borrow it: a worker process needs it until it ends.
    static TRACER: &'static LocalTracer<AlwaysOn> = Box::leak(Box::new(tracer(AlwaysOn)));
}

struct Running;

impl Installed for Running {
    fn routine(&self, case: Case) -> Option<Routine> {
        let tracer = TRACER.with(|tracer| *tracer);
        match case {
            Case::Root => Some(Routine::repeat(|| {
                tracer.span(workload::ROOT).start().end();
            })),
            Case::RootAndChild => Some(Routine::repeat(|| root_and_child(tracer))),
            Case::HundredChildren => Some(Routine::repeat(|| hundred_children(tracer))),
            Case::SampledOut => {
                let tracer = Box::new(self::tracer(AlwaysOff));
                Some(Routine::repeat(move || {
                    tracer.span(workload::ROOT).start().end();
                }))
            }
            Case::AddEvent => Some(Routine::prepared(
                workload::EVENTS_PER_SPAN,
                || tracer.span(workload::ROOT).start(),
                |mut span| {
                    for _ in 0..workload::EVENTS_PER_SPAN {
                        span.event(workload::EVENT);
                    }
                    span
                },
            )),
            Case::Encode => Some(encode()),
            Case::ParseTraceparent => {
                Some(Routine::repeat(|| traceparent::parse(black_box(workload::TRACEPARENT.as_bytes()))))
            }
            Case::FormatTraceparent => {
                let context =
                    traceparent::parse(workload::TRACEPARENT.as_bytes()).expect("the header of the workload is valid");
                Some(Routine::repeat(move || Traceparent::new(black_box(context))))
            }
            Case::NotInstalled => None,
        }
    }

    fn flush(&self) {
        TRACER.with(|tracer| {
            tracer.sink().with_batch(|batch| {
                assert_eq!(batch.dropped(), 0, "the batch holds a whole sample");
                arrivals::count_batch(batch.iter().count(), || {
                    batch.iter().fold((0, 0), |(attributes, events), span| {
                        (attributes + span.attributes().count(), events + span.events().count())
                    })
                });
                batch.clear();
            })
        });
    }
}

fn root_and_child(tracer: &LocalTracer<AlwaysOn>) {
    let mut root = tracer.span(workload::ROOT).start();
    let mut child = tracer.span(workload::CHILD).child_of(root.context()).start();
    for (key, value) in workload::CHILD_ATTRIBUTES {
        child.set(key, value);
    }
    child.end();
    root.end();
}

fn hundred_children(tracer: &LocalTracer<AlwaysOn>) {
    let mut root = tracer.span(workload::ROOT).start();
    for _ in 0..workload::CHILDREN {
        tracer.span(workload::CHILD).child_of(root.context()).start().end();
    }
    root.end();
}

fn encode() -> Routine {
    let batch = finished();
    let envelope = envelope();
    let mut request = Box::new(heapless::Vec::<u8, BATCH>::new());
    Routine::repeat(move || {
        request.clear();
        envelope.write_request(black_box(&batch).as_bytes(), &mut *request).expect("the request holds a whole batch");
        black_box(request.len())
    })
}

fn envelope() -> Envelope<heapless::Vec<u8, 128>> {
    let scope = Scope { name: workload::SCOPE, ..Scope::default() };
    let resource = [("service.name", Value::from(workload::SERVICE))];
    Envelope::new(heapless::Vec::new(), &resource, &scope).expect("a small envelope")
}

/// The finished spans of case f.
fn finished() -> Box<InlineBatch<BATCH>> {
    let ids = RandomIds::from_seed([1, 2]);
    let mut batch = Box::new(InlineBatch::new(heapless::Vec::new()));
    for index in 1..=workload::ENCODED_SPANS {
        let trace_id = ids.trace_id();
        let parent = SpanContext::new(trace_id, ids.span_id(), TraceFlags::SAMPLED);
        let mut span = InlineSpan::<SPAN>::new(
            heapless::Vec::new(),
            &SpanStart {
                context: SpanContext::new(trace_id, ids.span_id(), TraceFlags::SAMPLED),
                parent: Some(parent),
                name: workload::ROOT,
                kind: SpanKind::Internal,
                start_time: workload::ENCODED_START + index,
                trace_state: "",
                limits: SpanLimits::DEFAULT,
            },
        );
        for (key, value) in workload::ENCODED_ATTRIBUTES {
            span.set(key, value);
        }
        batch
            .push(&span, workload::ENCODED_START + index + workload::ENCODED_DURATION)
            .expect("the batch holds the payload");
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::opentelemetry::payload;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message as _;

    #[test]
    fn the_request_holds_the_same_attributes_as_the_payload_of_opentelemetry() {
        let mut bytes = Box::new(heapless::Vec::<u8, BATCH>::new());
        envelope().write_request(finished().as_bytes(), &mut *bytes).expect("the request holds a whole batch");
        let spans = |bytes: &[u8]| {
            let request = ExportTraceServiceRequest::decode(bytes).expect("valid OTLP");
            let spans = &request.resource_spans[0].scope_spans[0].spans;
            spans
                .iter()
                .map(|span| {
                    (span.name.clone(), span.attributes.clone(), span.start_time_unix_nano, span.end_time_unix_nano)
                })
                .collect::<Vec<_>>()
        };
        let ours = spans(&bytes);
        assert_eq!(ours.len() as u64, workload::ENCODED_SPANS);
        assert_eq!(ours, spans(&payload()));
    }
}
