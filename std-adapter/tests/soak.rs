//! Soak: four threads, a receiver that fails one request in ten, a ledger that is exact to the span, and memory that stays flat.
//!
//! The short form runs with every other test. The million: `cargo xtask soak`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clewline::config::TracingConfig;
use clewline::exporter::retry::Backoff;
use clewline::exporter::{Destination, OtlpHttpExporter, WorkerSettings};
use clewline::{Ledger, Pipeline, Scope, Tracer};
use clewline_core::{AlwaysOn, RequestView};

const THREADS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(300);
/// How much more memory the last quarter of a run may take than the second one: what the allocator keeps here and there.
const FLAT: u64 = 8 << 20;

/// Spans that wait, so many that a receiver is still far behind: on a busy machine the exporter thread is, too, and then what waits
/// would be memory that grows.
const MOST_PENDING: u64 = 10_000;

/// A receiver on a plain socket that answers every tenth request with 503, and what it took.
#[derive(Clone, Default)]
struct Receiver {
    requests: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    spans: Arc<AtomicU64>,
}

impl Receiver {
    /// Starts it, and answers its URL.
    fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let receiver = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let receiver = receiver.clone();
                thread::spawn(move || receiver.serve(stream.unwrap()));
            }
        });
        url
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut body = Vec::new();
        loop {
            let mut length = 0;
            let mut line = String::new();
            while {
                line.clear();
                reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
                !line.trim().is_empty()
            } {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
            body.resize(length, 0);
            reader.read_exact(&mut body).ok()?;
            let status = if (self.requests.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(10) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                "503 Service Unavailable"
            } else {
                let view = RequestView::parse(&body).expect("valid OTLP");
                let scopes = view.resource_spans().flat_map(|resource| resource.scope_spans().collect::<Vec<_>>());
                let spans = scopes.flat_map(|scope| scope.spans().collect::<Vec<_>>());
                self.spans.fetch_add(spans.map(|span| u64::from(span.is_ok())).sum(), Ordering::Relaxed);
                "200 OK"
            };
            stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).ok()?;
        }
    }
}

/// What this process has in memory, where the system says so.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Records traces of four spans, so many spans in all and so many in a second at most: no faster than they leave.
fn record(pipeline: &Pipeline, tracer: Tracer, spans: u64, per_second: u64) {
    let started = Instant::now();
    for number in 0..spans / 4 {
        let mut root = tracer.span("GET /cart/{id}").start();
        root.set("cart.id", i64::try_from(number).unwrap());
        for _ in 0..3 {
            let mut child = tracer.span("SELECT cart").child_of(&root).start();
            child.set("db.system.name", "postgresql").set("db.collection.name", "cart").event("cache.miss");
        }
        root.end();
        if number % 64 == 0 {
            let due = Duration::from_micros(number * 4 * 1_000_000 / per_second);
            thread::sleep(due.saturating_sub(started.elapsed()));
            while pipeline.ledger().pending > MOST_PENDING {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn assert_sound(ledger: &Ledger) {
    let sum = ledger.delivered + ledger.rejected + ledger.dropped() + ledger.not_exported + ledger.pending;
    assert_eq!(ledger.started, sum, "{ledger:?}");
}

/// Runs so many spans through a pipeline, and answers its ledger and the greatest memory in each quarter of the time.
fn soak(spans: u64, per_second: u64, settings: WorkerSettings) -> (Ledger, [Option<u64>; 4], Receiver) {
    let receiver = Receiver::default();
    let url = receiver.start();
    let lookup = |name: &str| (name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").then(|| url.clone());
    let exporter = OtlpHttpExporter::new(&TracingConfig::from_lookup(lookup).otlp).unwrap();
    let destination = Destination::new("soak", Box::new(exporter)).settings(settings);
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination).start().unwrap();
    let tracer = pipeline.tracer(&Scope { name: "soak", ..Scope::default() });
    let samples = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(move || record(pipeline, tracer, spans / THREADS, per_second / THREADS)))
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            assert_sound(&pipeline.ledger());
            samples.lock().unwrap().push(resident());
            thread::sleep(Duration::from_millis(20));
        }
    });
    pipeline.flush(PATIENCE).unwrap();
    let ledger = pipeline.ledger();
    pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger(), ledger);
    let samples = samples.into_inner().unwrap();
    let quarters = [0, 1, 2, 3].map(|quarter| {
        let part = &samples[samples.len() * quarter / 4..samples.len() * (quarter + 1) / 4];
        part.iter().copied().max().flatten()
    });
    (ledger, quarters, receiver)
}

fn assert_exact_and_flat(spans: u64, (ledger, quarters, receiver): &(Ledger, [Option<u64>; 4], Receiver)) {
    assert_sound(ledger);
    assert_eq!((ledger.started, ledger.pending, ledger.not_exported), (spans, 0, 0), "{ledger:?}");
    assert_eq!(ledger.delivered, receiver.spans.load(Ordering::Relaxed), "{ledger:?}");
    assert_eq!(ledger.delivered + ledger.dropped(), spans, "{ledger:?}");
    assert!(receiver.refused.load(Ordering::Relaxed) > 0);
    if let [_, Some(second), _, Some(last)] = quarters {
        assert!(*last <= second + FLAT, "memory grew: {quarters:?}");
    }
}

/// The defaults, but for the waits: by those, a receiver that fails one request in ten gets ten requests a second.
fn settings() -> WorkerSettings {
    let wait = Duration::from_millis(100);
    let backoff = Backoff { initial: wait, longest: wait, factor: 1.0 };
    WorkerSettings { backoff, report: Box::new(|_| {}), ..WorkerSettings::default() }
}

#[test]
fn a_hundred_thousand_spans() {
    let outcome = soak(100_000, 40_000, settings());
    assert_exact_and_flat(100_000, &outcome);
    assert_eq!(outcome.0.dropped(), 0, "what waits for the next attempt fits: {:?}", outcome.0);
}

#[test]
#[ignore = "takes half a minute: cargo xtask soak"]
fn a_million_spans() {
    let started = Instant::now();
    let outcome = soak(1_000_000, 40_000, settings());
    let (ledger, quarters, receiver) = &outcome;
    println!(
        "1,000,000 spans by {THREADS} threads in {:.1} s: {} delivered, {} dropped ({} requests, of which {} were answered with \
         503); greatest memory in the quarters of the run: {:?} MiB",
        started.elapsed().as_secs_f64(),
        ledger.delivered,
        ledger.dropped(),
        receiver.requests.load(Ordering::Relaxed),
        receiver.refused.load(Ordering::Relaxed),
        quarters.map(|bytes| bytes.unwrap_or_default() >> 20),
    );
    assert_exact_and_flat(1_000_000, &outcome);
}
