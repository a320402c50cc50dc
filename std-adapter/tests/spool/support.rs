//! A collector that is there or away as a test says, and directories for spools.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clewline::exporter::retry::Backoff;
use clewline::exporter::{Destination, ExportOutcome, Request, SpanExporter, StartError, WorkerSettings};
use clewline::spool::SpoolOptions;
use clewline::{Ledger, Pipeline, Scope, Tracer};
use clewline_core::{AlwaysOn, RequestView};

pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// How the collector behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    There,
    Away,
    /// Takes the request and does not answer.
    Hangs,
    Refuses,
}

/// A collector, and the names of the spans it took, in order.
#[derive(Clone)]
pub(crate) struct Collector {
    mood: Arc<AtomicU8>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood: Arc::new(AtomicU8::new(mood as u8)), taken: Arc::default() }
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    fn mood(&self) -> u8 {
        self.mood.load(Ordering::SeqCst)
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl SpanExporter for Collector {
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let mood = self.mood();
        while self.mood() == Mood::Hangs as u8 && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if mood == Mood::Away as u8 || mood == Mood::Hangs as u8 {
            return ExportOutcome::Retryable { after: None, reason: "scripted".to_owned() };
        }
        if mood == Mood::Refuses as u8 {
            return ExportOutcome::Rejected { reason: "scripted".to_owned() };
        }
        let bytes = request.parts().concat();
        let names = names(&bytes);
        assert_eq!(names.len(), request.spans());
        self.taken.lock().unwrap().extend(names);
        ExportOutcome::Delivered
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let collector = self.clone();
        Some(Box::new(move || collector.is(Mood::Away)))
    }
}

/// The names of all spans of a request, in order.
pub(crate) fn names(bytes: &[u8]) -> Vec<String> {
    let view = RequestView::parse(bytes).expect("valid OTLP");
    let scopes = view.resource_spans().flat_map(|resource| resource.scope_spans().collect::<Vec<_>>());
    let spans = scopes.flat_map(|scope| scope.spans().collect::<Vec<_>>());
    spans.map(|span| span.expect("valid OTLP").1.name().to_owned()).collect()
}

/// A directory that goes when the test ends.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("spool-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique))
    }

    pub(crate) fn options(&self) -> SpoolOptions {
        SpoolOptions::new(&self.0)
    }

    /// The file of the destination that the tests use.
    pub(crate) fn file(&self) -> PathBuf {
        self.options().path("test")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The lines that a destination wrote.
pub(crate) type Lines = Arc<Mutex<Vec<String>>>;

pub(crate) fn settings() -> (WorkerSettings, Lines) {
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    let settings = WorkerSettings {
        schedule_delay: Duration::from_millis(50),
        backoff: Backoff { initial: Duration::from_millis(100), longest: Duration::from_millis(200), factor: 1.5 },
        report: Box::new(move |line| sink.lock().unwrap().push(line.to_owned())),
        ..WorkerSettings::default()
    };
    (settings, lines)
}

pub(crate) fn start_with(
    options: SpoolOptions,
    collector: &Collector,
    settings: WorkerSettings,
) -> Result<(&'static Pipeline, Tracer), StartError> {
    let destination = Destination::new("test", Box::new(collector.clone())).settings(settings).spool(options);
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination).start()?;
    Ok((pipeline, pipeline.tracer(&Scope { name: "test", ..Scope::default() })))
}

pub(crate) fn start(options: SpoolOptions, collector: &Collector) -> (&'static Pipeline, Tracer) {
    start_with(options, collector, settings().0).unwrap()
}

/// Records spans with the names `prefix-0`, `prefix-1` and so on, and answers them.
pub(crate) fn record(tracer: Tracer, prefix: &str, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|index| format!("{prefix}-{index}")).collect();
    names.iter().for_each(|name| tracer.span(name).start().end());
    names
}

pub(crate) fn assert_sound(ledger: &Ledger) {
    let sum = ledger.delivered + ledger.rejected + ledger.dropped() + ledger.not_exported + ledger.pending;
    assert_eq!(ledger.started, sum, "{ledger:?}");
    assert!(ledger.spooled <= ledger.pending, "{ledger:?}");
}

/// Waits until the ledger is as it should become.
pub(crate) fn wait_for(pipeline: &Pipeline, what: impl Fn(&Ledger) -> bool) -> Ledger {
    let started = Instant::now();
    loop {
        let ledger = pipeline.ledger();
        assert_sound(&ledger);
        if what(&ledger) {
            return ledger;
        }
        assert!(started.elapsed() < PATIENCE, "{:?}", pipeline.ledgers());
        std::thread::sleep(Duration::from_millis(5));
    }
}
