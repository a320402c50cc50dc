//! The tail rule in a running pipeline: whole traces or none, from all threads, and a ledger that says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clewline::exporter::{Destination, ExportOutcome, Request, SpanExporter};
use clewline::pipeline::TailSampling;
use clewline::{Pipeline, Scope, Status, Tracer};
use clewline_core::{AlwaysOn, RequestView, TailRule};

use super::{PATIENCE, assert_sound, quiet};

#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl SpanExporter for Names {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let bytes = request.parts().concat();
        for resource in RequestView::parse(&bytes).unwrap().resource_spans() {
            for scope in resource.scope_spans() {
                let names = scope.spans().map(|span| span.unwrap().1.name().to_owned());
                self.0.lock().unwrap().extend(names);
            }
        }
        ExportOutcome::Delivered
    }
}

fn start(tail: TailSampling) -> (&'static Pipeline, Tracer, Names) {
    let names = Names::default();
    let destination = Destination::new("", Box::new(names.clone())).settings(quiet());
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).tail(tail).destination(destination);
    let pipeline = pipeline.start().unwrap();
    (pipeline, pipeline.tracer(&Scope { name: "test", ..Scope::default() }), names)
}

const FAILED: TailRule = TailRule { longer_than_nanos: u64::MAX, failed: true };

#[test]
fn only_traces_with_a_failure_leave_and_they_leave_whole() {
    const THREADS: usize = 4;
    const TRACES: usize = 2000;
    let (pipeline, tracer, names) = start(TailSampling::new(FAILED));
    let expected = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let (sender, receiver) = std::sync::mpsc::channel::<clewline::Span>();
                let elsewhere = std::thread::spawn(move || receiver.into_iter().for_each(drop));
                for number in 0..TRACES {
                    let fails = number % 10 == 0;
                    let mut root = tracer.span(if fails { "failed" } else { "fine" }).start();
                    for child in 0..3 {
                        let mut child_span = tracer.span(if fails { "failed" } else { "fine" }).child_of(&root).start();
                        if fails && child == 1 {
                            child_span.set_status(Status::error("no"));
                        }
                        if child == 2 && number % 4 == 0 {
                            // Ends on another thread, before or after its root.
                            sender.send(child_span).unwrap();
                        }
                    }
                    expected.fetch_add(if fails { 4 } else { 0 }, Ordering::Relaxed);
                    root.end();
                }
                drop(sender);
                elsewhere.join().unwrap();
            });
        }
        for _ in 0..50 {
            assert_sound(&pipeline.ledger());
            let _ = pipeline.flush(Duration::from_millis(10));
        }
    });
    pipeline.flush(PATIENCE).unwrap();
    pipeline.shutdown(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_sound(&ledger);
    let expected = expected.into_inner();
    assert_eq!((ledger.started, ledger.pending), ((THREADS * TRACES * 4) as u64, 0), "{ledger:?}");
    assert_eq!((ledger.delivered, ledger.dropped()), (expected, ledger.started - expected), "{ledger:?}");
    assert_eq!(ledger.dropped_by_tail_rule + ledger.dropped_undecided, ledger.dropped(), "{ledger:?}");
    let names = names.0.lock().unwrap();
    assert!(names.len() as u64 == expected && names.iter().all(|name| name == "failed"), "{}", names.len());
}

#[test]
fn a_flush_decides_what_has_ended_and_does_not_wait_for_the_rest() {
    let (pipeline, tracer, names) = start(TailSampling::new(FAILED));
    let open = tracer.span("open").start();
    tracer.span("waits").child_of(&open).start().end();
    tracer.span("fine").start().end();
    pipeline.flush(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.dropped_by_tail_rule, ledger.pending, ledger.delivered), (1, 2, 0), "{ledger:?}");
    pipeline.shutdown(PATIENCE).unwrap();
    drop(open);
    let ledger = pipeline.ledger();
    assert_eq!((ledger.dropped_by_tail_rule, ledger.dropped_undecided, ledger.pending), (2, 1, 0), "{ledger:?}");
    assert!(names.0.lock().unwrap().is_empty());
}

#[test]
fn slow_traces_are_kept() {
    let rule = TailRule { longer_than_nanos: 20_000_000, failed: false };
    let (pipeline, tracer, names) = start(TailSampling::new(rule));
    const START: u64 = 1_700_000_000_000_000_000;
    let mut root = tracer.span("slow").start_time(START).start();
    tracer.span("quick").child_of(&root).start_time(START).start().end_at(START + 1);
    root.end_at(START + 20_000_001);
    tracer.span("fine").start_time(START).start().end_at(START + 20_000_000);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(*names.0.lock().unwrap(), ["quick", "slow"]);
    let ledger = pipeline.ledger();
    assert_eq!((ledger.delivered, ledger.dropped_by_tail_rule, ledger.pending), (2, 1, 0));
}

/// The threads are looked at one after the other, so that a root may be seen before a child that ended earlier.
#[test]
fn a_failure_on_another_thread_counts_if_it_ended_before_the_root() {
    const TRACES: u64 = 2_000;
    let (pipeline, tracer, names) = start(TailSampling::new(FAILED));
    let (hand_over, handed_over) = std::sync::mpsc::sync_channel::<clewline::Span>(1);
    let (done, is_done) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for mut child in handed_over {
                child.set_status(Status::error("no")).end();
                done.send(()).unwrap();
            }
        });
        let recording = scope.spawn(move || {
            for _ in 0..TRACES {
                let root = tracer.span("root").start();
                hand_over.send(tracer.span("child").child_of(&root).start()).unwrap();
                is_done.recv().unwrap();
                drop(root);
            }
        });
        while !recording.is_finished() {
            let _ = pipeline.flush(Duration::from_millis(10));
        }
    });
    pipeline.flush(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.delivered, ledger.dropped(), ledger.pending), (2 * TRACES, 0, 0), "{ledger:?}");
    assert_eq!(names.0.lock().unwrap().len() as u64, 2 * TRACES);
}
