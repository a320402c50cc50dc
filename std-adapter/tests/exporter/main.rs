//! The exporter against a scripted collector: what is sent, what each answer leads to, and what the ledger says.
#![cfg(feature = "otlp-http")]

#[cfg_attr(not(feature = "otlp-grpc"), expect(dead_code, reason = "some of it is for tests that need gRPC too"))]
mod collector;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "otlp-grpc")]
mod faults;
mod full;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(feature = "otlp-grpc")]
mod grpc_collector;
mod http;
mod memory;
mod payload;
#[cfg(feature = "otlp-grpc")]
mod shutdown;
#[cfg(feature = "otlp-grpc")]
mod tls;
mod worker;
mod worker_http;
#[cfg(feature = "zipkin")]
mod zipkin;

use std::thread;
use std::time::{Duration, Instant};

use clewline::exporter::{Stats, Worker};

/// How much later than its limit anything may end on a machine that is busy otherwise: far less than what hangs would take.
const SLACK: Duration = Duration::from_secs(60);
/// A time limit that is not to run out.
const ENOUGH: Duration = Duration::from_secs(300);

/// Time limits for what has to run out, one after the other: a busy machine may not come to the point within the first of them.
fn growing_limits() -> impl Iterator<Item = Duration> {
    (0..6).map(|doubled| Duration::from_secs(1 << doubled))
}

/// Waits until the client's end of every connection to this port knows that the other one was closed, where the system shows that:
/// on a busy machine it may learn of it a moment later.
fn wait_until_closed(port: u16) {
    let is_open = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        let remote = fields.next().and_then(|address| address.rsplit(':').next());
        let is_there = remote.is_some_and(|there| u16::from_str_radix(there, 16) == Ok(port));
        // `TCP_ESTABLISHED`
        is_there && fields.next() == Some("01")
    };
    let started = Instant::now();
    while std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.lines().any(is_open)) {
        assert!(started.elapsed() < ENOUGH, "a connection to port {port} stays open");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Shuts down, and answers the ledger when the exporter thread has ended, for which nothing that hangs is waited.
fn shut_down(worker: &Worker, limit: Duration) -> Stats {
    let started = Instant::now();
    // On a machine that is busy otherwise, the thread may end a moment after the limit.
    let _ = worker.shutdown(limit);
    while !worker.has_ended() {
        assert!(started.elapsed() < limit + SLACK, "{:?}", worker.stats());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(started.elapsed() < limit + SLACK, "{:?}", worker.stats());
    worker.stats()
}
