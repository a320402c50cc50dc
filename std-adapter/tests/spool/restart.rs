//! Spans that one process keeps on disk and the next one delivers.

use std::time::{Duration, Instant};

use clewline::exporter::{StartError, WorkerSettings};
use clewline::spool::SpoolError;

use super::support::{
    Collector, Directory, Mood, PATIENCE, assert_sound, record, settings, start, start_with, wait_for,
};

#[test]
fn what_a_shutdown_leaves_on_disk_leaves_first_after_the_next_start() {
    let directory = Directory::new("restart");
    let away = Collector::new(Mood::Away);
    let (pipeline, tracer) = start(directory.options(), &away);
    let mut expected = record(tracer, "old", 1000);
    pipeline.shutdown(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    assert_sound(&ledger);
    assert_eq!((ledger.started, ledger.spooled, ledger.pending, ledger.dropped()), (1000, 1000, 1000, 0), "{ledger:?}");

    let there = Collector::new(Mood::There);
    let (pipeline, tracer) = start(directory.options(), &there);
    expected.extend(record(tracer, "new", 100));
    let ledger = wait_for(pipeline, |ledger| ledger.started == 100 && ledger.pending == 0);
    assert_eq!((ledger.delivered, ledger.spooled), (100, 0), "what was found is not in the ledger: {ledger:?}");
    let inherited = pipeline.ledgers()[0].inherited;
    assert_eq!((inherited.found, inherited.delivered, inherited.waiting), (1000, 1000, 0), "{inherited:?}");
    assert_eq!(there.taken(), expected);
}

#[test]
fn a_shutdown_keeps_what_a_hanging_collector_does_not_take_within_its_limit() {
    let directory = Directory::new("shutdown");
    let hanging = Collector::new(Mood::Hangs);
    // The attempt itself would take for ever.
    let settings = WorkerSettings { export_timeout: None, ..settings().0 };
    let (pipeline, tracer) = start_with(directory.options(), &hanging, settings).unwrap();
    let open = tracer.span("ends too late").start();
    let expected = record(tracer, "work", 1000);
    // On a machine that is busy otherwise, the thread may end a moment after the limit, which the second call waits for.
    let _ = pipeline.shutdown(Duration::from_secs(2));
    pipeline.shutdown(PATIENCE).unwrap();
    drop(open);
    let ledger = pipeline.ledger();
    assert_sound(&ledger);
    assert_eq!((ledger.spooled, ledger.pending), (1000, 1000), "{ledger:?}");
    assert_eq!((ledger.dropped_exporting.shutdown, ledger.dropped()), (1, 1), "{ledger:?}");

    let there = Collector::new(Mood::There);
    let (pipeline, _) = start(directory.options(), &there);
    let started = Instant::now();
    while pipeline.ledgers()[0].inherited.waiting > 0 {
        assert!(started.elapsed() < PATIENCE, "{:?}", pipeline.ledgers());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(there.taken(), expected);
}

#[test]
fn a_second_pipeline_in_the_same_directory_is_refused_and_the_first_goes_on() {
    let directory = Directory::new("second");
    let collector = Collector::new(Mood::Away);
    let (pipeline, tracer) = start(directory.options(), &collector);
    let second = start_with(directory.options(), &collector, settings().0);
    let Err(StartError::Spool(error)) = second else { panic!("it must be refused") };
    assert_eq!(error, SpoolError::InUse { path: directory.file() });
    assert!(error.to_string().contains("in use by another process"), "{error}");
    record(tracer, "work", 10);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger().spooled, 10);
    pipeline.shutdown(PATIENCE).unwrap();
    start_with(directory.options(), &collector, settings().0).expect("it is free again");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = Directory::new("file");
    std::fs::write(directory.file().parent().unwrap(), "a file").unwrap();
    let result = start_with(directory.options(), &Collector::new(Mood::There), settings().0);
    let Err(StartError::Spool(SpoolError::Unusable { path, .. })) = result else { panic!("{:?}", result.map(|_| ())) };
    assert_eq!(path, directory.file());
    std::fs::remove_file(directory.file().parent().unwrap()).unwrap();
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new("private");
    let (pipeline, _) = start(directory.options(), &Collector::new(Mood::There));
    pipeline.shutdown(PATIENCE).unwrap();
    let mode = std::fs::metadata(directory.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}
