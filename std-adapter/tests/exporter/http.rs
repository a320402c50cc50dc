//! One attempt over HTTP: the request on the wire and the outcome of every kind of answer.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use clewline::config::{Compression, Header, TracingConfig};
use clewline::exporter::{ExportOutcome, OtlpHttpExporter, Request, SpanExporter};

use crate::collector::{Collector, PROTOBUF, Step, answer, unreachable_url};
use crate::{ENOUGH, SLACK, growing_limits, wait_until_closed};

fn exporter(url: &str) -> OtlpHttpExporter {
    exporter_with(url, |config| config)
}

fn exporter_with(url: &str, change: impl FnOnce(TracingConfig) -> TracingConfig) -> OtlpHttpExporter {
    let config = TracingConfig::default().with_traces_endpoint(url).expect("a valid URL");
    OtlpHttpExporter::new(&change(config).otlp).expect("a valid URL")
}

fn within(time: Duration) -> Option<Instant> {
    Some(Instant::now() + time)
}

fn export_to(url: &str) -> ExportOutcome {
    exporter(url).export(&Request::new(&[b"spans"], 1), within(ENOUGH))
}

/// The outcome of one answer, which must not cause a second request.
fn outcome_of(step: fn() -> Step) -> ExportOutcome {
    let collector = Collector::start(move |_| step());
    let outcome = export_to(&collector.url("/v1/traces"));
    assert_eq!(collector.received().len(), 1);
    outcome
}

#[test]
fn requests_carry_what_otlp_asks_for_over_one_connection() {
    let collector = Collector::start(|_| answer(200, PROTOBUF, b""));
    let mut exporter = exporter_with(&collector.url("/my/path?a=b"), |config| {
        config.with_header(Header::new("X-Tenant", "a b").expect("a valid header"))
    });
    for _ in 0..3 {
        let request = Request::new(&[b"en", b"", b"vel", b"ope"], 1);
        assert_eq!(exporter.export(&request, within(ENOUGH)), ExportOutcome::Delivered);
    }
    let received = collector.received();
    assert_eq!(received.len(), 3);
    for request in received {
        assert_eq!(request.request_line, "POST /my/path?a=b HTTP/1.1");
        assert_eq!(request.body, b"envelope");
        assert_eq!(request.connection, 0, "the connection is kept alive");
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("content-length"), Some("8"));
        assert_eq!(request.header("transfer-encoding"), None);
        assert_eq!(request.header("content-encoding"), None);
        assert_eq!(request.header("x-tenant"), Some("a b"));
        let agent = request.header("user-agent").expect("a user agent");
        assert!(agent.starts_with("OTel-OTLP-Exporter-Rust/0."), "{agent}");
    }
}

#[test]
fn gzip_bodies_say_so_and_unpack_to_the_same_bytes() {
    let collector = Collector::start(|_| answer(200, "", b""));
    let mut exporter = exporter_with(&collector.url("/"), |config| config.with_compression(Compression::Gzip));
    let bodies = ["the same again, ".repeat(1000), "and again, ".repeat(500)];
    for spans in &bodies {
        let outcome = exporter.export(&Request::new(&[b"envelope: ", spans.as_bytes()], 1), None);
        assert_eq!(outcome, ExportOutcome::Delivered);
    }
    let received = collector.received();
    assert_eq!(received.len(), 2);
    for (request, spans) in received.iter().zip(&bodies) {
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert!(request.body.len() < spans.len() / 10);
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&request.body[..]).read_to_string(&mut unpacked).expect("a gzip body");
        assert_eq!(unpacked, format!("envelope: {spans}"));
    }
}

#[test]
fn a_request_is_read_as_one_whatever_the_size_of_the_reads() {
    let request = Request::new(&[b"en", b"", b"vel", b"ope", b""], 1);
    assert_eq!(request.size(), 8);
    for size in 1..10 {
        let (mut reader, mut buffer, mut whole) = (request.reader(), vec![0; size], Vec::new());
        loop {
            let count = reader.read(&mut buffer).expect("memory can be read");
            if count == 0 {
                break;
            }
            whole.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(whole, b"envelope", "{size}");
    }
}

#[test]
fn the_status_counts_where_the_rest_of_the_head_cannot_be_read() {
    let crowded = |status| {
        move |_| {
            let fields: String = (0..200).map(|number| format!("x-field-{number}: {number}\r\n")).collect();
            answer(status, &fields, b"")
        }
    };
    let outcome = |status| {
        let collector = Collector::start(crowded(status));
        let outcome = export_to(&collector.url("/v1/traces"));
        assert_eq!(collector.received().len(), 1);
        outcome
    };
    assert_eq!(outcome(200), ExportOutcome::Delivered);
    for status in [400, 429, 503] {
        let (reason, is_retried) = match outcome(status) {
            ExportOutcome::Rejected { reason } => (reason, false),
            ExportOutcome::Retryable { reason, .. } => (reason, true),
            other => panic!("{other:?}"),
        };
        assert_eq!(is_retried, status != 400);
        assert!(reason.contains(&format!("HTTP {status}: protocol: ")) && reason.contains("header"), "{reason}");
    }
    // Nothing of it stays: the next answer is none.
    let broken = move |index| if index == 0 { crowded(200)(index) } else { Step::Cut(b"HTTP".to_vec()) };
    let collector = Collector::start(broken);
    let mut exporter = exporter(&collector.url("/"));
    let mut export = || exporter.export(&Request::new(&[b"spans"], 1), within(ENOUGH));
    assert_eq!(export(), ExportOutcome::Delivered);
    assert!(matches!(export(), ExportOutcome::Retryable { .. }));
}

#[test]
fn answers_that_settle_a_request() {
    assert_eq!(outcome_of(|| answer(200, "", b"")), ExportOutcome::Delivered);
    let ExportOutcome::PartiallyRejected { rejected: 2, message } =
        outcome_of(|| answer(200, PROTOBUF, b"\x0a\x09\x08\x02\x12\x05no id"))
    else {
        panic!("two spans are rejected")
    };
    assert!(message.ends_with("no id"), "{message}");
    for (step, words) in [
        ((|| answer(400, PROTOBUF, b"\x08\x03\x12\x08bad span")) as fn() -> Step, "HTTP 400: bad span"),
        (|| answer(401, "content-type: text/plain\r\n", b"who are you?"), "HTTP 401: who are you?"),
        (|| answer(408, "", b""), "HTTP 408"),
        (|| answer(413, "", b""), "HTTP 413"),
        (|| answer(500, "retry-after: 1\r\n", b""), "HTTP 500"),
        (|| answer(501, "", b""), "HTTP 501"),
        (|| answer(307, "location: /elsewhere\r\n", b""), "HTTP 307; redirects are not followed"),
        (|| answer(303, "location: /elsewhere\r\n", b""), "HTTP 303; redirects are not followed"),
    ] {
        let ExportOutcome::Rejected { reason } = outcome_of(step) else { panic!("{words} is final") };
        assert!(reason.starts_with("http://127.0.0.1:"), "{reason}");
        assert!(reason.ends_with(words), "{reason}");
    }
}

#[test]
fn answers_that_ask_for_another_attempt() {
    let after = |step| match outcome_of(step) {
        ExportOutcome::Retryable { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(after(|| answer(429, "Retry-After: 7\r\n", b"")), Some(Duration::from_secs(7)));
    let date = after(|| {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1000));
        answer(503, &format!("Retry-After: {date}\r\n"), b"")
    });
    // The date has whole seconds, and some time passes on the way.
    let date = date.expect("a date is a wait");
    assert!((Duration::from_secs(900)..=Duration::from_secs(1000)).contains(&date), "{date:?}");
    for step in [(|| answer(502, "", b"")) as fn() -> Step, || answer(503, "", b""), || answer(504, "", b"")] {
        assert_eq!(after(step), None);
    }
    assert_eq!(after(|| Step::Close), None);
    assert_eq!(after(|| Step::Answer(b"no such protocol\r\n\r\n".to_vec())), None);
}

#[test]
fn a_success_whose_body_never_ends_is_a_success() {
    let collector = Collector::start(|_| Step::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\x0a".to_vec()));
    let is_delivered = |limit| {
        let started = Instant::now();
        let request = Request::new(&[b"spans"], 1);
        let outcome = exporter(&collector.url("/")).export(&request, within(limit));
        assert!(started.elapsed() < limit + SLACK, "{:?}", started.elapsed());
        outcome == ExportOutcome::Delivered
    };
    assert!(growing_limits().any(is_delivered));
}

#[test]
fn an_answer_over_the_limit_is_final() {
    let long = || answer(503, "", &vec![b'x'; (4 << 20) + 1]);
    assert!(matches!(outcome_of(long), ExportOutcome::Rejected { reason } if reason.contains("over 4 MiB")));
    let fits = || answer(503, "", &vec![b'x'; 4 << 20]);
    assert!(matches!(outcome_of(fits), ExportOutcome::Retryable { .. }));
}

#[test]
fn a_request_over_the_limit_is_not_sent() {
    let collector = Collector::start(|_| answer(200, "", b""));
    let megabyte = vec![0; 1 << 20];
    let mut parts = vec![&megabyte[..]; 64];
    parts.push(b"x");
    let outcome = exporter(&collector.url("/")).export(&Request::new(&parts, 1), None);
    assert_eq!(outcome, ExportOutcome::TooLarge { bytes: (64 << 20) + 1, limit: 64 << 20 });
    assert!(collector.received().is_empty());
}

#[test]
fn an_attempt_ends_at_its_deadline() {
    let collector = Collector::start(|_| Step::Stall(Vec::new()));
    let started = Instant::now();
    let request = Request::new(&[b"spans"], 1);
    let outcome = exporter(&collector.url("/")).export(&request, within(Duration::from_secs(1)));
    assert!(matches!(outcome, ExportOutcome::Retryable { after: None, .. }), "{outcome:?}");
    let took = started.elapsed();
    assert!((Duration::from_millis(900)..SLACK).contains(&took), "{took:?}");
}

#[test]
fn a_collector_that_is_not_there_may_come_back() {
    let url = unreachable_url();
    let ExportOutcome::Retryable { after: None, reason } = export_to(&url) else { panic!("it may come back") };
    assert!(reason.starts_with(&url), "{reason}");
}

#[test]
fn a_collector_that_closed_the_connection_meanwhile_costs_no_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    let url = format!("http://127.0.0.1:{port}/");
    let (closed, is_closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("an incoming connection");
            let mut request = Vec::new();
            while !request.ends_with(b"spans") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.extend(byte);
            }
            // It does not say that it will close.
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("a connection");
            drop(stream);
            closed.send(()).expect("the test goes on");
        }
    });
    let mut exporter = exporter(&url);
    for _ in 0..5 {
        let outcome = exporter.export(&Request::new(&[b"spans"], 1), within(ENOUGH));
        assert_eq!(outcome, ExportOutcome::Delivered);
        is_closed.recv().expect("the collector goes on");
        wait_until_closed(port);
    }
}

#[test]
fn schemes_and_hosts_are_the_same_in_capitals() {
    let collector = Collector::start(|_| answer(200, "", b""));
    let url = collector.url("/V1").replace("http://127.0.0.1", "HTTP://LocalHost");
    assert_eq!(export_to(&url), ExportOutcome::Delivered);
    assert_eq!(collector.received()[0].request_line, "POST /V1 HTTP/1.1");
}

#[test]
fn an_attempt_can_be_interrupted_from_another_thread() {
    let collector = Collector::start(|_| Step::Stall(Vec::new()));
    let mut exporter = exporter(&collector.url("/"));
    let interrupt = exporter.interrupter().expect("HTTP can be interrupted");
    let attempt = std::thread::spawn(move || exporter.export(&Request::new(&[b"spans"], 1), None));
    while collector.received().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let started = Instant::now();
    interrupt();
    interrupt();
    let outcome = attempt.join().expect("no panic");
    assert!(matches!(outcome, ExportOutcome::Retryable { .. }), "{outcome:?}");
    assert!(started.elapsed() < SLACK);
}

#[test]
fn credentials_of_the_address_are_used_and_not_shown() {
    let collector = Collector::start(|_| answer(500, "", b""));
    let url = collector.url("/path?key=secret").replace("http://", "http://user:s%65cret@");
    let ExportOutcome::Rejected { reason } = export_to(&url) else { panic!("500 is final") };
    assert!(!reason.contains("secret") && reason.contains("/path: HTTP 500"), "{reason}");
    assert_eq!(collector.received()[0].header("authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
}

/// More than the buffers of both ends of a connection hold.
const TOO_MUCH: usize = 32 << 20;

/// The URL of a collector that does nothing with its connections, and those.
fn not_reading() -> (String, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("a bound socket"));
    let (accept, accepted) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        listener.incoming().for_each(|stream| drop(accept.send(stream.expect("an incoming connection"))));
    });
    (url, accepted)
}

#[test]
fn an_attempt_ends_at_its_deadline_while_the_collector_does_not_read() {
    let (url, _accepted) = not_reading();
    let body = vec![7; TOO_MUCH];
    let is_in_time = |limit| {
        let started = Instant::now();
        let outcome = exporter(&url).export(&Request::new(&[&body], 1), within(limit));
        assert!(matches!(outcome, ExportOutcome::Retryable { after: None, .. }), "{outcome:?}");
        started.elapsed() < limit * 3 / 2
    };
    // A socket's own time limit begins anew where a part of a write went through, as it does for one or the other of these.
    let are_in_time = |limit| {
        std::thread::scope(|threads| {
            let attempts = [(); 10].map(|()| threads.spawn(|| is_in_time(limit)));
            attempts.map(|attempt| attempt.join().expect("no panic")).iter().all(|is_in_time| *is_in_time)
        })
    };
    // A busy machine may be late too, but not by half of every limit.
    assert!(growing_limits().any(are_in_time));
}

#[test]
fn an_attempt_can_be_interrupted_while_the_collector_does_not_read() {
    let (url, accepted) = not_reading();
    let mut exporter = exporter(&url);
    let interrupt = exporter.interrupter().expect("HTTP can be interrupted");
    let body = vec![7; TOO_MUCH];
    let attempt = std::thread::spawn(move || exporter.export(&Request::new(&[&body], 1), within(ENOUGH)));
    let mut stream = accepted.recv().expect("a connection");
    stream.read_exact(&mut [0; 100]).expect("a request");
    // It has filled them by then, or is about to.
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    interrupt();
    let outcome = attempt.join().expect("no panic");
    assert!(matches!(outcome, ExportOutcome::Retryable { .. }), "{outcome:?}");
    assert!(started.elapsed() < SLACK);
    drop(stream);
}

/// Answers the first request after its head, and closes without reading on.
fn collector_that_answers_early(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("a bound socket"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        stream.write_all(answer).expect("a client that listens");
    });
    url
}

#[test]
fn an_answer_that_comes_before_the_request_was_read_is_heard() {
    let body = vec![7; TOO_MUCH];
    let send = |answer| {
        let url = collector_that_answers_early(answer);
        exporter(&url).export(&Request::new(&[&body], 1), within(ENOUGH))
    };
    let refused =
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n2 MiB";
    let ExportOutcome::Rejected { reason } = send(refused) else { panic!("413 is final") };
    assert!(reason.ends_with("HTTP 413: 2 MiB"), "{reason}");
    let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    let ExportOutcome::Retryable { after, .. } = send(busy) else { panic!("503 may be repeated") };
    assert_eq!(after, Some(Duration::from_secs(7)));
    for nothing in [&b""[..], b"HTTP/1.1 413"] {
        let ExportOutcome::Retryable { after, reason } = send(nothing) else {
            panic!("a lost connection may be made again")
        };
        assert!(after.is_none() && reason.contains("io: "), "{reason}");
    }
}
