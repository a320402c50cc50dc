//! The whole road, from submitted chunks through the exporter thread and HTTP to a collector with faults.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use clewline::config::TracingConfig;
use clewline::exporter::{Destination, OtlpHttpExporter, ScopeIndex, Worker, WorkerSettings};

use crate::collector::{Collector, Step, answer, unreachable_url};
use crate::payload::{self, chunk, names, span_names};

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

#[test]
fn each_answer_is_repeated_or_not_and_waits_as_long_as_was_asked() {
    // (first answer, number of requests, least seconds between the first two)
    type Case = (fn() -> Step, usize, f64);
    let cases: [Case; 7] = [
        (|| answer(200, "", b""), 1, 0.0),
        (|| answer(429, "Retry-After: 1\r\n", b""), 2, 1.0),
        (
            || {
                // Whole seconds: two from now are more than one away.
                let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
                answer(503, &format!("Retry-After: {date}\r\n"), b"")
            },
            2,
            1.0,
        ),
        (|| answer(503, "", b""), 2, 0.5),
        (|| Step::Close, 2, 0.5),
        (|| answer(500, "", b""), 1, 0.0),
        (|| answer(400, "", b""), 1, 0.0),
    ];
    for (index, (first, requests, least)) in cases.into_iter().enumerate() {
        let collector = Collector::start(move |request| if request == 0 { first() } else { answer(200, "", b"") });
        let (worker, scope, _) = start(&collector.url("/v1/traces"), |_| {});
        worker.submit(chunk(scope, &names("a", 5)));
        worker.flush(Duration::from_secs(9)).expect("a flush in time");
        let received = collector.received();
        assert_eq!(received.len(), requests, "case {index}");
        let stats = worker.stats();
        let is_final = requests == 1 && index > 0;
        assert_eq!((stats.delivered, stats.rejected), if is_final { (0, 5) } else { (5, 0) }, "case {index}");
        if let [first, second] = &received[..] {
            let waited = (second.at - first.at).as_secs_f64();
            assert!(waited >= least, "case {index} waited {waited} s");
            assert_eq!(first.body, second.body);
        }
        assert_eq!(span_names(&received[requests - 1].body), names("a", 5));
    }
}

#[test]
fn shutdown_ends_in_time_while_the_collector_hangs() {
    let collector = Collector::start(|_| Step::Stall(Vec::new()));
    let (worker, scope, lines) = start(&collector.url("/v1/traces"), |_| {});
    worker.submit(chunk(scope, &names("a", 600)));
    while collector.received().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let limit = Duration::from_secs(1);
    let started = Instant::now();
    worker.shutdown(limit).expect("the attempt is cut short");
    assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
    let stats = worker.stats();
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
    while started.elapsed() < Duration::from_secs(2) {
        worker.submit(chunk(scope, &names("a", 100)));
        submitted += 100;
        let pending = worker.stats().pending;
        assert!(pending <= 2048 + 512, "{pending} spans wait: the queue and one batch at most");
        std::thread::sleep(Duration::from_millis(1));
    }
    let stats = worker.stats();
    assert!(stats.dropped.queue_full > 0 && stats.dropped.undeliverable > 0, "{stats:?}");
    assert_eq!(lines.lock().expect("no panic").len(), 1, "{lines:?}");

    let limit = Duration::from_millis(800);
    let started = Instant::now();
    worker.shutdown(limit).expect("an end in time");
    assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
    let stats = worker.stats();
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
    for _ in 0..4 {
        worker.submit(chunk(scope, &names("a", 10)));
        worker.flush(Duration::from_secs(5)).expect("a flush in time");
        std::thread::sleep(Duration::from_millis(60));
    }
    worker.shutdown(Duration::from_secs(5)).expect("an end in time");
    assert_eq!((worker.stats().delivered, worker.stats().rejected), (30, 10));
    let lines = lines.lock().expect("no panic");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("10 so far (refused by the collector 10)"), "{lines:?}");
    assert!(lines[0].ends_with("HTTP 500"), "{lines:?}");
    assert!(lines[1].starts_with("clewline: spans arrive again; 10 were lost within"), "{lines:?}");
}
