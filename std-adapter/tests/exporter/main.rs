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
