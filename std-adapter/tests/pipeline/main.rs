//! The pipeline from many threads: the ledger is exact to the span, and what threads leave behind stays bounded.

mod nested;
mod polled;
mod processors;
mod several;
mod tail;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clewline::exporter::{ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::{Ledger, Pipeline, PipelineOptions, Sampler, Scope, Tracer};
use clewline_core::AlwaysOn;

const PATIENCE: Duration = Duration::from_secs(300);

/// Answers every request as `answer` says and counts the spans it saw.
pub struct Exporter<F> {
    seen: Arc<AtomicU64>,
    answer: F,
}

impl<F: FnMut(usize) -> ExportOutcome + Send> SpanExporter for Exporter<F> {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        self.seen.fetch_add(request.spans() as u64, Ordering::Relaxed);
        (self.answer)(request.spans())
    }
}

fn start(
    settings: WorkerSettings,
    options: PipelineOptions,
    answer: impl FnMut(usize) -> ExportOutcome + Send + 'static,
) -> (&'static Pipeline, Tracer, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    let exporter = Box::new(Exporter { seen: Arc::clone(&seen), answer });
    let sampler: Box<dyn Sampler + Send + Sync> = Box::new(AlwaysOn);
    let pipeline = Pipeline::start(&[], sampler, Vec::new(), options, settings, exporter).expect("a thread");
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    (pipeline, tracer, seen)
}

fn quiet() -> WorkerSettings {
    WorkerSettings { report: Box::new(|_| {}), ..WorkerSettings::default() }
}

/// What must hold at any time: nothing is counted twice, and no count is taken back.
fn assert_sound(ledger: &Ledger) {
    let sum = ledger.delivered + ledger.rejected + ledger.dropped() + ledger.not_exported + ledger.pending;
    assert_eq!(ledger.started, sum, "{ledger:?}");
}

/// Threads come and go, spans end on other threads than they began on, flushes come all the time.
#[test]
fn every_span_is_accounted_for() {
    const THREADS: u64 = 8;
    const SPANS: u64 = 20_000;
    for round in 0..3 {
        let mut attempt = 0_u64;
        let (pipeline, tracer, seen) = start(quiet(), PipelineOptions::default(), move |spans| {
            attempt += 1;
            match (round, attempt % 5) {
                (0, _) => ExportOutcome::Delivered,
                (1, 0) => ExportOutcome::Rejected { reason: "scripted".to_owned() },
                (1, 1) => ExportOutcome::PartiallyRejected { rejected: spans as u64 / 2, message: String::new() },
                (1, _) => ExportOutcome::Delivered,
                _ => ExportOutcome::Rejected { reason: "scripted".to_owned() },
            }
        });
        let running = AtomicBool::new(true);
        let mut expected = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                while running.load(Ordering::Relaxed) {
                    assert_sound(&pipeline.ledger());
                    let _ = pipeline.flush(Duration::from_millis(50));
                }
            });
            let workers: Vec<_> = (0..THREADS)
                .map(|number| {
                    scope.spawn(move || {
                        let mut started = 0;
                        let (sender, receiver) = std::sync::mpsc::channel::<clewline::Span>();
                        // Every other thread ends its spans elsewhere, on a thread that ends soon.
                        let elsewhere = thread::spawn(move || receiver.into_iter().map(drop).count());
                        for index in 0..SPANS {
                            let mut span = tracer.span("work").start();
                            span.set("index", i64::try_from(index).unwrap());
                            started += 1;
                            if number % 2 == 0 && index % 64 == 0 {
                                sender.send(span).unwrap();
                            }
                        }
                        drop(sender);
                        elsewhere.join().unwrap();
                        started
                    })
                })
                .collect();
            for _ in 0..300 {
                scope.spawn(|| drop(tracer.span("short").start())).join().unwrap();
                expected += 1;
            }
            expected += workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u64>();
            running.store(false, Ordering::Relaxed);
        });
        pipeline.flush(PATIENCE).unwrap();
        let ledger = pipeline.ledger();
        assert_sound(&ledger);
        assert_eq!((ledger.started, ledger.pending), (expected, 0), "{ledger:?}");
        assert_eq!(ledger.delivered + ledger.rejected, seen.load(Ordering::Relaxed), "{ledger:?}");
        pipeline.shutdown(PATIENCE).unwrap();
        assert_eq!(pipeline.ledger(), ledger);
    }
}

/// Holds the exporter thread up until told to let it go.
#[derive(Default)]
struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, is_open)| !*is_open).unwrap());
    }

    fn wait_for_arrival(&self) {
        drop(self.changed.wait_while(self.state.lock().unwrap(), |(has_arrived, _)| !*has_arrived).unwrap());
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// While the queue is full the threads' own buffers are left alone; a flush must come back for them.
#[test]
fn a_flush_reaches_spans_that_ended_while_the_queue_was_full() {
    let gate = Arc::new(Gate::default());
    let at_gate = Arc::clone(&gate);
    let settings = WorkerSettings { schedule_delay: PATIENCE, max_queue_spans: 4, max_batch_spans: 4, ..quiet() };
    let mut options = PipelineOptions::default();
    options.thread_bytes = 1024;
    options.burst_bytes = 0;
    let mut is_first = true;
    let (pipeline, tracer, seen) = start(settings, options, move |_| {
        if std::mem::take(&mut is_first) {
            return ExportOutcome::Retryable { after: Some(Duration::from_millis(500)), reason: "scripted".to_owned() };
        }
        at_gate.pass();
        ExportOutcome::Delivered
    });
    thread::scope(|scope| {
        (0..4).for_each(|_| drop(tracer.span("sent twice").start()));
        let first = scope.spawn(|| pipeline.flush(PATIENCE));
        while seen.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        // More than half of the thread's buffer: fetched into the queue during the pause, which fills it.
        (0..8).for_each(|_| drop(tracer.span("fetched").start()));
        gate.wait_for_arrival();
        drop(tracer.span("left in the buffer").start());
        let second = scope.spawn(|| pipeline.flush(PATIENCE));
        thread::sleep(Duration::from_millis(50));
        gate.open();
        first.join().unwrap().unwrap();
        second.join().unwrap().unwrap();
        let ledger = pipeline.ledger();
        assert_eq!((ledger.started, ledger.pending), (13, 0), "{ledger:?}");
    });
}

#[test]
fn spans_that_end_after_the_shutdown_are_dropped_and_counted() {
    let (pipeline, tracer, _) = start(quiet(), PipelineOptions::default(), |_| ExportOutcome::Delivered);
    let open = tracer.span("open").start();
    drop(tracer.span("ended").start());
    pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!((pipeline.ledger().delivered, pipeline.ledger().pending), (1, 1));
    drop(open);
    let ledger = pipeline.ledger();
    assert_eq!((ledger.started, ledger.pending, ledger.dropped_exporting.shutdown), (2, 0, 1), "{ledger:?}");
    assert!(!tracer.span("late").start().is_recording());
}

/// No time at all, more than any clock holds, and both at once from several threads.
#[test]
fn a_shutdown_with_an_odd_limit_counts_every_span() {
    for limits in [&[Duration::ZERO][..], &[Duration::MAX], &[Duration::ZERO, Duration::MAX, Duration::from_secs(1)]] {
        let (pipeline, tracer, seen) = start(quiet(), PipelineOptions::default(), |_| ExportOutcome::Delivered);
        (0..1000).for_each(|_| drop(tracer.span("work").start()));
        thread::scope(|scope| {
            for limit in limits {
                scope.spawn(|| pipeline.shutdown(*limit));
            }
        });
        pipeline.shutdown(PATIENCE).unwrap();
        let ledger = pipeline.ledger();
        assert_sound(&ledger);
        assert_eq!((ledger.started, ledger.pending), (1000, 0), "{limits:?}: {ledger:?}");
        assert_eq!(ledger.delivered, seen.load(Ordering::Relaxed), "{limits:?}: {ledger:?}");
        assert!(limits != [Duration::MAX] || ledger.delivered == 1000, "{ledger:?}");
    }
}

/// A server with a thread for every request, and a collector that does not answer.
#[test]
fn threads_that_ended_do_not_pile_up_while_the_collector_hangs() {
    const THREADS: u64 = 1_000;
    let gate = Arc::new(Gate::default());
    let at_gate = Arc::clone(&gate);
    let settings =
        WorkerSettings { schedule_delay: Duration::from_millis(1), max_queue_spans: 64, max_batch_spans: 8, ..quiet() };
    let (pipeline, tracer, _) = start(settings, PipelineOptions::default(), move |_| {
        at_gate.pass();
        ExportOutcome::Delivered
    });
    drop(tracer.span("first").start());
    gate.wait_for_arrival();
    for _ in 0..THREADS {
        thread::spawn(move || drop(tracer.span("request").start())).join().unwrap();
    }
    let held_up = pipeline.ledger();
    gate.open();
    pipeline.shutdown(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.started, ledger.pending), (THREADS + 1, 0), "{ledger:?}");
    // What the queue holds, and the few buffers of ended threads that wait to be taken.
    assert!(held_up.pending < 300, "{held_up:?}");
}
