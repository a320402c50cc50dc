//! A collector that goes away and comes back while the process lives.

use std::sync::Arc;

use clewline::Pipeline;
use clewline::exporter::{Destination, WorkerSettings};
use clewline_core::AlwaysOn;

use super::support::{
    Collector, Directory, Mood, PATIENCE, assert_sound, record, settings, start, start_with, wait_for,
};

#[test]
fn what_ends_during_an_outage_is_acknowledged_from_disk_and_delivered_in_order_afterwards() {
    let directory = Directory::new("outage");
    let collector = Collector::new(Mood::There);
    let (pipeline, tracer) = start(directory.options(), &collector);
    let mut expected = record(tracer, "before", 100);
    // An attempt that takes long, as it does on a busy machine, is on disk meanwhile, which ends a flush too.
    wait_for(pipeline, |ledger| (ledger.delivered, ledger.spooled) == (100, 0));

    collector.is(Mood::Away);
    for round in 0..20 {
        expected.extend(record(tracer, &format!("away-{round}"), 1000));
        pipeline.flush(PATIENCE).unwrap();
        let ledger = pipeline.ledger();
        assert_sound(&ledger);
        let spooled = (round + 1) * 1000;
        assert_eq!((ledger.delivered, ledger.spooled, ledger.pending), (100, spooled, spooled), "{ledger:?}");
    }
    collector.is(Mood::There);
    expected.extend(record(tracer, "after", 1000));
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.spooled, ledger.dropped()), (21_100, 0, 0), "{ledger:?}");
    assert_eq!(collector.taken(), expected);

    // Back to the direct way, as soon as the disk is known to be empty: nothing touches it, and its file has been given back.
    wait_for(pipeline, |_| {
        record(tracer, "direct", 10);
        pipeline.flush(PATIENCE).unwrap();
        let ledger = pipeline.ledger();
        (ledger.delivered, ledger.spooled) == (ledger.started, 0)
    });
    wait_for(pipeline, |_| std::fs::metadata(directory.file()).unwrap().len() < 1 << 20);
}

#[test]
fn an_attempt_that_hangs_holds_up_neither_a_flush_nor_threads_that_record() {
    let directory = Directory::new("hanging");
    let collector = Collector::new(Mood::Hangs);
    // The attempt itself takes for ever.
    let settings = WorkerSettings { export_timeout: None, ..settings().0 };
    let (pipeline, tracer) = start_with(directory.options(), &collector, settings).unwrap();
    let mut expected = record(tracer, "first", 10);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!((pipeline.ledger().delivered, pipeline.ledger().spooled), (0, 10));
    for round in 0..10 {
        expected.extend(record(tracer, &format!("round-{round}"), 1000));
        pipeline.flush(PATIENCE).unwrap();
    }
    assert_eq!((pipeline.ledger().spooled, pipeline.ledger().dropped()), (10_010, 0), "{:?}", pipeline.ledger());
    collector.is(Mood::There);
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.spooled), (10_010, 0));
    assert_eq!(collector.taken(), expected);
}

#[test]
fn an_attempt_that_hangs_and_then_succeeds_is_delivered_once() {
    let directory = Directory::new("slow");
    let collector = Collector::new(Mood::Hangs);
    let (mut settings, _) = settings();
    settings.export_timeout = None;
    let (pipeline, tracer) = start_with(directory.options(), &collector, settings).unwrap();
    record(tracer, "slow", 10);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger().spooled, 10);
    // The attempt ends in an error that may pass; the disk has the batch already, and once.
    collector.is(Mood::Away);
    record(tracer, "behind", 10);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger().spooled, 20);
    collector.is(Mood::Refuses);
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.started, ledger.rejected, ledger.delivered, ledger.spooled), (20, 20, 0, 0), "{ledger:?}");
}

#[test]
fn a_collector_that_fails_now_and_then_gets_everything_once_and_in_order() {
    let directory = Directory::new("flaky");
    let collector = Collector::new(Mood::There);
    let (pipeline, tracer) = start(directory.options(), &collector);
    let mut expected = Vec::new();
    for round in 0..50 {
        collector.is(if round % 5 == 4 { Mood::Away } else { Mood::There });
        expected.extend(record(tracer, &format!("round-{round}"), 200));
        if round % 3 == 0 {
            pipeline.flush(PATIENCE).unwrap();
        }
    }
    collector.is(Mood::There);
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.dropped()), (10_000, 0), "{ledger:?}");
    assert_eq!(collector.taken(), expected);
}

#[test]
fn an_absence_that_lasts_is_one_line_when_it_begins_and_one_when_it_ends() {
    let directory = Directory::new("lines");
    let collector = Collector::new(Mood::Away);
    let (settings, lines) = settings();
    let (pipeline, tracer) = start_with(directory.options(), &collector, settings).unwrap();
    let told = || lines.lock().unwrap().len();
    wait_for(pipeline, |_| {
        record(tracer, "work", 10);
        told() > 0
    });
    collector.is(Mood::There);
    wait_for(pipeline, |ledger| ledger.pending == 0 && told() > 1);
    pipeline.shutdown(PATIENCE).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("clewline: test: the collector is away; spans are kept on disk: "), "{lines:?}");
    assert!(lines[0].ends_with("; last error: scripted"), "{lines:?}");
    assert!(lines[1].starts_with("clewline: test: the collector is back; what was kept on disk for "), "{lines:?}");
}

#[test]
fn several_destinations_share_spans_and_only_the_one_that_is_away_keeps_them_on_disk() {
    let directory = Directory::new("several");
    let (away, there) = (Collector::new(Mood::Away), Collector::new(Mood::There));
    let destination = |name: &str, collector: &Collector, settings: WorkerSettings| {
        Destination::new(name, Box::new(collector.clone())).settings(settings).spool(directory.options())
    };
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn));
    let pipeline = pipeline.destination(destination("away", &away, settings().0));
    let pipeline = pipeline.destination(destination("there", &there, settings().0)).start().unwrap();
    let tracer = pipeline.tracer(&clewline::Scope::default());
    let mut expected = Vec::new();
    for round in 0..3 {
        expected.extend(record(tracer, &format!("round-{round}"), 1000));
        pipeline.flush(PATIENCE).unwrap();
    }
    wait_for(pipeline, |_| {
        let each = pipeline.ledgers();
        let each: Vec<_> = each.iter().map(|each| (each.ledger.delivered, each.ledger.spooled)).collect();
        each == [(0, 3000), (3000, 0)]
    });
    let ledger = pipeline.ledger();
    assert_eq!((ledger.delivered, ledger.pending, ledger.spooled), (0, 3000, 3000), "{ledger:?}");
    away.is(Mood::There);
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.spooled), (3000, 0), "{ledger:?}");
    assert_eq!((away.taken(), there.taken()), (expected.clone(), expected));
    let files = [directory.options().path("away"), directory.options().path("there")];
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    drop(Arc::new(directory));
}
