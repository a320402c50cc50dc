//! One attempt over gRPC: the request on the wire and the outcome of every kind of answer.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clewline::config::{Compression, Header};
use clewline::exporter::{
    ExportOutcome, ExporterError, HttpEncoding, OtlpGrpcExporter, OtlpHttpExporter, Request, SpanExporter, Target,
};

use crate::collector::{Collector, answer, unreachable_url};
use crate::grpc_collector::{Answer, GrpcCollector, Step, fields, framed, retry_info, status, status_with, success};
use crate::{ENOUGH, SLACK, growing_limits, wait_until_closed};

fn exporter(target: &Target) -> OtlpGrpcExporter {
    OtlpGrpcExporter::with_target(target).expect("a valid target")
}

fn within(time: Duration) -> Option<Instant> {
    Some(Instant::now() + time)
}

fn export_to(url: &str) -> ExportOutcome {
    exporter(&Target::new(url)).export(&Request::new(&[b"spans"], 1), within(ENOUGH))
}

/// The outcome of one answer, which must not cause a second request.
fn outcome_of(step: fn() -> Step) -> ExportOutcome {
    let collector = GrpcCollector::start(move |_| step());
    let outcome = export_to(&collector.url());
    assert_eq!(collector.received().len(), 1);
    outcome
}

#[test]
fn requests_carry_what_grpc_asks_for_over_one_connection() {
    let collector = GrpcCollector::start(|_| success(b""));
    let mut target = Target::new(collector.url());
    target.headers.push(Header::new("X-Tenant", "a b").expect("a valid header"));
    let mut exporter = exporter(&target);
    for _ in 0..3 {
        let request = Request::new(&[b"en", b"", b"vel", b"ope"], 1);
        assert_eq!(exporter.export(&request, within(ENOUGH)), ExportOutcome::Delivered);
    }
    let received = collector.received();
    assert_eq!(received.len(), 3);
    for request in received {
        assert_eq!(request.method, "POST");
        assert_eq!(request.path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        assert_eq!((request.body[0], request.message()), (0, &b"envelope"[..]));
        assert_eq!(request.connection, 0, "the connection is kept");
        assert_eq!(request.header("content-type"), Some("application/grpc"));
        assert_eq!(request.header("te"), Some("trailers"));
        assert_eq!(request.header("grpc-encoding"), None);
        assert_eq!(request.header("x-tenant"), Some("a b"));
        let timeout = request.header("grpc-timeout").and_then(|timeout| timeout.strip_suffix('m')).expect("in ms");
        assert!((1..=ENOUGH.as_millis()).contains(&timeout.parse().expect("a number")), "{timeout}");
        let agent = request.header("user-agent").expect("a user agent");
        assert!(agent.starts_with("OTel-OTLP-Exporter-Rust/0."), "{agent}");
    }
}

#[test]
fn a_user_agent_of_the_programs_own_is_sent_instead() {
    let own = Header::new("user-agent", "shop/2.0").expect("a valid header");
    let collector = GrpcCollector::start(|_| success(b""));
    let mut target = Target::new(collector.url());
    target.headers.push(own.clone());
    assert_eq!(exporter(&target).export(&Request::new(&[b"spans"], 1), None), ExportOutcome::Delivered);
    assert_eq!(collector.received()[0].header("user-agent"), Some("shop/2.0"));

    let collector = Collector::start(|_| answer(200, "", b""));
    let mut target = Target::new(collector.url("/"));
    target.headers.push(own);
    let mut exporter = OtlpHttpExporter::with_target(&target, HttpEncoding::Protobuf).expect("a valid target");
    assert_eq!(exporter.export(&Request::new(&[b"spans"], 1), None), ExportOutcome::Delivered);
    assert_eq!(collector.received()[0].header("user-agent"), Some("shop/2.0"));
}

#[test]
fn compressed_messages_say_so_and_unpack_to_the_same_bytes() {
    let collector = GrpcCollector::start(|_| success(b""));
    let mut target = Target::new(collector.url());
    target.compression = Compression::Gzip;
    let mut exporter = exporter(&target);
    let bodies = ["the same again, ".repeat(1000), "and again, ".repeat(500)];
    for spans in &bodies {
        let outcome = exporter.export(&Request::new(&[b"envelope: ", spans.as_bytes()], 1), None);
        assert_eq!(outcome, ExportOutcome::Delivered);
    }
    let received = collector.received();
    assert_eq!(received.len(), 2);
    for (request, spans) in received.iter().zip(&bodies) {
        assert_eq!((request.header("grpc-encoding"), request.body[0]), (Some("gzip"), 1));
        assert_eq!(request.header("grpc-timeout"), None, "there was no deadline");
        assert!(request.body.len() < spans.len() / 10);
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(request.message()).read_to_string(&mut unpacked).expect("a gzip message");
        assert_eq!(unpacked, format!("envelope: {spans}"));
    }
}

#[test]
fn a_large_request_flows_through_the_windows_of_http2() {
    let collector = GrpcCollector::start(|_| success(b""));
    let mut exporter = exporter(&Target::new(collector.url()));
    let megabyte: Vec<u8> = (0..1 << 20).map(|index: u32| index.to_le_bytes()[1]).collect();
    for _ in 0..2 {
        let outcome = exporter.export(&Request::new(&[&megabyte[..]; 5], 1), within(ENOUGH));
        assert_eq!(outcome, ExportOutcome::Delivered);
    }
    for request in collector.received() {
        assert_eq!(request.message(), [&megabyte[..]; 5].concat());
    }
}

#[test]
fn answers_that_settle_a_request() {
    assert_eq!(outcome_of(|| success(b"")), ExportOutcome::Delivered);
    assert_eq!(outcome_of(|| status(0, "")), ExportOutcome::Delivered, "a success without a message");
    let ExportOutcome::PartiallyRejected { rejected: 2, message } =
        outcome_of(|| success(b"\x0a\x09\x08\x02\x12\x05no id"))
    else {
        panic!("two spans are rejected")
    };
    assert!(message.ends_with("no id"), "{message}");
    for (step, words) in [
        ((|| status(3, "bad%20span")) as fn() -> Step, "gRPC INVALID_ARGUMENT: bad span"),
        (|| status(2, ""), "gRPC UNKNOWN"),
        (|| status(8, "too much"), "gRPC RESOURCE_EXHAUSTED: too much"),
        (|| status(12, "no such method"), "gRPC UNIMPLEMENTED: no such method"),
        (|| status(13, ""), "gRPC INTERNAL"),
        (|| status(16, "who are you?"), "gRPC UNAUTHENTICATED: who are you?"),
        (|| status(99, ""), "gRPC UNKNOWN"),
        (|| status_with(3, &retry_info(1)), "gRPC INVALID_ARGUMENT: busy"),
        (|| Step::Answer(Answer { http: Some(404), ..Answer::default() }), "HTTP 404 without a grpc-status"),
        (|| Step::Answer(Answer { http: Some(500), ..Answer::default() }), "HTTP 500 without a grpc-status"),
        (
            || Step::Answer(Answer { body: Some(b"<html>".to_vec()), ..Answer::default() }),
            "the answer has no grpc-status",
        ),
        (|| Step::Reset(h2::Reason::INTERNAL_ERROR), "internal error encountered"),
        (|| Step::Reset(h2::Reason::ENHANCE_YOUR_CALM), "detected excessive load generating behavior"),
    ] {
        let outcome = outcome_of(step);
        let ExportOutcome::Rejected { reason } = &outcome else { panic!("{words} is final, not {outcome:?}") };
        assert!(reason.starts_with("http://127.0.0.1:"), "{reason}");
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn answers_that_ask_for_another_attempt() {
    let after = |step| match outcome_of(step) {
        ExportOutcome::Retryable { after, .. } => after,
        other => panic!("{other:?}"),
    };
    let steps: [fn() -> Step; 11] = [
        || status(1, ""),
        || status(4, ""),
        || status(10, ""),
        || status(11, ""),
        || status(14, ""),
        || status(15, ""),
        || Step::Close,
        || Step::Reset(h2::Reason::REFUSED_STREAM),
        || Step::Reset(h2::Reason::CANCEL),
        || Step::Answer(Answer { http: Some(503), ..Answer::default() }),
        // The code of trailers counts, not that of a body before it.
        || Step::Answer(Answer { body: Some(framed(b"")), trailers: fields(14, ""), ..Answer::default() }),
    ];
    for (index, step) in steps.into_iter().enumerate() {
        assert_eq!(after(step), None, "{index}");
    }
    assert_eq!(after(|| status_with(14, &retry_info(7))), Some(Duration::from_secs(7)));
    assert_eq!(after(|| status_with(8, &retry_info(7))), Some(Duration::from_secs(7)));
    assert_eq!(after(|| status_with(8, &retry_info(0))), Some(Duration::ZERO));
}

#[test]
fn details_that_cannot_be_read_are_passed_over() {
    let broken = |code| {
        let mut headers = fields(code, "busy");
        headers.push(("grpc-status-details-bin", "not base64!".to_owned()));
        Step::Answer(Answer { headers, ..Answer::default() })
    };
    let collector = GrpcCollector::start(move |request| broken(if request == 0 { 14 } else { 8 }));
    let mut exporter = exporter(&Target::new(collector.url()));
    let mut export = || exporter.export(&Request::new(&[b"spans"], 1), within(ENOUGH));
    assert!(matches!(export(), ExportOutcome::Retryable { after: None, .. }));
    assert!(matches!(export(), ExportOutcome::Rejected { .. }));
}

#[test]
fn an_answer_over_the_limit_is_final() {
    let answer = |length: usize| {
        Step::Answer(Answer {
            body: Some(framed(&vec![0; length])),
            trailers: fields(14, "try again"),
            ..Answer::default()
        })
    };
    let collector = GrpcCollector::start(move |request| answer((4 << 20) + usize::from(request == 0)));
    let mut exporter = exporter(&Target::new(collector.url()));
    let mut export = || exporter.export(&Request::new(&[b"spans"], 1), within(ENOUGH));
    assert!(matches!(export(), ExportOutcome::Rejected { reason } if reason.contains("over 4 MiB")));
    let fits = export();
    assert!(matches!(&fits, ExportOutcome::Retryable { .. }), "{fits:?}");
}

#[test]
fn a_request_over_the_limit_is_not_sent() {
    let collector = GrpcCollector::start(|_| success(b""));
    let megabyte = vec![0; 1 << 20];
    let mut parts = vec![&megabyte[..]; 64];
    parts.push(b"x");
    let outcome = exporter(&Target::new(collector.url())).export(&Request::new(&parts, 1), None);
    assert_eq!(outcome, ExportOutcome::TooLarge { bytes: (64 << 20) + 1, limit: 64 << 20 });
    assert!(collector.received().is_empty());
}

#[test]
fn an_attempt_ends_at_its_deadline_and_the_next_has_a_new_connection() {
    for stall in [(|| Step::Stall) as fn() -> Step, || Step::StallWith(vec![0, 0])] {
        let is_over = Arc::new(AtomicBool::new(false));
        let is_answered = Arc::clone(&is_over);
        let answer = move |_| if is_answered.load(Ordering::Relaxed) { success(b"") } else { stall() };
        let collector = GrpcCollector::start(answer);
        let mut exporter = exporter(&Target::new(collector.url()));
        let has_arrived = |limit: Duration| {
            let started = Instant::now();
            let outcome = exporter.export(&Request::new(&[b"spans"], 1), within(limit));
            assert!(matches!(outcome, ExportOutcome::Retryable { after: None, .. }), "{outcome:?}");
            let took = started.elapsed();
            assert!((limit..limit + SLACK).contains(&took), "{took:?}");
            !collector.received().is_empty()
        };
        assert!(growing_limits().any(has_arrived));
        is_over.store(true, Ordering::Relaxed);
        let outcome = exporter.export(&Request::new(&[b"spans"], 1), within(ENOUGH));
        assert_eq!(outcome, ExportOutcome::Delivered);
        let mut connections: Vec<_> = collector.received().iter().map(|request| request.connection).collect();
        let requests = connections.len();
        connections.sort_unstable();
        connections.dedup();
        assert!(requests > 1 && connections.len() == requests, "each has its own: {connections:?}");
    }
}

#[test]
fn a_collector_that_closed_the_connection_meanwhile_costs_no_attempt() {
    let collector = GrpcCollector::start(|_| success(b""));
    let mut exporter = exporter(&Target::new(collector.url()));
    let mut export = |collector: &GrpcCollector, requests: usize| {
        let outcome = exporter.export(&Request::new(&[b"spans"], 1), within(ENOUGH));
        assert_eq!(outcome, ExportOutcome::Delivered);
        assert_eq!(collector.received().len(), requests);
    };
    export(&collector, 1);
    for requests in 2..5 {
        collector.close_connections();
        wait_until_closed(collector.port());
        export(&collector, requests);
        assert_eq!(collector.received()[requests - 1].connection, requests - 1);
    }
}

#[test]
fn a_collector_that_is_not_there_may_come_back() {
    let url = unreachable_url();
    let ExportOutcome::Retryable { after: None, reason } = export_to(&url) else { panic!("it may come back") };
    assert!(reason.starts_with(&url), "{reason}");
    // A server that speaks another protocol.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("a connection");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let outcome = export_to(&format!("http://{address}"));
    assert!(matches!(outcome, ExportOutcome::Retryable { after: None, .. }), "{outcome:?}");
    server.join().expect("no panic");
}

#[test]
fn an_attempt_can_be_interrupted_from_another_thread() {
    let collector = GrpcCollector::start(|_| Step::Stall);
    let mut exporter = exporter(&Target::new(collector.url()));
    let interrupt = exporter.interrupter().expect("gRPC can be interrupted");
    let attempt = std::thread::spawn(move || {
        let first = exporter.export(&Request::new(&[b"spans"], 1), None);
        (first, exporter.export(&Request::new(&[b"spans"], 1), None))
    });
    while collector.received().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let started = Instant::now();
    interrupt();
    interrupt();
    let (first, second) = attempt.join().expect("no panic");
    assert!(matches!(first, ExportOutcome::Retryable { .. }), "{first:?}");
    assert!(matches!(second, ExportOutcome::Retryable { .. }), "no attempt after it either: {second:?}");
    assert!(started.elapsed() < SLACK);
    assert_eq!(collector.received().len(), 1);
}

#[test]
fn an_exporter_may_be_dropped_in_async_code() {
    let collector = GrpcCollector::start(|_| success(b""));
    let mut exporter = exporter(&Target::new(collector.url()));
    assert_eq!(exporter.export(&Request::new(&[b"spans"], 1), None), ExportOutcome::Delivered);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async move { drop(exporter) });
}

#[test]
fn addresses_follow_the_rules_of_the_exporter() {
    let collector = GrpcCollector::start(|_| success(b""));
    let port = collector.port();
    let reach = |url: String, insecure| {
        let mut target = Target::new(url);
        target.insecure = insecure;
        exporter(&target).export(&Request::new(&[b"spans"], 1), within(ENOUGH))
    };
    let delivered = |url: String, insecure| reach(url, insecure) == ExportOutcome::Delivered;
    assert!(delivered(format!("127.0.0.1:{port}"), true));
    assert!(!delivered(format!("127.0.0.1:{port}"), false), "without a scheme, TLS is the default");
    assert!(delivered(format!("http://127.0.0.1:{port}"), false), "the scheme decides");
    assert!(!delivered(format!("https://127.0.0.1:{port}"), true), "the scheme decides");
    assert!(delivered(format!("HTTP://localhost:{port}/ignored?as=well"), false));

    for url in ["", "ftp://host:4317", "http://", "http://user:secret@", "http://host name", "unix:/run/x"] {
        assert_eq!(OtlpGrpcExporter::with_target(&Target::new(url)).err(), Some(ExporterError::Url), "{url}");
    }
    let mut target = Target::new("http://localhost:4317");
    target.headers.push(Header::new("grpc-timeout", "1S").expect("a header of HTTP"));
    assert_eq!(OtlpGrpcExporter::with_target(&target).err(), Some(ExporterError::Header));
}

#[test]
fn credentials_of_the_address_are_used_and_not_shown() {
    let collector = GrpcCollector::start(|_| status(3, "bad"));
    let url = collector.url().replace("http://", "http://user:p%40ss@");
    let ExportOutcome::Rejected { reason } = export_to(&url) else { panic!("INVALID_ARGUMENT is final") };
    assert!(!reason.contains("p%40ss") && !reason.contains("user"), "{reason}");
    let mut target = Target::new(url);
    target.headers.push(Header::new("authorization", "Bearer token").expect("a valid header"));
    drop(exporter(&target).export(&Request::new(&[b"spans"], 1), within(Duration::from_secs(5))));
    let sent: Vec<_> =
        collector.received().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, [Some("Basic dXNlcjpwQHNz".to_owned()), Some("Bearer token".to_owned())]);
}
