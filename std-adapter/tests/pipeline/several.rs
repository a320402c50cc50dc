//! Several destinations: each has its own fate, none holds another up, and the headline counts every span once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clewline::exporter::retry::Backoff;
use clewline::exporter::{Destination, ExportOutcome, WorkerSettings};
use clewline::pipeline::PipelineBuilder;
use clewline::{Pipeline, PipelineOptions, Scope, Tracer};
use clewline_core::{AlwaysOff, AlwaysOn};

use super::{Exporter, Gate, PATIENCE, assert_sound, quiet};

type Seen = Arc<AtomicU64>;

fn destination(
    name: &str,
    settings: WorkerSettings,
    answer: impl FnMut(usize) -> ExportOutcome + Send + 'static,
) -> (Destination, Seen) {
    let seen = Seen::default();
    let exporter = Exporter { seen: Arc::clone(&seen), answer };
    (Destination::new(name, Box::new(exporter)).settings(settings), seen)
}

fn start(destinations: impl IntoIterator<Item = Destination>) -> (&'static Pipeline, Tracer) {
    let builder = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn));
    let pipeline = destinations.into_iter().fold(builder, PipelineBuilder::destination).start().unwrap();
    (pipeline, pipeline.tracer(&Scope { name: "test", ..Scope::default() }))
}

fn assert_all_sound(pipeline: &Pipeline) {
    assert_sound(&pipeline.ledger());
    pipeline.ledgers().iter().for_each(|each| assert_sound(&each.ledger));
}

fn record(tracer: Tracer, count: usize) {
    (0..count).for_each(|_| tracer.span("work").start().end());
}

#[test]
fn one_that_hangs_does_not_hold_the_others_up() {
    let gate = Arc::new(Gate::default());
    let at_gate = Arc::clone(&gate);
    let (hanging, _) = destination("hanging", quiet(), move |_| {
        at_gate.pass();
        ExportOutcome::Delivered
    });
    let (healthy, _) = destination("healthy", quiet(), |_| ExportOutcome::Delivered);
    let (pipeline, tracer) = start([hanging, healthy]);
    for round in 1..=5 {
        record(tracer, 100);
        // The one that hangs keeps the flush from its end.
        assert!(pipeline.flush(Duration::from_millis(1)).is_err());
        let limit = Instant::now() + PATIENCE;
        while pipeline.ledgers()[1].ledger.delivered < round * 100 {
            assert!(Instant::now() < limit, "{:?}", pipeline.ledgers());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    gate.wait_for_arrival();
    let [hanging, healthy] = &pipeline.ledgers()[..] else { panic!("two destinations") };
    assert_eq!((hanging.name, hanging.ledger.delivered, hanging.ledger.pending), ("hanging", 0, 500));
    assert_eq!((healthy.name, healthy.ledger.delivered, healthy.ledger.pending), ("healthy", 500, 0));
    assert_eq!((pipeline.ledger().delivered, pipeline.ledger().pending), (0, 500), "not everywhere yet");
    gate.open();
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!((pipeline.ledger().delivered, pipeline.ledger().pending), (500, 0));
}

#[test]
fn a_shutdown_delivers_to_all_of_them_whoever_looks_last() {
    for _ in 0..100 {
        let [(first, _), (second, _), (third, _)] =
            ["first", "second", "third"].map(|name| destination(name, quiet(), |_| ExportOutcome::Delivered));
        let (pipeline, tracer) = start([first, second, third]);
        record(tracer, 10);
        pipeline.shutdown(PATIENCE).unwrap();
        let ledger = pipeline.ledger();
        assert_eq!((ledger.started, ledger.delivered), (10, 10), "{ledger:?} {:?}", pipeline.ledgers());
        assert_all_sound(pipeline);
    }
}

#[test]
fn each_span_counts_once_as_the_least_successful_left_it() {
    let small = WorkerSettings { max_batch_spans: 10, schedule_delay: PATIENCE, ..quiet() };
    let large = WorkerSettings { max_batch_spans: 25, schedule_delay: PATIENCE, ..quiet() };
    // The first 30 are refused by the one, the first 25 are too large for the other, which takes the next 25 in part.
    let mut requests = 0;
    let (first, _) = destination("first", small, move |_| {
        requests += 1;
        if requests <= 3 { ExportOutcome::Rejected { reason: String::new() } } else { ExportOutcome::Delivered }
    });
    let mut requests = 0;
    let (second, _) = destination("second", large, move |_| {
        requests += 1;
        match requests {
            1 => ExportOutcome::TooLarge { bytes: 2, limit: 1 },
            2 => ExportOutcome::PartiallyRejected { rejected: 5, message: String::new() },
            _ => ExportOutcome::Delivered,
        }
    });
    let (pipeline, tracer) = start([first, second]);
    record(tracer, 100);
    pipeline.flush(PATIENCE).unwrap();
    let [first, second] = &pipeline.ledgers()[..] else { panic!("two destinations") };
    assert_eq!((first.ledger.delivered, first.ledger.rejected, first.ledger.dropped()), (70, 30, 0));
    assert_eq!((second.ledger.delivered, second.ledger.rejected, second.ledger.dropped()), (70, 5, 25));
    assert_eq!((first.attempts, second.attempts), (10, 4));
    let whole = pipeline.ledger();
    assert_eq!((whole.started, whole.delivered, whole.rejected), (100, 65, 10), "{whole:?}");
    assert_eq!((whole.dropped(), whole.dropped_exporting.too_large, whole.pending), (25, 25, 0), "{whole:?}");
}

#[test]
fn ledgers_are_exact_while_threads_record_and_a_collector_is_dead() {
    const THREADS: usize = 4;
    const SPANS: usize = 30_000;
    let backoff = Backoff { initial: Duration::from_millis(100), ..Backoff::default() };
    let away = WorkerSettings { export_timeout: Some(Duration::from_millis(20)), backoff, ..quiet() };
    let (dead, _) =
        destination("dead", away, |_| ExportOutcome::Retryable { after: None, reason: "refused".to_owned() });
    let mut requests = 0_u64;
    let (flaky, _) = destination("flaky", quiet(), move |_| {
        requests += 1;
        if requests.is_multiple_of(10) {
            ExportOutcome::Rejected { reason: String::new() }
        } else {
            ExportOutcome::Delivered
        }
    });
    let (healthy, seen) = destination("healthy", quiet(), |_| ExportOutcome::Delivered);
    let (pipeline, tracer) = start([dead, flaky, healthy]);
    std::thread::scope(|scope| {
        let recording: Vec<_> = (0..THREADS).map(|_| scope.spawn(move || record(tracer, SPANS))).collect();
        while recording.iter().any(|thread| !thread.is_finished()) {
            assert_all_sound(pipeline);
        }
    });
    // On a machine that is busy otherwise, the threads may end a moment after the limit, which the second call waits for.
    let _ = pipeline.shutdown(Duration::from_secs(1));
    pipeline.shutdown(PATIENCE).unwrap();
    assert_all_sound(pipeline);
    let ledgers = pipeline.ledgers();
    let started = (THREADS * SPANS) as u64;
    for each in &ledgers {
        assert_eq!((each.ledger.started, each.ledger.pending), (started, 0), "{each:?}");
    }
    assert_eq!(ledgers[0].ledger.delivered, 0);
    assert_eq!(ledgers[2].ledger.delivered, seen.load(Ordering::Relaxed));
    let whole = pipeline.ledger();
    assert_eq!((whole.started, whole.delivered, whole.dropped(), whole.pending), (started, 0, started, 0), "{whole:?}");
}

#[test]
fn without_a_destination_spans_are_counted_as_not_exported() {
    let (pipeline, tracer) = start([]);
    record(tracer, 7);
    pipeline.flush(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.started, ledger.not_exported, ledger.pending), (7, 7, 0));
    pipeline.shutdown(PATIENCE).unwrap();
    assert_sound(&pipeline.ledger());
}

#[test]
fn the_sampler_changes_on_every_thread_while_spans_are_recorded() {
    let (healthy, seen) = destination("", quiet(), |_| ExportOutcome::Delivered);
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOff)).options(PipelineOptions::default());
    let pipeline = pipeline.destination(healthy).start().unwrap();
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let (answer, answered) = std::sync::mpsc::channel::<bool>();
    let elsewhere = std::thread::spawn(move || {
        for () in asked {
            answer.send(tracer.span("elsewhere").start().is_recording()).unwrap();
        }
    });
    let both = || {
        ask.send(()).unwrap();
        (tracer.span("here").start().is_recording(), answered.recv().unwrap())
    };
    assert_eq!(both(), (false, false));
    pipeline.set_sampler(Box::new(AlwaysOn));
    assert_eq!(both(), (true, true));
    pipeline.set_sampler(Box::new(AlwaysOff));
    pipeline.set_sampler(Box::new(AlwaysOff));
    assert_eq!(both(), (false, false));
    pipeline.set_sampler(Box::new(AlwaysOn));
    assert_eq!(both(), (true, true));
    drop(ask);
    elsewhere.join().unwrap();
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 4);
}
