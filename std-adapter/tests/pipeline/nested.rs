//! Samplers and processors that start spans themselves: recorded where that can end, counted where it cannot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use clewline::exporter::ExportOutcome;
use clewline::{Ledger, Pipeline, PipelineOptions, Sampler, Scope, SpanKind, SpanProcessor, SpanView, Tracer, Verdict};
use clewline_core::{AlwaysOff, AlwaysOn, ReadWriteSpan, SamplingParameters, SamplingResult};

use super::{Exporter, PATIENCE, assert_sound, quiet};

type Door = Arc<OnceLock<Tracer>>;

/// Starts and ends a span whenever it is told of one.
struct Chatty(Door);

impl Chatty {
    fn chat(&self, about: &str) {
        if let Some(tracer) = self.0.get() {
            tracer.span(about).start().end();
        }
    }
}

impl SpanProcessor for Chatty {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        span.set("seen", true);
        self.chat("started");
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        self.chat("ended");
        Verdict::Keep
    }
}

/// Counts the spans that it is shown.
#[derive(Clone, Default)]
struct Count(Arc<[AtomicU64; 2]>);

impl SpanProcessor for Count {
    fn on_start(&self, _: &mut ReadWriteSpan<'_>) {
        self.0[0].fetch_add(1, Ordering::Relaxed);
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        self.0[1].fetch_add(1, Ordering::Relaxed);
        Verdict::Keep
    }
}

/// Starts a span, with a child in it, for every decision.
struct Nosy(Door);

impl Sampler for Nosy {
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        if let Some(tracer) = self.0.get() {
            let mut span = tracer.span("deciding").kind(SpanKind::Internal).start();
            assert!(!span.is_recording());
            span.set("ignored", true).end();
        }
        clewline_core::SamplingDecision::RecordAndSample.into()
    }
}

fn run(sampler: impl Sampler + Send + Sync + 'static, chatty: bool, count: &Count, door: &Door) -> Ledger {
    let exporter = Exporter { seen: Arc::default(), answer: |_| ExportOutcome::Delivered };
    let builder = Pipeline::builder(&[]).sampler(Box::new(sampler)).options(PipelineOptions::default());
    let builder = if chatty { builder.processor(Box::new(Chatty(Arc::clone(door)))) } else { builder };
    let builder = builder.processor(Box::new(count.clone()));
    let destination = clewline::exporter::Destination::new("", Box::new(exporter)).settings(quiet());
    let pipeline = builder.destination(destination).start().unwrap();
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    assert!(door.set(tracer).is_ok());
    (0..10).for_each(|_| tracer.span("work").start().end());
    pipeline.flush(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_sound(&ledger);
    ledger
}

#[test]
fn spans_of_a_processor_are_recorded_and_shown_to_the_others() {
    let (count, door) = (Count::default(), Door::default());
    let ledger = run(AlwaysOn, true, &count, &door);
    // Each span, one for its start and one for its end.
    assert_eq!((ledger.started, ledger.delivered, ledger.refused_starts), (30, 30, 0), "{ledger:?}");
    assert_eq!(count.0.each_ref().map(|count| count.load(Ordering::Relaxed)), [30, 30]);
}

/// A sampler with a fault.
struct Mistaken;

impl Sampler for Mistaken {
    fn should_sample(&self, _: &SamplingParameters<'_>) -> SamplingResult<'_> {
        panic!("as intended")
    }
}

#[test]
fn a_sampler_that_panics_costs_neither_a_span_nor_the_program() {
    let (count, door) = (Count::default(), Door::default());
    let ledger = run(Mistaken, false, &count, &door);
    assert_eq!((ledger.started, ledger.delivered), (10, 10), "{ledger:?}");
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOff)).start().unwrap();
    let tracer = pipeline.tracer(&Scope::default());
    assert!(!tracer.span("dropped").start().is_recording());
    pipeline.set_sampler(Box::new(Mistaken));
    assert!(tracer.span("root").start().is_recording());
}

#[test]
fn spans_of_a_sampler_are_counted_as_refused() {
    let (count, door) = (Count::default(), Door::default());
    let ledger = run(Nosy(Arc::clone(&door)), false, &count, &door);
    assert_eq!((ledger.started, ledger.delivered, ledger.refused_starts), (10, 10, 10), "{ledger:?}");
    assert_eq!(count.0.each_ref().map(|count| count.load(Ordering::Relaxed)), [10, 10]);
}

#[test]
fn more_scopes_than_can_be_told_apart_cost_bounded_memory_and_no_span() {
    let exporter = Exporter { seen: Arc::default(), answer: |_| ExportOutcome::Delivered };
    let destination = clewline::exporter::Destination::new("", Box::new(exporter)).settings(quiet());
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination).start().unwrap();
    for number in 0..70_000_u32 {
        let name = number.to_string();
        let tracer = pipeline.tracer(&Scope { name: &name, ..Scope::default() });
        if number % 1000 == 0 {
            tracer.span("work").start().end();
        }
    }
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!((pipeline.ledger().delivered, pipeline.ledger().pending), (70, 0));
}
