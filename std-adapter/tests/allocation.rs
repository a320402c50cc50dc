//! The native door in the steady state: no thread that records goes to the allocator, wherever its spans end.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use clewline::exporter::{Destination, ExportOutcome, Request, SpanExporter};
use clewline::{Pipeline, PipelineOptions, Sampler, Scope, Span, Tracer};
use clewline_core::{AlwaysOff, AlwaysOn};

mod counting;

/// Delivers while nobody holds the lock.
#[derive(Clone, Default)]
struct Discard(Arc<Mutex<()>>);

impl SpanExporter for Discard {
    fn export(&mut self, _: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let _is_free = self.0.lock().unwrap();
        ExportOutcome::Delivered
    }
}

fn start(sampler: impl Sampler + Send + Sync + 'static) -> (&'static Pipeline, Tracer, Discard) {
    let mut options = PipelineOptions::default();
    // What outruns the exporter borrows memory, which may be new; here it is dropped.
    options.burst_bytes = 0;
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(sampler)).options(options);
    let exporter = Discard::default();
    let pipeline = pipeline.destination(Destination::new("", Box::new(exporter.clone()))).start().unwrap();
    (pipeline, pipeline.tracer(&Scope { name: "test", ..Scope::default() }), exporter)
}

/// Allocations of this thread in `rounds` of `work`, after as many to warm up. Meanwhile nothing leaves, so that threads take all
/// the memory that they may have.
fn allocations(pipeline: &Pipeline, exporter: &Discard, rounds: usize, mut work: impl FnMut()) -> u64 {
    let held_up = exporter.0.lock().unwrap();
    (0..rounds).for_each(|_| work());
    drop(held_up);
    pipeline.flush(Duration::from_secs(300)).unwrap();
    let before = counting::allocations();
    (0..rounds).for_each(|_| work());
    counting::allocations() - before
}

fn trace(tracer: Tracer) {
    let mut root = tracer.span("GET /cart").start();
    root.set("http.request.method", "GET").event("cache.miss");
    let mut child = tracer.span("SELECT cart").child_of(&root).start();
    child.set("db.system.name", "postgresql").set("db.rows", 7).set("db.cached", false);
    child.end();
    root.end();
}

#[test]
fn a_thread_that_starts_and_ends_spans() {
    let (pipeline, tracer, exporter) = start(AlwaysOn);
    assert_eq!(allocations(pipeline, &exporter, 10_000, || trace(tracer)), 0);
    let (pipeline, tracer, exporter) = start(AlwaysOff);
    assert_eq!(allocations(pipeline, &exporter, 1_000, || trace(tracer)), 0);
}

#[test]
fn a_thread_whose_spans_end_elsewhere() {
    const AT_ONCE: usize = 100;
    let (pipeline, tracer, exporter) = start(AlwaysOn);
    let (hand_over, handed_over) = mpsc::sync_channel::<Span>(AT_ONCE);
    let (done, is_done) = mpsc::sync_channel::<()>(1);
    let elsewhere = thread::spawn(move || {
        for (number, span) in handed_over.into_iter().enumerate() {
            drop(span);
            if (number + 1) % AT_ONCE == 0 {
                done.send(()).unwrap();
            }
        }
    });
    let count = allocations(pipeline, &exporter, 200, || {
        for _ in 0..AT_ONCE {
            hand_over.send(tracer.span("work").start()).unwrap();
        }
        is_done.recv().unwrap();
    });
    drop(hand_over);
    elsewhere.join().unwrap();
    // Where both threads want the depot at the same moment, one of them goes to the allocator instead of waiting; on a busy machine the
    // other may be held up right then, for as many spans as are under way.
    assert!(count < 50 * AT_ONCE as u64, "{count} allocations for {} spans", 200 * AT_ONCE);
    assert!(pipeline.shutdown(Duration::from_secs(300)).is_ok());
}
