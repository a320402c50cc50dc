//! The whole road, from submitted chunks through the exporter thread and HTTP to a collector with faults.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clewline::config::TracingConfig;
use clewline::exporter::{Destination, OtlpHttpExporter, ScopeIndex, Stats, Worker, WorkerSettings};

use crate::collector::{Collector, Step, answer, unreachable_url};
use crate::payload::{self, chunk, names};
use crate::{ENOUGH, shut_down};

/// What was written to stderr.
type Lines = Arc<Mutex<Vec<String>>>;

fn start(url: &str, change: impl FnOnce(&mut WorkerSettings)) -> (Worker, ScopeIndex, Lines) {
    let config = TracingConfig::default().with_traces_endpoint(url).expect("a valid URL");
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    let mut settings = WorkerSettings::new(&config);
    settings.report = Box::new(move |line| sink.lock().expect("no panic").push(line.to_owned()));
    change(&mut settings);
    let envelope = payload::envelope();
    let scope = payload::scope(&envelope, "shop");
    let exporter = OtlpHttpExporter::new(&config.otlp).expect("a valid URL");
    let worker = Worker::spawn(Destination::new("", Box::new(exporter)).settings(settings), envelope, Box::new(()))
        .expect("a thread");
    (worker, scope, lines)
}

/// Waits until so many lines were written.
fn wait_for_lines(lines: &Lines, count: usize) {
    let started = Instant::now();
    while lines.lock().expect("no panic").len() < count {
        assert!(started.elapsed() < ENOUGH, "{lines:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn shutdown_ends_in_time_while_the_collector_hangs() {
    let collector = Collector::start(|_| Step::Stall(Vec::new()));
    let (worker, scope, lines) = start(&collector.url("/v1/traces"), |settings| settings.export_timeout = None);
    worker.submit(chunk(scope, &names("a", 600)));
    while collector.received().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let limit = Duration::from_secs(1);
    let stats = shut_down(&worker, limit);
    assert_eq!((stats.received, stats.dropped.shutdown, stats.pending), (600, 600, 0), "{stats:?}");
    let lines = lines.lock().expect("no panic");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("600 so far (shut down 600); last error: http://127.0.0.1"), "{lines:?}");
}

#[test]
fn an_unreachable_collector_costs_bounded_memory_and_one_line() {
    let (worker, scope, lines) = start(&unreachable_url(), |settings| {
        settings.schedule_delay = Duration::from_millis(50);
        settings.export_timeout = Some(Duration::from_millis(300));
    });
    let started = Instant::now();
    let mut submitted = 0;
    let lose = |stats: Stats| stats.dropped.queue_full > 0 && stats.dropped.undeliverable > 0;
    while started.elapsed() < Duration::from_secs(2) || !lose(worker.stats()) {
        worker.submit(chunk(scope, &names("a", 100)));
        submitted += 100;
        let pending = worker.stats().pending;
        assert!(pending <= 2048 + 512, "{pending} spans wait: the queue and one batch at most");
        assert!(started.elapsed() < ENOUGH, "{:?}", worker.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
    // The thread counts first and tells then.
    wait_for_lines(&lines, 1);
    assert_eq!(lines.lock().expect("no panic").len(), 1, "{lines:?}");

    let limit = Duration::from_secs(1);
    let stats = shut_down(&worker, limit);
    assert_eq!((stats.received, stats.lost(), stats.pending), (submitted, submitted, 0), "{stats:?}");
    let lines = lines.lock().expect("no panic");
    assert!(lines[0].starts_with("clewline: spans are being lost: "), "{lines:?}");
    assert_eq!(lines[1..], [format!("clewline: {submitted} spans were lost in all ({stats})")]);
}

#[test]
fn a_loss_that_ends_is_reported_and_spans_arrive_again() {
    let collector = Collector::start(|request| answer(if request == 0 { 500 } else { 200 }, "", b""));
    let (worker, scope, lines) = start(&collector.url("/v1/traces"), |settings| {
        settings.loss_quiet_time = Duration::from_millis(100);
    });
    let export = || {
        worker.submit(chunk(scope, &names("a", 10)));
        worker.flush(ENOUGH).expect("a flush in time");
    };
    export();
    wait_for_lines(&lines, 1);
    // What is delivered before the quiet time is over does not end the loss; what is delivered later does.
    std::thread::sleep(Duration::from_millis(150));
    export();
    wait_for_lines(&lines, 2);
    worker.shutdown(ENOUGH).expect("an end in time");
    assert_eq!((worker.stats().delivered, worker.stats().rejected), (10, 10));
    let lines = lines.lock().expect("no panic");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("10 so far (refused by the collector 10)"), "{lines:?}");
    assert!(lines[0].ends_with("HTTP 500"), "{lines:?}");
    assert!(lines[1].starts_with("clewline: spans arrive again; 10 were lost within"), "{lines:?}");
}
