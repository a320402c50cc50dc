//! Processors that misbehave, look away, or see what is not sampled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clewline::exporter::ExportOutcome;
use clewline::{Ledger, Pipeline, PipelineOptions, Sampler, Scope, SpanProcessor, SpanView, Verdict};
use clewline_core::{AlwaysOn, ReadWriteSpan, RecordOnly};

use crate::{Exporter, PATIENCE, quiet};

/// Panics whenever it is asked.
struct Faulty;

impl SpanProcessor for Faulty {
    fn on_start(&self, _: &mut ReadWriteSpan<'_>) {
        panic!("a processor's mistake at a start")
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        panic!("a processor's mistake at an end")
    }
}

/// The ledger after ten spans that a processor was told of.
fn ledger_of_ten(
    sampler: impl Sampler + Send + Sync + 'static,
    processor: impl SpanProcessor + Send + Sync + 'static,
) -> Ledger {
    let exporter = Box::new(Exporter { seen: Arc::default(), answer: |_| ExportOutcome::Delivered });
    let options = PipelineOptions::default();
    let pipeline =
        Pipeline::start(&[], Box::new(sampler), vec![Box::new(processor)], options, quiet(), exporter).unwrap();
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    for _ in 0..10 {
        tracer.span("work").start().end();
    }
    pipeline.flush(PATIENCE).unwrap();
    pipeline.ledger()
}

#[test]
fn a_processor_that_panics_costs_no_span() {
    let ledger = ledger_of_ten(AlwaysOn, Faulty);
    assert_eq!((ledger.started, ledger.delivered, ledger.pending), (10, 10, 0), "{ledger:?}");
}

/// Would drop what ends, but says that it does not look.
struct LooksAway;

impl SpanProcessor for LooksAway {
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Drop
    }

    fn sees_ends(&self) -> bool {
        false
    }
}

#[test]
fn a_processor_that_does_not_look_at_ends_is_not_asked_there() {
    let ledger = ledger_of_ten(AlwaysOn, LooksAway);
    assert_eq!((ledger.started, ledger.delivered), (10, 10), "{ledger:?}");
}

/// Counts the ends that it sees.
struct Counts(Arc<AtomicU64>);

impl SpanProcessor for Counts {
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict::Keep
    }
}

#[test]
fn a_processor_sees_the_ends_of_spans_that_are_recorded_but_not_sampled() {
    let seen = Arc::new(AtomicU64::new(0));
    let ledger = ledger_of_ten(RecordOnly, Counts(Arc::clone(&seen)));
    assert_eq!(seen.load(Ordering::Relaxed), 10);
    assert_eq!((ledger.started, ledger.not_exported, ledger.delivered), (10, 10, 0), "{ledger:?}");
}
