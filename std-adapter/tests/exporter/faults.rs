//! Collectors with every fault, over all transports: what is sent again, when, and what the ledger says in the end.
//!
//! Waits are checked from below only. All cases run at once, so the longest wait is how long it takes.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use clewline::exporter::{
    Destination, HttpEncoding, OtlpGrpcExporter, OtlpHttpExporter, ScopeIndex, SpanExporter, Stats, Target, Worker,
    WorkerSettings,
};

use crate::collector::{self, Collector, PROTOBUF, answer};
use crate::grpc_collector::{self, Answer, GrpcCollector, fields, framed, retry_info, status, status_with, success};
use crate::payload::{self, chunk, names};
use crate::{ENOUGH, growing_limits, shut_down};

const SPANS: u64 = 5;
/// The least wait of a back-off: half of its middle, one second.
const BACKOFF: f64 = 0.5;

/// What must have become of the spans of a case.
#[derive(Clone, Copy)]
enum Fate {
    /// One request, all delivered.
    Delivered,
    /// One request, so many rejected.
    Rejected(u64),
    /// One request whose answer has no end, all delivered.
    DeliveredAtTheLimit,
    /// A second request, at least so many seconds after the first, and all delivered.
    Repeated(f64),
    /// One request, and no time for another.
    Undeliverable,
}

/// A case: its name, the first answer, what follows from it, and words that stderr must show.
type Case<Step> = (&'static str, fn() -> Step, Fate, &'static str);

/// What a case saw: when each request came, the ledger, and what was written to stderr.
struct Seen {
    requests: Vec<Instant>,
    stats: Stats,
    lines: Vec<String>,
}

/// A worker with this time limit for all attempts together, the scope of its spans, and what it writes to stderr.
fn worker(exporter: impl SpanExporter + 'static, limit: Duration) -> (Worker, ScopeIndex, Arc<Mutex<Vec<String>>>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let report = Box::new(move |line: &str| sink.lock().expect("no panic").push(line.to_owned()));
    let settings = WorkerSettings { export_timeout: Some(limit), report, ..WorkerSettings::default() };
    let envelope = payload::envelope();
    let scope = payload::scope(&envelope, "shop");
    let destination = Destination::new("", Box::new(exporter)).settings(settings);
    (Worker::spawn(destination, envelope, Box::new(())).expect("a thread"), scope, lines)
}

/// Exports five spans with this time limit for all attempts together.
fn export(exporter: impl SpanExporter + 'static, limit: Duration) -> (Stats, Vec<String>) {
    let (worker, scope, lines) = worker(exporter, limit);
    worker.submit(chunk(scope, &names("a", 5)));
    worker.shutdown(ENOUGH).expect("an end in time");
    let lines = lines.lock().expect("no panic").clone();
    (worker.stats(), lines)
}

fn check(name: &str, fate: Fate, words: &str, seen: &Seen) {
    let Seen { requests, stats, lines } = seen;
    let (count, delivered, rejected, undeliverable) = match fate {
        Fate::Delivered | Fate::DeliveredAtTheLimit => (1, SPANS, 0, 0),
        Fate::Rejected(rejected) => (1, SPANS - rejected, rejected, 0),
        Fate::Repeated(_) => (2, SPANS, 0, 0),
        Fate::Undeliverable => (1, 0, 0, SPANS),
    };
    assert_eq!(requests.len(), count, "{name}: {lines:?}");
    let expected = (SPANS, delivered, rejected, undeliverable, 0);
    let found = (stats.received, stats.delivered, stats.rejected, stats.dropped.undeliverable, stats.pending);
    assert_eq!(found, expected, "{name}: {stats:?} {lines:?}");
    assert_eq!(stats.dropped.total(), undeliverable, "{name}: {stats:?}");
    assert_eq!((stats.attempts, stats.retries), (count as u64, count as u64 - 1), "{name}: {stats:?}");
    if let Fate::Repeated(least) = fate {
        let waited = (requests[1] - requests[0]).as_secs_f64();
        assert!(waited >= least, "{name}: waited {waited} s");
    }
    assert!(words.is_empty() || lines.iter().any(|line| line.contains(words)), "{name}: {lines:?}");
}

/// Runs a case with a time limit: a short one where it has to run out, and a longer one where the collector had no time for its part.
fn run(fate: Fate, words: &str, run: impl Fn(Duration) -> Seen) -> Seen {
    let is_told = |seen: &Seen| seen.lines.iter().any(|line| line.contains(words));
    let seen = match fate {
        Fate::Undeliverable => growing_limits().map(run).find(|seen| !seen.requests.is_empty() && is_told(seen)),
        Fate::DeliveredAtTheLimit => growing_limits().map(run).find(|seen| seen.stats.delivered > 0),
        Fate::Delivered | Fate::Rejected(_) | Fate::Repeated(_) => Some(run(ENOUGH)),
    };
    seen.expect("one of the limits is long enough")
}

fn run_http(encoding: HttpEncoding, cases: &[Case<collector::Step>]) {
    thread::scope(|threads| {
        for (name, first, fate, words) in cases {
            let first = *first;
            let case = move |limit| {
                let collector = Collector::start(move |index| if index == 0 { first() } else { answer(200, "", b"") });
                let target = Target::new(collector.url("/v1/traces"));
                let exporter = OtlpHttpExporter::with_target(&target, encoding).expect("a valid target");
                let (stats, lines) = export(exporter, limit);
                let received = collector.received();
                assert!(received.windows(2).all(|pair| pair[0].body == pair[1].body), "{name}: the same request");
                Seen { requests: received.iter().map(|it| it.at).collect(), stats, lines }
            };
            threads.spawn(move || check(name, *fate, words, &run(*fate, words, case)));
        }
    });
}

fn run_grpc(cases: &[Case<grpc_collector::Step>]) {
    thread::scope(|threads| {
        for (name, first, fate, words) in cases {
            let first = *first;
            let case = move |limit| {
                let collector = GrpcCollector::start(move |index| if index == 0 { first() } else { success(b"") });
                let exporter = OtlpGrpcExporter::with_target(&Target::new(collector.url())).expect("a valid target");
                let (stats, lines) = export(exporter, limit);
                let received = collector.received();
                assert!(received.windows(2).all(|pair| pair[0].body == pair[1].body), "{name}: the same request");
                Seen { requests: received.iter().map(|it| it.at).collect(), stats, lines }
            };
            threads.spawn(move || check(name, *fate, words, &run(*fate, words, case)));
        }
    });
}

/// A date this many seconds from now: whole seconds, so up to one less.
fn http_date(seconds: u64) -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds))
}

#[test]
fn http_answers_lead_to_what_the_specification_says() {
    use Fate::{Delivered, DeliveredAtTheLimit, Rejected, Repeated, Undeliverable};
    const JSON: &str = "content-type: application/json\r\n";
    const HTML: &str = "content-type: text/html\r\n";
    run_http(
        HttpEncoding::Protobuf,
        &[
            ("200", || answer(200, "", b""), Delivered, ""),
            ("200 and a page", || answer(200, HTML, b"<html>welcome</html>"), Delivered, ""),
            ("200 and noise", || answer(200, PROTOBUF, b"\xff\xff\xff"), Delivered, ""),
            (
                "200 slowly",
                || collector::Step::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\x0a".to_vec()),
                DeliveredAtTheLimit,
                "",
            ),
            ("partly", || answer(200, PROTOBUF, b"\x0a\x09\x08\x02\x12\x05no id"), Rejected(2), "no id"),
            ("partly, in JSON", || answer(200, JSON, br#"{"partialSuccess":{"rejectedSpans":"2"}}"#), Rejected(2), ""),
            ("more than there are", || answer(200, PROTOBUF, b"\x0a\x02\x08\x63"), Rejected(5), ""),
            ("a warning", || answer(200, PROTOBUF, b"\x0a\x05\x12\x03old"), Delivered, "with a warning: http"),
            ("200, too long", || answer(200, PROTOBUF, &vec![0; (4 << 20) + 1]), Rejected(5), "over 4 MiB"),
            ("503, too long", || answer(503, "", &vec![b'x'; (4 << 20) + 1]), Rejected(5), "over 4 MiB"),
            ("429, in seconds", || answer(429, "Retry-After: 1\r\n", b""), Repeated(1.0), ""),
            ("429, a date", || answer(429, &format!("Retry-After: {}\r\n", http_date(2)), b""), Repeated(1.0), ""),
            ("503, in seconds", || answer(503, "Retry-After: 1\r\n", b""), Repeated(1.0), ""),
            ("503, a date", || answer(503, &format!("Retry-After: {}\r\n", http_date(2)), b""), Repeated(1.0), ""),
            ("503, no time", || answer(503, "Retry-After: soon\r\n", b""), Repeated(BACKOFF), ""),
            ("429", || answer(429, "", b""), Repeated(BACKOFF), ""),
            ("502", || answer(502, HTML, b"<html>"), Repeated(BACKOFF), ""),
            ("503", || answer(503, "", b""), Repeated(BACKOFF), ""),
            ("504", || answer(504, "", b""), Repeated(BACKOFF), ""),
            ("closed", || collector::Step::Close, Repeated(BACKOFF), ""),
            ("half a head", || collector::Step::Cut(b"HTTP/1.1 200 OK\r\ncontent".to_vec()), Repeated(BACKOFF), ""),
            ("another protocol", || collector::Step::Cut(b"220 mail\r\n\r\n".to_vec()), Repeated(BACKOFF), ""),
            ("silence", || collector::Step::Stall(Vec::new()), Undeliverable, "timeout"),
            ("a wait too long", || answer(503, "Retry-After: 60\r\n", b""), Undeliverable, "HTTP 503"),
            ("400", || answer(400, PROTOBUF, b"\x08\x03\x12\x08bad span"), Rejected(5), "HTTP 400: bad span"),
            ("401", || answer(401, JSON, br#"{"code":16,"message":"who?"}"#), Rejected(5), "HTTP 401: who?"),
            ("404", || answer(404, HTML, b"<html>"), Rejected(5), "HTTP 404: <html>"),
            ("408", || answer(408, "", b""), Rejected(5), "HTTP 408"),
            ("413", || answer(413, "", b""), Rejected(5), "HTTP 413"),
            ("500", || answer(500, "", b""), Rejected(5), "HTTP 500"),
            ("500, with a time", || answer(500, "Retry-After: 1\r\n", b""), Rejected(5), "HTTP 500"),
            ("501", || answer(501, "", b""), Rejected(5), "HTTP 501"),
            ("elsewhere", || answer(307, "location: /elsewhere\r\n", b""), Rejected(5), "redirects are not followed"),
        ],
    );
}

#[test]
fn http_answers_in_json_lead_to_the_same() {
    use Fate::{Delivered, Rejected, Repeated};
    const JSON: &str = "content-type: application/json\r\n";
    run_http(
        HttpEncoding::Json,
        &[
            ("200", || answer(200, JSON, b"{}"), Delivered, ""),
            ("200 and no type", || answer(200, "", b"{}"), Delivered, ""),
            (
                "partly",
                || answer(200, JSON, br#"{"partialSuccess":{"rejectedSpans":2,"errorMessage":"no id"}}"#),
                Rejected(2),
                "no id",
            ),
            ("503", || answer(503, "Retry-After: 1\r\n", b""), Repeated(1.0), ""),
            ("400", || answer(400, JSON, br#"{"code":3,"message":"bad span"}"#), Rejected(5), "HTTP 400: bad span"),
        ],
    );
}

#[test]
fn grpc_answers_lead_to_what_the_specification_says() {
    use Fate::{Delivered, Rejected, Repeated, Undeliverable};
    use grpc_collector::Step;
    run_grpc(&[
        ("OK", || success(b""), Delivered, ""),
        ("partly", || success(b"\x0a\x09\x08\x02\x12\x05no id"), Rejected(2), "no id"),
        ("a warning", || success(b"\x0a\x05\x12\x03old"), Delivered, "with a warning: http"),
        ("CANCELLED", || status(1, ""), Repeated(BACKOFF), ""),
        ("UNKNOWN", || status(2, ""), Rejected(5), "gRPC UNKNOWN"),
        ("INVALID_ARGUMENT", || status(3, "bad span"), Rejected(5), "gRPC INVALID_ARGUMENT: bad span"),
        ("DEADLINE_EXCEEDED", || status(4, ""), Repeated(BACKOFF), ""),
        ("NOT_FOUND", || status(5, ""), Rejected(5), "gRPC NOT_FOUND"),
        ("ALREADY_EXISTS", || status(6, ""), Rejected(5), "gRPC ALREADY_EXISTS"),
        ("PERMISSION_DENIED", || status(7, ""), Rejected(5), "gRPC PERMISSION_DENIED"),
        ("RESOURCE_EXHAUSTED", || status(8, ""), Rejected(5), "gRPC RESOURCE_EXHAUSTED"),
        ("RESOURCE_EXHAUSTED for now", || status_with(8, &retry_info(1)), Repeated(1.0), ""),
        ("FAILED_PRECONDITION", || status(9, ""), Rejected(5), "gRPC FAILED_PRECONDITION"),
        ("ABORTED", || status(10, ""), Repeated(BACKOFF), ""),
        ("OUT_OF_RANGE", || status(11, ""), Repeated(BACKOFF), ""),
        ("UNIMPLEMENTED", || status(12, ""), Rejected(5), "gRPC UNIMPLEMENTED"),
        ("INTERNAL", || status(13, ""), Rejected(5), "gRPC INTERNAL"),
        ("UNAVAILABLE", || status(14, ""), Repeated(BACKOFF), ""),
        ("UNAVAILABLE for now", || status_with(14, &retry_info(1)), Repeated(1.0), ""),
        ("UNAVAILABLE for long", || status_with(14, &retry_info(60)), Undeliverable, "gRPC UNAVAILABLE: busy"),
        ("DATA_LOSS", || status(15, ""), Repeated(BACKOFF), ""),
        ("UNAUTHENTICATED", || status(16, ""), Rejected(5), "gRPC UNAUTHENTICATED"),
        ("a proxy's 503", || Step::Answer(Answer { http: Some(503), ..Answer::default() }), Repeated(BACKOFF), ""),
        ("a proxy's 404", || Step::Answer(Answer { http: Some(404), ..Answer::default() }), Rejected(5), "HTTP 404"),
        ("closed", || Step::Close, Repeated(BACKOFF), ""),
        ("refused", || Step::Reset(h2::Reason::REFUSED_STREAM), Repeated(BACKOFF), ""),
        ("reset", || Step::Reset(h2::Reason::INTERNAL_ERROR), Rejected(5), "gRPC INTERNAL"),
        ("silence", || Step::Stall, Undeliverable, "no answer within the time limit"),
        ("half an answer", || Step::StallWith(vec![0, 0]), Undeliverable, "no answer within the time limit"),
        (
            "too long",
            || {
                let body = Some(framed(&vec![0; (4 << 20) + 1]));
                Step::Answer(Answer { body, trailers: fields(0, ""), ..Answer::default() })
            },
            Rejected(5),
            "over 4 MiB",
        ),
    ]);
}

#[test]
fn a_collector_that_asked_for_silence_gets_it_also_from_the_next_batch() {
    let is_heard = |limit: Duration| {
        // More than the time limit of the batch, which is given up at once.
        let asked = 2 * limit.as_secs();
        let silence = move || status_with(14, &retry_info(u8::try_from(asked).expect("a minute or so")));
        let collector = GrpcCollector::start(move |index| if index == 0 { silence() } else { success(b"") });
        let exporter = OtlpGrpcExporter::with_target(&Target::new(collector.url())).expect("a valid target");
        let (worker, scope, lines) = worker(exporter, limit);
        for _ in 0..2 {
            worker.submit(chunk(scope, &names("a", 5)));
            worker.flush(ENOUGH).expect("a flush in time");
        }
        worker.shutdown(ENOUGH).expect("an end in time");
        // On a busy machine the answers may come too late.
        if !lines.lock().expect("no panic")[0].contains("UNAVAILABLE") || worker.stats().delivered == 0 {
            return false;
        }
        let stats = worker.stats();
        assert_eq!((stats.delivered, stats.dropped.undeliverable), (5, 5), "{stats:?}");
        let received = collector.received();
        assert_eq!(received.len(), 2);
        let waited = received[1].at - received[0].at;
        assert!(waited >= Duration::from_secs(asked), "{waited:?}");
        true
    };
    assert!(growing_limits().any(is_heard));
}

#[test]
fn a_shutdown_ends_in_time_while_the_collector_hangs() {
    let collector = GrpcCollector::start(|_| grpc_collector::Step::Stall);
    let exporter = OtlpGrpcExporter::with_target(&Target::new(collector.url())).expect("a valid target");
    let settings = WorkerSettings { export_timeout: None, report: Box::new(|_| ()), ..WorkerSettings::default() };
    let envelope = payload::envelope();
    let scope = payload::scope(&envelope, "shop");
    let destination = Destination::new("", Box::new(exporter)).settings(settings);
    let worker = Worker::spawn(destination, envelope, Box::new(())).expect("a thread");
    worker.submit(chunk(scope, &names("a", 600)));
    while collector.received().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let limit = Duration::from_secs(1);
    let stats = shut_down(&worker, limit);
    assert_eq!((stats.dropped.shutdown, stats.pending), (600, 0), "{stats:?}");
}
