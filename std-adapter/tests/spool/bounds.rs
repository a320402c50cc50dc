//! The spool's file stays within its bound, and what does not fit is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use clewline::exporter::{Destination, ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::spool::{SpoolOptions, WhenFull};
use clewline::{Pipeline, Scope};
use clewline_core::AlwaysOn;

use super::support::{Collector, Directory, Mood, PATIENCE, record, settings, start, wait_for};

const BOUND: u64 = 2 << 20;
/// Spans of a request, where nothing else is said.
const LARGEST_REQUEST: usize = 512;

/// Records much more than fits, and answers the spans that were left, and all.
fn overfill(when_full: WhenFull) -> (Vec<String>, Vec<String>) {
    let directory = Directory::new("bounds");
    let collector = Collector::new(Mood::Away);
    let options = directory.options().max_bytes(BOUND).when_full(when_full);
    let (pipeline, tracer) = start(options, &collector);
    let mut all = Vec::new();
    for round in 0..60 {
        all.extend(record(tracer, &format!("a-name-that-takes-its-room-{round}"), 500));
        pipeline.flush(PATIENCE).unwrap();
        let size = std::fs::metadata(directory.file()).unwrap().len();
        assert!(size <= BOUND, "{size} bytes after {round} rounds");
    }
    let ledger = pipeline.ledger();
    assert_eq!(ledger.dropped_exporting.spool_full + ledger.spooled, 30_000, "{ledger:?}");
    assert!(ledger.spooled > 3_000 && ledger.dropped() > 10_000, "{ledger:?}");
    collector.is(Mood::There);
    let after = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((after.delivered, after.dropped()), (ledger.spooled, ledger.dropped()), "{after:?}");
    let taken = collector.taken();
    assert_eq!(taken.len() as u64, ledger.spooled);
    (taken, all)
}

#[test]
fn the_oldest_go_when_it_is_full() {
    let (taken, all) = overfill(WhenFull::DropOldest);
    let newest = taken.iter().rev().zip(all.iter().rev()).take_while(|(taken, recorded)| taken == recorded).count();
    // A request stays while it is being tried, whatever its age, so that one from before the others may be left too.
    let tried = &taken[..taken.len() - newest];
    assert!(newest > 3000 && tried.len() <= LARGEST_REQUEST, "{newest} newest, and {}", tried.len());
    let is_one = |tried: &[String]| all.windows(tried.len()).any(|recorded| recorded == tried);
    assert!(tried.is_empty() || is_one(tried), "{} and {} do not follow", tried[0], tried[tried.len() - 1]);
}

#[test]
fn or_the_newest() {
    let (taken, all) = overfill(WhenFull::DropNewest);
    // Smaller batches may still find room where larger ones did not.
    assert!(taken[..3000] == all[..3000], "the first ones are {:?} to {:?}", taken[0], taken[2999]);
}

#[test]
fn a_bound_too_small_to_work_with_counts_as_the_least() {
    let directory = Directory::new("least");
    let collector = Collector::new(Mood::Away);
    let (pipeline, tracer) = start(directory.options().max_bytes(1), &collector);
    record(tracer, "work", 1000);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!((pipeline.ledger().spooled, pipeline.ledger().dropped()), (1000, 0));
    let size = std::fs::metadata(directory.file()).unwrap().len();
    assert!(size <= SpoolOptions::LEAST_MAX_BYTES, "{size}");
}

#[test]
fn requests_of_every_size_stay_within_the_bound() {
    // The bound, the greatest value, and the most spans in a request.
    for (bound, value, spans) in [(3 << 20, 2_000, 300), (5 << 20, 20_000, 30), (16 << 20, 60_000, 40)] {
        let directory = Directory::new("sizes");
        let collector = Collector::new(Mood::Away);
        let (pipeline, tracer) = start(directory.options().max_bytes(bound), &collector);
        let value = "x".repeat(value);
        for round in 0..100_usize {
            for _ in 0..1 + round * 31 % spans {
                let length = 1 + round * 7919 % value.len();
                tracer.span("large").start().set("value", &value[..length]);
            }
            pipeline.flush(PATIENCE).unwrap();
            let size = std::fs::metadata(directory.file()).unwrap().len();
            assert!(size <= bound, "{size} bytes after {round} rounds within a bound of {bound}");
        }
        let dropped = pipeline.ledger().dropped_exporting;
        assert!(dropped.spool_full > 0, "the bound was reached: {:?}", pipeline.ledger());
        assert_eq!(dropped.spool_failed, 0);
    }
}

/// Takes everything, the first request once it is let go on.
struct Slow {
    go_on: Receiver<()>,
    taken: Arc<AtomicU64>,
}

impl SpanExporter for Slow {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        if self.taken.load(Ordering::Relaxed) == 0 {
            // An error means that the test has ended.
            let _ = self.go_on.recv();
        }
        self.taken.fetch_add(request.spans() as u64, Ordering::Relaxed);
        ExportOutcome::Delivered
    }
}

/// A pipeline whose first request stays under way until the channel says otherwise, and how many spans were taken.
fn held_up(directory: &Directory) -> (&'static Pipeline, Sender<()>, Arc<AtomicU64>) {
    let (let_go, go_on) = channel();
    let taken = Arc::new(AtomicU64::new(0));
    let exporter = Slow { go_on, taken: Arc::clone(&taken) };
    let settings = WorkerSettings { export_timeout: None, ..settings().0 };
    let destination = Destination::new("test", Box::new(exporter)).settings(settings);
    let destination = destination.spool(directory.options().max_bytes(BOUND));
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination).start().unwrap();
    (pipeline, let_go, taken)
}

fn record_large(pipeline: &'static Pipeline, spans: usize) {
    let tracer = pipeline.tracer(&Scope::default());
    for _ in 0..spans {
        tracer.span("large").start().set("value", &*"x".repeat(60_000));
    }
    pipeline.flush(PATIENCE).unwrap();
}

#[test]
fn what_is_being_tried_is_not_dropped_for_others_and_counts_as_delivered() {
    let directory = Directory::new("tried");
    let (pipeline, let_go, taken) = held_up(&directory);
    let tracer = pipeline.tracer(&Scope::default());
    record(tracer, "tried", 10);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger().spooled, 10, "the attempt goes on");
    for round in 0..40 {
        record(tracer, &format!("a-name-that-takes-its-room-{round}"), 500);
        pipeline.flush(PATIENCE).unwrap();
    }
    let full = pipeline.ledger();
    assert!(full.dropped_exporting.spool_full > 1000 && full.delivered == 0, "{full:?}");
    let_go.send(()).unwrap();
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.dropped()), (taken.load(Ordering::Relaxed), full.dropped()), "{ledger:?}");
}

#[test]
fn what_is_being_tried_and_has_no_room_on_disk_may_still_be_delivered() {
    let directory = Directory::new("tried-large");
    let (pipeline, let_go, taken) = held_up(&directory);
    record_large(pipeline, 10);
    let ledger = pipeline.ledger();
    assert_eq!((ledger.pending, ledger.spooled, ledger.dropped()), (10, 0, 0), "{ledger:?}");
    let_go.send(()).unwrap();
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.dropped(), taken.load(Ordering::Relaxed)), (10, 0, 10), "{ledger:?}");
}

#[test]
fn nothing_is_dropped_for_what_finds_no_room_all_the_same() {
    let directory = Directory::new("in-vain");
    let (pipeline, let_go, _) = held_up(&directory);
    // So large that the next one cannot lie beside it, which is on its way and stays.
    record_large(pipeline, 4);
    record(pipeline.tracer(&Scope::default()), "small", 100);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger().spooled, 104, "{:?}", pipeline.ledger());
    record_large(pipeline, 4);
    let ledger = pipeline.ledger();
    assert_eq!((ledger.spooled, ledger.dropped_exporting.spool_full), (104, 4), "{ledger:?}");
    let_go.send(()).unwrap();
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.dropped()), (104, 4), "{ledger:?}");
}
