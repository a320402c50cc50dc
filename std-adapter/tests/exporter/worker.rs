//! The exporter thread with an exporter that answers from a script: when it sends, what it sends, and its ledger.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clewline::exporter::retry::Backoff;
use clewline::exporter::{
    Chunk, Destination, DropReason, ExportOutcome, Request, ScopeIndex, Source, SpanExporter, Stats, Worker,
    WorkerSettings,
};

use crate::payload::{self, RESOURCE_SCHEMA, chunk, names, span_names};
use crate::{ENOUGH, shut_down};

const LONG: Duration = Duration::from_secs(3600);

/// An attempt as the exporter saw it: when, and the names of the spans.
type Attempts = Arc<Mutex<Vec<(Instant, Vec<String>)>>>;

struct Scripted<F> {
    attempts: Attempts,
    script: F,
}

impl<F: FnMut(usize) -> ExportOutcome + Send> SpanExporter for Scripted<F> {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let names = span_names(&request.parts().concat());
        assert_eq!(names.len(), request.spans());
        let index = {
            let mut attempts = self.attempts.lock().expect("no panic");
            attempts.push((Instant::now(), names));
            attempts.len() - 1
        };
        (self.script)(index)
    }
}

fn quiet() -> WorkerSettings {
    WorkerSettings { schedule_delay: LONG, report: Box::new(|_| {}), ..WorkerSettings::default() }
}

fn retryable(after: Option<Duration>) -> ExportOutcome {
    ExportOutcome::Retryable { after, reason: "scripted".to_owned() }
}

struct Bench {
    worker: Worker,
    attempts: Attempts,
    scope: ScopeIndex,
}

impl Bench {
    fn new(settings: WorkerSettings, script: impl FnMut(usize) -> ExportOutcome + Send + 'static) -> Self {
        Self::with_source(settings, Box::new(()), script)
    }

    fn with_source(
        settings: WorkerSettings,
        source: Box<dyn Source>,
        script: impl FnMut(usize) -> ExportOutcome + Send + 'static,
    ) -> Self {
        let envelope = payload::envelope();
        let scope = payload::scope(&envelope, "shop");
        let attempts = Attempts::default();
        let exporter = Box::new(Scripted { attempts: Arc::clone(&attempts), script });
        let worker =
            Worker::spawn(Destination::new("", exporter).settings(settings), envelope, source).expect("a thread");
        Self { worker, attempts, scope }
    }

    fn submit(&self, prefix: &str, count: usize) {
        self.worker.submit(chunk(self.scope, &names(prefix, count)));
    }

    fn attempts(&self) -> Vec<Vec<String>> {
        self.attempts.lock().expect("no panic").iter().map(|(_, names)| names.clone()).collect()
    }

    fn wait_for_attempts(&self, count: usize) {
        let started = Instant::now();
        while self.attempts().len() < count {
            assert!(started.elapsed() < ENOUGH, "{:?}", self.attempts());
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn flush(&self) -> Stats {
        self.worker.flush(ENOUGH).expect("a flush in time");
        self.worker.stats()
    }
}

fn assert_exact(stats: &Stats) {
    let known = stats.delivered + stats.rejected + stats.dropped.total();
    assert_eq!(stats.received, known + stats.pending, "{stats:?}");
}

#[test]
fn a_full_batch_is_sent_at_once_and_less_waits() {
    let bench = Bench::new(WorkerSettings { max_batch_spans: 10, ..quiet() }, |_| ExportOutcome::Delivered);
    bench.submit("a", 9);
    thread::sleep(Duration::from_millis(100));
    assert!(bench.attempts().is_empty());
    bench.submit("b", 1);
    bench.wait_for_attempts(1);
    assert_eq!(bench.attempts(), [[names("a", 9), names("b", 1)].concat()]);
}

#[test]
fn what_waits_is_sent_after_the_schedule_delay() {
    let settings = WorkerSettings { schedule_delay: Duration::from_millis(100), ..quiet() };
    let bench = Bench::new(settings, |_| ExportOutcome::Delivered);
    bench.submit("a", 1);
    bench.wait_for_attempts(1);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(bench.attempts().len(), 1, "no request without spans");
}

#[test]
fn a_flush_sends_in_order_and_splits_what_is_too_much_for_one_request() {
    let bench = Bench::new(WorkerSettings { max_batch_spans: 10, ..quiet() }, |_| ExportOutcome::Delivered);
    bench.submit("a", 25);
    bench.submit("b", 3);
    let stats = bench.flush();
    assert!(bench.attempts().iter().all(|names| names.len() <= 10), "{:?}", bench.attempts());
    assert_eq!(bench.attempts().concat(), [names("a", 25), names("b", 3)].concat());
    assert_eq!((stats.received, stats.delivered, stats.pending), (28, 28, 0));
    bench.flush();
    assert_eq!(bench.attempts().concat().len(), 28, "a flush of nothing sends nothing");
}

#[test]
fn a_request_is_one_resource_with_its_scopes_and_their_spans() {
    let envelope = payload::envelope();
    let (shop, stock) = (payload::scope(&envelope, "shop"), payload::scope(&envelope, "stock"));
    assert_eq!(payload::scope(&envelope, "shop"), shop, "a scope is registered once");
    let chunks = [chunk(shop, &names("a", 2)), chunk(stock, &names("b", 300)), chunk(shop, &names("c", 1))];
    let mut framing = Vec::new();
    let request = payload::decode(&envelope.assemble(&chunks, &mut framing).concat());
    assert_eq!(request.resource_spans.len(), 1);
    let resource = &request.resource_spans[0];
    assert_eq!(resource.resource, Some(payload::resource()));
    assert_eq!(resource.schema_url, RESOURCE_SCHEMA);
    let scopes: Vec<_> = resource
        .scope_spans
        .iter()
        .map(|scope| {
            let names: Vec<_> = scope.spans.iter().map(|span| span.name.clone()).collect();
            (scope.scope.as_ref().map(|scope| scope.name.as_str()), names)
        })
        .collect();
    let expected = [(Some("shop"), [names("a", 2), names("c", 1)].concat()), (Some("stock"), names("b", 300))];
    assert_eq!(scopes, expected);
}

/// Buffers of application threads, as the exporter thread sees them.
#[derive(Default)]
struct Buffers {
    ready: Mutex<Vec<Chunk>>,
}

impl Source for Buffers {
    fn drain(&self, _: usize, sink: &mut dyn FnMut(Chunk)) {
        self.ready.lock().expect("no panic").drain(..).for_each(sink);
    }
}

/// A lent buffer that says when it is given back.
struct Lent(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_source_is_drained_on_wake_on_flush_and_at_the_end_and_gets_its_buffers_back() {
    let buffers = Arc::new(Buffers::default());
    let given_back = Arc::new(AtomicUsize::new(0));
    let settings = WorkerSettings { max_batch_spans: 5, max_queue_spans: 5, ..quiet() };
    let bench = Bench::with_source(settings, Box::new(Arc::clone(&buffers)), |_| ExportOutcome::Delivered);
    let fill = |prefix, count| {
        let bytes = chunk(bench.scope, &names(prefix, count)).bytes().to_vec();
        let range = 0..bytes.len();
        let chunk = Chunk::from_memory(Arc::new(Lent(bytes, Arc::clone(&given_back))), range, count, bench.scope);
        buffers.ready.lock().expect("no panic").push(chunk);
    };
    fill("a", 5);
    bench.worker.wake();
    bench.wait_for_attempts(1);

    // More than the queue may hold: what the thread fetches itself is not refused.
    (0..4).for_each(|_| fill("b", 4));
    assert_eq!(bench.flush().delivered, 21);
    assert_eq!(given_back.load(Ordering::Relaxed), 5);

    fill("c", 3);
    bench.worker.shutdown(ENOUGH).expect("an end in time");
    assert_eq!(bench.attempts().last(), Some(&names("c", 3)));
    assert_eq!((bench.worker.stats().delivered, bench.worker.stats().lost()), (24, 0));
}

#[test]
fn what_ends_during_the_last_export_is_counted() {
    let buffers = Arc::new(Buffers::default());
    let scope = payload::scope(&payload::envelope(), "shop");
    let late = Arc::clone(&buffers);
    let bench = Bench::with_source(quiet(), Box::new(Arc::clone(&buffers)), move |_| {
        late.ready.lock().expect("no panic").push(chunk(scope, &names("late", 2)));
        ExportOutcome::Delivered
    });
    bench.submit("a", 3);
    bench.worker.shutdown(ENOUGH).expect("an end in time");
    let stats = bench.worker.stats();
    assert_eq!((stats.received, stats.delivered, stats.dropped.shutdown, stats.pending), (5, 3, 2, 0));
}

#[test]
fn a_call_that_came_while_there_was_no_room_is_not_forgotten() {
    let buffers = Arc::new(Buffers::default());
    let settings = WorkerSettings { max_batch_spans: 10, max_queue_spans: 10, ..quiet() };
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let bench = Bench::with_source(settings, Box::new(Arc::clone(&buffers)), move |index| match index {
        0 => retryable(Some(Duration::from_millis(500))),
        // The wait may be over before the call has come; then it comes during this attempt.
        1 => gate.recv().map_or_else(|_| retryable(None), |()| ExportOutcome::Delivered),
        _ => ExportOutcome::Delivered,
    });
    bench.submit("a", 10);
    bench.wait_for_attempts(1);
    bench.submit("b", 10);
    buffers.ready.lock().expect("no panic").push(chunk(bench.scope, &names("c", 10)));
    bench.worker.wake();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(buffers.ready.lock().expect("no panic").len(), 1, "it stays where it is while the queue is full");
    release.send(()).expect("the exporter waits");
    bench.wait_for_attempts(4);
    assert_eq!(bench.attempts()[1..], [names("a", 10), names("b", 10), names("c", 10)]);
}

#[test]
fn a_full_queue_drops_and_counts_and_takes_spans_again_when_there_is_room() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let settings = WorkerSettings { max_queue_spans: 20, max_batch_spans: 10, ..quiet() };
    let bench = Bench::new(settings, move |index| {
        if index == 0 {
            // An error means that the test has ended.
            let _ = gate.recv();
        }
        ExportOutcome::Delivered
    });
    bench.submit("sent", 10);
    bench.wait_for_attempts(1);
    bench.submit("kept", 10);
    bench.submit("kept", 10);
    bench.submit("lost", 7);
    bench.worker.record_dropped(DropReason::QueueFull, 2);
    let stats = bench.worker.stats();
    assert_eq!((stats.received, stats.dropped.queue_full, stats.pending), (39, 9, 30));
    release.send(()).expect("the exporter waits");
    let stats = bench.flush();
    assert_eq!((stats.delivered, stats.pending), (30, 0));
    bench.submit("kept", 5);
    assert_eq!(bench.flush().delivered, 35);
    assert!(!bench.attempts().concat().iter().any(|name| name.starts_with("lost")));
}

#[test]
fn bytes_are_bounded_too() {
    let settings = WorkerSettings { max_queue_bytes: 1000, ..quiet() };
    let bench = Bench::new(settings, |_| retryable(Some(LONG)));
    for _ in 0..100 {
        bench.submit("a-span-of-about-fifty-bytes", 5);
    }
    let stats = bench.worker.stats();
    assert!(stats.dropped.queue_full > 400, "{stats:?}");
    assert_exact(&stats);
}

#[test]
fn an_attempt_is_repeated_with_the_same_spans_until_it_succeeds() {
    let backoff = Backoff { initial: Duration::from_millis(100), ..Backoff::default() };
    let bench = Bench::new(WorkerSettings { backoff, ..quiet() }, |index| match index {
        0 | 1 => retryable(None),
        _ => ExportOutcome::Delivered,
    });
    bench.submit("a", 3);
    let stats = bench.flush();
    assert_eq!(bench.attempts(), vec![names("a", 3); 3]);
    assert_eq!((stats.delivered, stats.attempts, stats.retries), (3, 3, 2));
    let times = bench.attempts.lock().expect("no panic");
    assert!(times[1].0 - times[0].0 >= Duration::from_millis(100), "never less than the shortest wait");
}

#[test]
fn waits_grow_from_batch_to_batch_until_the_collector_answers() {
    // The middles of the waits are 0.1 s and 2 s, then 0.1 s again; it would be 40 s, had the collector not answered.
    let backoff = Backoff { initial: Duration::from_millis(100), longest: LONG, factor: 20.0 };
    let settings = WorkerSettings { backoff, export_timeout: Some(Duration::from_millis(50)), ..quiet() };
    let bench = Bench::new(settings, |index| match index {
        0 | 1 | 3 => retryable(None),
        _ => ExportOutcome::Delivered,
    });
    for _ in 0..5 {
        bench.submit("a", 1);
        bench.flush();
    }
    let times = bench.attempts.lock().expect("no panic");
    let waited = |attempt: usize| times[attempt].0 - times[attempt - 1].0;
    assert!(waited(2) >= Duration::from_secs(1), "{:?}", waited(2));
    assert!(waited(4) < Duration::from_secs(20), "{:?}", waited(4));
}

#[test]
fn a_warning_of_the_collector_is_passed_on() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let report = Box::new(move |line: &str| sink.lock().expect("no panic").push(line.to_owned()));
    let bench = Bench::new(WorkerSettings { report, ..quiet() }, |_| ExportOutcome::PartiallyRejected {
        rejected: 0,
        message: "old schema".to_owned(),
    });
    bench.submit("a", 1);
    bench.flush();
    assert_eq!(*lines.lock().expect("no panic"), ["clewline: the collector took spans with a warning: old schema"]);
}

#[test]
fn outcomes_enter_the_ledger() {
    let bench = Bench::new(quiet(), |index| match index {
        0 => ExportOutcome::PartiallyRejected { rejected: 2, message: "two".to_owned() },
        1 => ExportOutcome::PartiallyRejected { rejected: 99, message: "more than there are".to_owned() },
        2 => ExportOutcome::PartiallyRejected { rejected: 0, message: "a warning".to_owned() },
        3 => ExportOutcome::Rejected { reason: "never".to_owned() },
        4 => ExportOutcome::TooLarge { bytes: 2, limit: 1 },
        5 => panic!("an exporter that panics costs its batch only"),
        _ => ExportOutcome::Delivered,
    });
    let expected = [(8, 2, 0), (8, 12, 0), (18, 12, 0), (18, 22, 0), (18, 22, 10), (18, 32, 10), (28, 32, 10)];
    for (index, (delivered, rejected, too_large)) in expected.into_iter().enumerate() {
        bench.submit("a", 10);
        let stats = bench.flush();
        assert_eq!((stats.delivered, stats.rejected, stats.dropped.too_large), (delivered, rejected, too_large));
        assert_exact(&stats);
        assert_eq!(bench.attempts().len(), index + 1, "none of these is repeated");
    }
}

#[test]
fn a_batch_is_given_up_at_its_time_limit_and_a_long_throttle_holds_back_the_next() {
    let throttle = Duration::from_millis(900);
    let settings = WorkerSettings { export_timeout: Some(Duration::from_millis(300)), ..quiet() };
    let bench = Bench::new(settings, move |index| match index {
        0 => retryable(Some(throttle)),
        _ => ExportOutcome::Delivered,
    });
    bench.submit("a", 3);
    let stats = bench.flush();
    assert_eq!((stats.dropped.undeliverable, stats.attempts), (3, 1), "the wait would end after the limit");
    bench.submit("b", 2);
    assert_eq!(bench.flush().delivered, 2);
    let times = bench.attempts.lock().expect("no panic");
    assert!(times[1].0 - times[0].0 >= throttle, "the collector is left alone as long as it asked");
}

#[test]
fn a_flush_ends_at_its_own_limit_and_the_spans_stay() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let bench = Bench::new(quiet(), move |_| {
        gate.recv().expect("the test goes on");
        ExportOutcome::Delivered
    });
    bench.submit("a", 4);
    let error = bench.worker.flush(Duration::from_millis(100)).expect_err("the attempt goes on");
    assert_eq!(error.pending, 4);
    release.send(()).expect("the exporter waits");
    assert_eq!(bench.flush().delivered, 4);
}

#[test]
fn a_shutdown_ends_in_time_whatever_the_collector_asks_for() {
    let limit = Duration::from_secs(1);
    for script in [(|_| retryable(Some(LONG))) as fn(usize) -> ExportOutcome, |_| retryable(None)] {
        let bench = Bench::new(WorkerSettings { export_timeout: None, ..quiet() }, script);
        bench.submit("a", 3);
        bench.worker.wake();
        shut_down(&bench.worker, limit);
        bench.submit("late", 2);
        let stats = bench.worker.stats();
        assert_eq!((stats.dropped.shutdown, stats.pending), (5, 0), "{stats:?}");
        bench.worker.shutdown(limit).expect("a second call is harmless");
        bench.worker.flush(limit).expect("nothing is left to flush");
    }
}

#[test]
fn a_shutdown_during_a_throttle_ends_in_time_and_counts() {
    let settings = WorkerSettings { export_timeout: Some(Duration::from_millis(200)), ..quiet() };
    let bench = Bench::new(settings, |_| retryable(Some(LONG)));
    bench.submit("given-up", 3);
    bench.flush();
    bench.submit("held-back", 4);
    assert!(bench.worker.flush(Duration::from_millis(50)).is_err());
    let stats = shut_down(&bench.worker, Duration::from_secs(1));
    assert_eq!((stats.dropped.undeliverable, stats.dropped.shutdown, stats.pending), (3, 4, 0));
    assert_eq!(bench.attempts().len(), 1);
}

#[test]
fn a_handle_dropped_without_shutdown_ends_the_thread() {
    let buffers = Arc::new(Buffers::default());
    let bench = Bench::with_source(quiet(), Box::new(Arc::clone(&buffers)), |_| ExportOutcome::Delivered);
    drop(bench);
    let started = Instant::now();
    while Arc::strong_count(&buffers) > 1 {
        assert!(started.elapsed() < ENOUGH, "the thread still owns its source");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_ledger_is_exact_with_many_threads_and_a_collector_that_fails_now_and_then() {
    let backoff = Backoff { initial: Duration::from_millis(1), ..Backoff::default() };
    let settings = WorkerSettings { max_queue_spans: 4096, backoff, ..quiet() };
    let bench = Bench::new(settings, |index| match index % 10 {
        3 => ExportOutcome::Rejected { reason: "now and then".to_owned() },
        7 => retryable(None),
        _ => ExportOutcome::Delivered,
    });
    thread::scope(|threads| {
        for thread in 0..4 {
            let bench = &bench;
            threads.spawn(move || {
                for round in 0..250 {
                    bench.submit(&format!("{thread}-{round}"), 20);
                    assert_exact_while_running(&bench.worker.stats());
                }
            });
        }
    });
    bench.worker.shutdown(ENOUGH).expect("an end in time");
    let stats = bench.worker.stats();
    assert_eq!((stats.received, stats.pending), (4 * 250 * 20, 0));
    assert_exact(&stats);
    assert!(stats.delivered > 0 && stats.rejected > 0, "{stats:?}");

    let mut sent: Vec<String> = Vec::new();
    for (index, names) in bench.attempts().into_iter().enumerate() {
        if !matches!(index % 10, 3 | 7) {
            sent.extend(names);
        }
    }
    assert_eq!(sent.len() as u64, stats.delivered);
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len() as u64, stats.delivered, "no span is delivered twice");
}

fn assert_exact_while_running(stats: &Stats) {
    assert!(stats.delivered + stats.lost() <= stats.received, "{stats:?}");
    assert_exact(stats);
}
