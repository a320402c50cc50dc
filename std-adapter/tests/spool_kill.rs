//! kill -9 in the middle: every span that a flush had acknowledged is delivered after the restart, and this test counts them.
//!
//! The program is its own child: as such it records, flushes, and says after every flush how many spans are safe, until it is
//! killed. The receiver is a plain HTTP server in this process, away at first. Not run by libtest, whose processes are not to be
//! killed.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clewline::config::TracingConfig;
use clewline::exporter::{Destination, OtlpHttpExporter, WorkerSettings};
use clewline::spool::SpoolOptions;
use clewline::{Pipeline, Scope};
use clewline_core::{AlwaysOn, RequestView};

#[path = "exporter/collector.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod collector;

use collector::{Collector, answer, unreachable_url};

const PATIENCE: Duration = Duration::from_secs(300);
/// How often the child is killed and started again before the receiver comes back.
const LIVES: usize = 4;
/// Acknowledgements in one life, at most; the kill comes somewhere between them.
const FLUSHES: usize = 40;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[1..] {
        [task, directory, url, life] if task == "--record" => child::record(directory, url, life),
        [task, directory, url] if task == "--replay" => child::replay(directory, url),
        // Options of libtest that `cargo test` passes on mean nothing here.
        _ => every_acknowledged_span_is_delivered_at_least_once(),
    }
}

fn every_acknowledged_span_is_delivered_at_least_once() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("spool-kill-{}", std::process::id()));
    let away = unreachable_url();
    let mut acknowledged = Vec::new();
    for life in 0..LIVES {
        let mut child = spawn(&["--record", &directory.display().to_string(), &away, &life.to_string()]);
        let count = kill_in_the_middle(&mut child, 3 + life * 7);
        assert!(count > 0, "life {life}: nothing was acknowledged");
        acknowledged.extend((0..count).map(|number| format!("{life}-{number}")));
    }

    // The receiver is back; one more kill comes in the middle of the delivery.
    let receiver = Collector::start(|_| {
        std::thread::sleep(Duration::from_millis(20));
        answer(200, "", b"")
    });
    let replay = || spawn(&["--replay", &directory.display().to_string(), &receiver.url("/v1/traces")]);
    let mut child = replay();
    let started = Instant::now();
    while receiver.received().len() < 5 {
        assert!(started.elapsed() < PATIENCE, "nothing is delivered");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = replay().wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut delivered: HashMap<String, usize> = HashMap::new();
    for request in receiver.received() {
        span_names(&request.body).into_iter().for_each(|name| *delivered.entry(name).or_default() += 1);
    }
    let missing: Vec<_> = acknowledged.iter().filter(|name| !delivered.contains_key(*name)).collect();
    assert!(
        missing.is_empty(),
        "{} of {} acknowledged spans are missing: {missing:?}",
        missing.len(),
        acknowledged.len()
    );
    let repeated = delivered.values().filter(|count| **count > 1).count();
    let _ = std::fs::remove_dir_all(&directory);
    println!(
        "{} times kill -9: {} spans acknowledged, all delivered; {} delivered in all, {repeated} more than once",
        LIVES + 1,
        acknowledged.len(),
        delivered.len()
    );
}

/// The names of all spans of a request.
fn span_names(body: &[u8]) -> Vec<String> {
    let view = RequestView::parse(body).unwrap();
    let scopes = view.resource_spans().flat_map(|resource| resource.scope_spans().collect::<Vec<_>>());
    let spans = scopes.flat_map(|scope| scope.spans().collect::<Vec<_>>());
    spans.map(|span| span.unwrap().1.name().to_owned()).collect()
}

fn spawn(arguments: &[&str]) -> Child {
    let program: PathBuf = std::env::current_exe().unwrap();
    Command::new(program).args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Kills the child after so many acknowledgements, while it goes on, and answers how many spans the last one was for.
fn kill_in_the_middle(child: &mut Child, acknowledgements: usize) -> usize {
    let started = Instant::now();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut count = 0;
    for line in lines.by_ref().take(acknowledgements.min(FLUSHES)) {
        count = line.parse().unwrap();
        assert!(started.elapsed() < PATIENCE, "the child is stuck");
    }
    // SIGKILL, on Unix.
    child.kill().unwrap();
    child.wait().unwrap();
    // What was still in the pipe had been acknowledged too.
    lines.last().map_or(count, |line| line.parse().unwrap())
}

mod child {
    use super::*;

    fn start(directory: &str, url: &str) -> &'static Pipeline {
        let lookup = |name: &str| (name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").then(|| url.to_owned());
        let config = TracingConfig::from_lookup(lookup);
        let exporter = OtlpHttpExporter::new(&config.otlp).unwrap();
        let settings = WorkerSettings { report: Box::new(|_| {}), ..WorkerSettings::new(&config) };
        let destination =
            Destination::new("kill", Box::new(exporter)).settings(settings).spool(SpoolOptions::new(directory));
        Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination).start().unwrap()
    }

    /// Records and flushes until killed, and says how many spans each flush has acknowledged.
    pub(super) fn record(directory: &str, url: &str, life: &str) {
        let pipeline = start(directory, url);
        let tracer = pipeline.tracer(&Scope { name: "kill", ..Scope::default() });
        let mut count = 0;
        loop {
            // A different number each time, so that batches differ.
            for _ in 0..17 + count % 300 {
                tracer.span(&format!("{life}-{count}")).start().end();
                count += 1;
            }
            pipeline.flush(PATIENCE).unwrap();
            assert_eq!(pipeline.ledger().dropped(), 0, "nothing may be lost while there is room");
            println!("{count}");
        }
    }

    /// Delivers what is on disk.
    pub(super) fn replay(directory: &str, url: &str) {
        let pipeline = start(directory, url);
        let started = Instant::now();
        while pipeline.ledgers()[0].inherited.waiting > 0 {
            assert!(started.elapsed() < PATIENCE, "{:?}", pipeline.ledgers());
            std::thread::sleep(Duration::from_millis(5));
        }
        let inherited = pipeline.ledgers()[0].inherited;
        assert_eq!(inherited.found, inherited.delivered, "{inherited:?}");
        pipeline.shutdown(PATIENCE).unwrap();
    }
}
