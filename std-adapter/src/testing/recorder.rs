//! `Recorder`: a pipeline for one test, and the threads that belong to it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::thread;
use std::time::Duration;

use clewline_core::{AlwaysOn, Sampler, Scope, SpanLimits, SpanProcessor};
use pin_project_lite::pin_project;

use super::scope::{self, NoteTraces, ThreadScope};
use super::spans::Spans;
use crate::Tracer;
use crate::exporter::{Destination, MemoryExporter, WorkerSettings};
use crate::pipeline::{Pipeline, PipelineBuilder, PipelineOptions, SharedProcessor, SharedSampler};

/// How long recorded spans may take to arrive: far longer than they ever do.
const PATIENCE: Duration = Duration::from_secs(30);
/// More spans than a test looks at.
const MOST_SPANS: usize = 1_000_000;

/// Records what one test does; see [`testing`](super). Dropped in a panic, it prints what was recorded.
///
/// It belongs to the thread that made it. Make one for each test, at its beginning.
pub struct Recorder {
    pipeline: &'static Pipeline,
    memory: MemoryExporter,
    /// `None` once it has ended.
    thread: Option<ThreadScope>,
}

impl Recorder {
    /// Records all spans; of `tracing` those of level INFO and above, as [`init`](crate::init) does.
    ///
    /// # Panics
    /// The operating system refused a thread.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it changes the thread it is made on, which a default should not")]
    pub fn new() -> Self {
        Self::builder().start()
    }

    /// A recorder that differs from the usual one.
    pub fn builder() -> RecorderBuilder {
        RecorderBuilder {
            sampler: Box::new(AlwaysOn),
            processors: Vec::new(),
            limits: SpanLimits::DEFAULT,
            #[cfg(feature = "tracing")]
            level: tracing_core::LevelFilter::INFO,
        }
    }

    /// The spans that have ended so far.
    ///
    /// # Panics
    /// They did not arrive within half a minute.
    #[must_use]
    pub fn spans(&self) -> Spans {
        if let Err(error) = self.pipeline.flush(PATIENCE) {
            panic!("the spans did not arrive: {error}");
        }
        Spans::new(self.memory.spans(), self.pipeline.ledger().pending)
    }

    /// The pipeline that records.
    #[must_use]
    pub fn pipeline(&self) -> &'static Pipeline {
        self.pipeline
    }

    /// A tracer that records here, also on threads that do not belong to the recorder.
    #[must_use]
    pub fn tracer(&self, name: &str) -> Tracer {
        self.pipeline.tracer(&Scope { name, ..Scope::default() })
    }

    /// For threads and tasks that start outside of all spans of the test.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { pipeline: self.pipeline }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.thread.take());
        scope::remove(self.pipeline);
        if thread::panicking() && !super::spans::has_been_shown() {
            // The test harness keeps what is printed for the report of the failed test.
            eprintln!("recorded so far:\n\n{}", self.spans());
        }
        // What is still going on after the test is of no interest.
        let _ = self.pipeline.shutdown(PATIENCE);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}

/// A recorder to be started; made by [`Recorder::builder`].
#[must_use = "nothing is recorded until `start` is called"]
pub struct RecorderBuilder {
    sampler: SharedSampler,
    processors: Vec<SharedProcessor>,
    limits: SpanLimits,
    #[cfg(feature = "tracing")]
    level: tracing_core::LevelFilter,
}

impl RecorderBuilder {
    /// Decides which spans are recorded.
    pub fn sampler(mut self, sampler: impl Sampler + Send + Sync + 'static) -> Self {
        self.sampler = Box::new(sampler);
        self
    }

    /// Adds a processor.
    pub fn processor(mut self, processor: impl SpanProcessor + Send + Sync + 'static) -> Self {
        self.processors.push(Box::new(processor));
        self
    }

    /// Limits how much a span may record.
    pub fn limits(mut self, limits: SpanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Which `tracing` spans and events are recorded.
    #[cfg(feature = "tracing")]
    pub fn level(mut self, level: impl Into<tracing_core::LevelFilter>) -> Self {
        self.level = level.into();
        self
    }

    /// Starts to record.
    ///
    /// # Panics
    /// The operating system refused a thread.
    #[must_use]
    pub fn start(self) -> Recorder {
        let memory = MemoryExporter::new(MOST_SPANS);
        let settings =
            WorkerSettings { max_queue_spans: MOST_SPANS, report: Box::new(|_| {}), ..WorkerSettings::default() };
        let destination = Destination::new("memory", Box::new(memory.clone())).settings(settings);
        let options = PipelineOptions { limits: self.limits, ..PipelineOptions::default() };
        let note_traces = NoteTraces::default();
        let builder = Pipeline::builder(&[]).sampler(self.sampler).options(options).destination(destination);
        let builder = builder.processor(Box::new(note_traces.clone()));
        let builder = self.processors.into_iter().fold(builder, PipelineBuilder::processor);
        let pipeline = match builder.start() {
            Ok(pipeline) => pipeline,
            Err(error) => panic!("the recorder cannot start: {error}"),
        };
        note_traces.of(pipeline);
        #[cfg(feature = "tracing")]
        scope::add(pipeline, subscriber(pipeline, self.level));
        #[cfg(not(feature = "tracing"))]
        scope::add(pipeline);
        Recorder { pipeline, memory, thread: Some(scope::enter(pipeline)) }
    }
}

impl fmt::Debug for RecorderBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RecorderBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(feature = "tracing")]
fn subscriber(pipeline: &'static Pipeline, level: tracing_core::LevelFilter) -> tracing_core::Dispatch {
    let targets = tracing_subscriber::filter::Targets::new().with_default(level);
    tracing_core::Dispatch::new(crate::ClewlineSubscriber::new(pipeline).with_targets(targets))
}

/// Brings threads and tasks to a [`Recorder`]; made by [`Recorder::handle`]. May be cloned and sent.
///
/// ```
/// let recorder = clewline::testing::Recorder::new();
/// let handle = recorder.handle();
/// std::thread::spawn(move || {
///     let _entered = handle.enter();
///     clewline::tracer("shop").span("in the background").start().end();
/// })
/// .join()
/// .unwrap();
/// recorder.spans().named("in the background").is_root();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    pipeline: &'static Pipeline,
}

impl Handle {
    /// Has this thread record for the test until the guard is dropped.
    pub fn enter(&self) -> Entered {
        Entered(scope::enter(self.pipeline))
    }

    /// Has a future record for the test, on whatever threads it is polled.
    pub fn instrument<F: Future>(self, future: F) -> WithRecorder<F> {
        WithRecorder { future, handle: self }
    }
}

/// Keeps a thread with a [`Recorder`] until dropped; made by [`Handle::enter`].
#[must_use = "the thread leaves the recorder when this is dropped: keep it in a variable such as `_entered`"]
#[derive(Debug)]
pub struct Entered(#[expect(dead_code, reason = "held for its end")] ThreadScope);

pin_project! {
    /// A future that records for a test; made by [`Handle::instrument`].
    #[must_use = "futures do nothing unless they are awaited"]
    #[derive(Debug)]
    pub struct WithRecorder<F> {
        #[pin]
        future: F,
        handle: Handle,
    }
}

impl<F: Future> Future for WithRecorder<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.handle.enter();
        this.future.poll(task)
    }
}
