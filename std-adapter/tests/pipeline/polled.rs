//! A pipeline without a thread: somebody comes for requests, of whatever size there is room for, and every span is accounted for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clewline::exporter::{ExportOutcome, Outbox, OutboxLimits, Parcel};
use clewline::{Pipeline, PipelineOptions, Scope, Tracer, Value};
use clewline_core::RequestView;

use super::assert_sound;

const LARGE: usize = 1 << 20;

fn start(limits: OutboxLimits) -> (&'static Pipeline, Outbox, Tracer) {
    let resource = [("service.name", Value::from("shop"))];
    let (pipeline, outbox) = Pipeline::builder(&resource).start_polled(limits, |_| {});
    (pipeline, outbox, pipeline.tracer(&Scope { name: "test", ..Scope::default() }))
}

/// The names of the spans in a parcel, decoded from the request as a collector would.
fn names(parcel: &mut Parcel) -> Vec<String> {
    let (size, spans) = (parcel.size(), parcel.spans());
    parcel.attempt(|request| {
        let bytes = request.parts().concat();
        assert_eq!(bytes.len(), size);
        let view = RequestView::parse(&bytes).unwrap();
        let scopes = view.resource_spans().flat_map(|resource| resource.scope_spans());
        let names: Vec<_> =
            scopes.flat_map(|scope| scope.spans()).map(|span| span.unwrap().1.name().to_owned()).collect();
        assert_eq!(names.len(), spans);
        names
    })
}

#[test]
fn requests_stay_within_the_bytes_that_are_asked_for_and_hold_every_span_once() {
    let (pipeline, outbox, _) = start(OutboxLimits::default());
    for number in 0..300 {
        let scope = format!("a scope with a name of some length, number {}", number % 7);
        let tracer = pipeline.tracer(&Scope { name: &scope, ..Scope::default() });
        let mut span = tracer.span(&number.to_string()).start();
        span.set("text", "x".repeat(number).as_str());
    }
    let mut seen = BTreeSet::new();
    let mut requests = 0;
    while let Some(mut parcel) = outbox.take(4000) {
        assert!(parcel.size() <= 4000, "{}", parcel.size());
        names(&mut parcel).into_iter().for_each(|name| assert!(seen.insert(name)));
        parcel.settle(ExportOutcome::Delivered);
        requests += 1;
    }
    assert!((15..100).contains(&requests), "{requests} requests of at most 4000 bytes");
    assert_eq!((seen.len(), pipeline.ledger().delivered, pipeline.ledger().pending), (300, 300, 0));
}

#[test]
fn a_span_larger_than_that_comes_alone_and_says_so() {
    let (_, outbox, tracer) = start(OutboxLimits::default());
    tracer.span("before").start().end();
    tracer.span("large").start().set("text", "x".repeat(9000).as_str());
    tracer.span("after").start().end();
    let mut seen = Vec::new();
    while let Some(mut parcel) = outbox.take(1000) {
        seen.push((names(&mut parcel), parcel.size() > 1000));
        parcel.settle(ExportOutcome::Delivered);
    }
    let name = |name: &str| vec![name.to_owned()];
    assert_eq!(seen, [(name("before"), false), (name("large"), true), (name("after"), false)]);
}

#[test]
fn a_parcel_that_is_dropped_goes_back_to_where_it_was() {
    let (pipeline, outbox, tracer) = start(OutboxLimits { batch_spans: 2, ..OutboxLimits::default() });
    for name in ["a", "b", "c", "d", "e"] {
        tracer.span(name).start().end();
    }
    let first = outbox.take(LARGE).unwrap();
    let second = outbox.take(LARGE).unwrap();
    drop((second, first));
    assert_eq!(outbox.waiting(), 5);
    let mut seen = Vec::new();
    while let Some(mut parcel) = outbox.take(LARGE) {
        seen.extend(names(&mut parcel));
        parcel.settle(ExportOutcome::Delivered);
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    assert_eq!((pipeline.ledger().delivered, pipeline.ledger().pending), (5, 0));
}

#[test]
fn every_outcome_is_in_the_ledger() {
    let retryable = ExportOutcome::Retryable { after: None, reason: String::new() };
    let outcomes = [
        ExportOutcome::Delivered,
        ExportOutcome::PartiallyRejected { rejected: 1, message: String::new() },
        ExportOutcome::PartiallyRejected { rejected: 9, message: String::new() },
        ExportOutcome::Rejected { reason: String::new() },
        ExportOutcome::TooLarge { bytes: 9, limit: 8 },
        retryable,
    ];
    let (pipeline, outbox, tracer) = start(OutboxLimits { batch_spans: 3, ..OutboxLimits::default() });
    for outcome in outcomes {
        (0..3).for_each(|_| tracer.span("work").start().end());
        let mut parcel = outbox.take(LARGE).unwrap();
        parcel.attempt(|_| ());
        parcel.attempt(|_| ());
        assert_eq!((parcel.spans(), parcel.attempts()), (3, 2));
        parcel.settle(outcome);
    }
    let ledger = pipeline.ledger();
    let dropped = ledger.dropped_exporting;
    assert_eq!((ledger.started, ledger.delivered, ledger.rejected), (18, 5, 7));
    assert_eq!((dropped.too_large, dropped.undeliverable, ledger.pending), (3, 3, 0));
    assert_eq!((pipeline.ledgers()[0].attempts, pipeline.ledgers()[0].retries), (12, 6));
    assert_sound(&ledger);
}

#[test]
fn somebody_is_told_of_every_span_and_when_to_come_at_once() {
    let told: Arc<[AtomicUsize; 2]> = Arc::default();
    let counts = Arc::clone(&told);
    let limits = OutboxLimits { batch_spans: 10, ..OutboxLimits::default() };
    let (pipeline, outbox) = Pipeline::builder(&[]).start_polled(limits, move |at_once| {
        counts[usize::from(at_once)].fetch_add(1, Ordering::Relaxed);
    });
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    let told = || [0, 1].map(|index: usize| told[index].load(Ordering::Relaxed));
    (0..9).for_each(|_| tracer.span("work").start().end());
    assert_eq!(told(), [9, 0]);
    tracer.span("work").start().end();
    assert_eq!(told(), [9, 1], "a request's worth");
    assert_eq!(outbox.waiting(), 10);
    tracer.span("work").start().end();
    assert_eq!(told(), [10, 1], "somebody has come");
}

#[test]
fn memory_is_bounded_while_nobody_takes_anything_and_what_is_lost_is_counted() {
    let mut options = PipelineOptions::default();
    (options.thread_bytes, options.burst_bytes) = (16 * 1024, 0);
    let limits = OutboxLimits { queue_spans: 100, queue_bytes: 1 << 20, batch_spans: 50 };
    let (pipeline, outbox) = Pipeline::builder(&[]).options(options).start_polled(limits, |_| {});
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    for _ in 0..5000 {
        tracer.span("work").start().end();
        assert!(outbox.waiting() <= 100, "{}", outbox.waiting());
    }
    let ledger = pipeline.ledger();
    assert_eq!((ledger.started, ledger.pending + ledger.dropped_buffer_full), (5000, 5000));
    assert!(ledger.dropped_buffer_full > 4000, "{ledger:?}");
    assert_eq!(pipeline.flush(Duration::from_secs(60)).unwrap_err().pending, ledger.pending, "it waits for nobody");
    while let Some(parcel) = outbox.take(LARGE) {
        parcel.settle(ExportOutcome::Delivered);
    }
    assert_eq!(pipeline.ledger().delivered, ledger.pending);
    assert!(pipeline.flush(Duration::ZERO).is_ok());
    assert!(pipeline.shutdown(Duration::ZERO).is_ok());
    tracer.span("late").start().end();
    assert!(outbox.take(LARGE).is_none());
    assert_sound(&pipeline.ledger());
}
