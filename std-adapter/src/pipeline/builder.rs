//! `PipelineBuilder`: puts a pipeline together and starts it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use clewline_core::{AlwaysOn, Attribute, ParentBased, Resource, SpanProcessor, SpanView, Verdict};

use super::depot::Depot;
use super::foreseen::Foreseen;
use super::lane::Sizes;
use super::registry::Registry;
use super::source::{Buffers, LaneSource};
use super::tail::{Hold, Tail, TailSampling};
use super::{HostClock, Pipeline, PipelineOptions, SharedProcessor, SharedSampler, Wake};
use crate::exporter::{Destination, Envelope, Outbox, OutboxLimits, StartError, Worker};
use crate::sampler::guarded;

/// How often a thread says how many spans it has finished while a batch comes together.
const NEWS_PER_BATCH: usize = 8;
/// After how many spans it says so at the latest.
const LONGEST_WITHOUT_NEWS: usize = 64;

/// A pipeline to be started: call [`start`](Self::start).
///
/// ```
/// use clewline::exporter::{Destination, ExportOutcome, Request, SpanExporter};
/// use clewline::{Pipeline, Scope, Value};
/// use std::time::{Duration, Instant};
///
/// struct Discard;
/// impl SpanExporter for Discard {
///     fn export(&mut self, _: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
///         ExportOutcome::Delivered
///     }
/// }
///
/// # fn main() -> Result<(), clewline::exporter::StartError> {
/// let pipeline = Pipeline::builder(&[("service.name", Value::from("shop"))])
///     .destination(Destination::new("collector", Box::new(Discard)))
///     .destination(Destination::new("archive", Box::new(Discard)))
///     .start()?;
/// pipeline.tracer(&Scope { name: "shop", ..Scope::default() }).span("GET /cart").start().end();
/// assert!(pipeline.flush(Duration::from_secs(30)).is_ok());
/// assert_eq!((pipeline.ledger().delivered, pipeline.ledgers().len()), (1, 2));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens until `start` is called"]
pub struct PipelineBuilder<'a> {
    resource: &'a [Attribute<'a>],
    sampler: SharedSampler,
    processors: Vec<SharedProcessor>,
    options: PipelineOptions,
    tail: Option<Box<dyn Hold>>,
    destinations: Vec<Destination>,
}

impl<'a> PipelineBuilder<'a> {
    pub(super) fn new(resource: &'a [Attribute<'a>]) -> Self {
        Self {
            resource,
            sampler: Box::new(ParentBased::new(AlwaysOn)),
            processors: Vec::new(),
            options: PipelineOptions::default(),
            tail: None,
            destinations: Vec::new(),
        }
    }

    /// Decides which spans are recorded; otherwise all, except where a parent was not sampled. It can be changed while the
    /// pipeline runs: [`Pipeline::set_sampler`]. Where it panics (and panics unwind), spans do as their parents do, and roots are recorded.
    pub fn sampler(self, sampler: SharedSampler) -> Self {
        self.own_sampler(guarded(sampler))
    }

    /// A sampler of this crate's own, which does not panic.
    pub(crate) fn own_sampler(mut self, sampler: SharedSampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Adds a processor; they see a span in the order in which they were added.
    pub fn processor(mut self, processor: SharedProcessor) -> Self {
        self.processors.push(processor);
        self
    }

    /// Sets how spans are recorded.
    pub fn options(mut self, options: PipelineOptions) -> Self {
        self.options = options;
        self
    }

    /// Exports only traces that turn out to be worth it. Spans wait for that on the exporter thread; those that are not kept are
    /// counted in the ledger, and [`flush`](Pipeline::flush) does not wait for traces that have not ended.
    pub fn tail(mut self, tail: TailSampling) -> Self {
        self.tail = Some(Box::new(Tail::new(tail)));
        self
    }

    /// Adds a place that finished spans go to. Every span goes to each. Without any, spans are
    /// sampled and propagated, shown to the processors, and counted as not exported.
    pub fn destination(mut self, destination: Destination) -> Self {
        self.destinations.push(destination);
        self
    }

    /// Starts the pipeline and a thread for each destination. It is never freed, so a process should start one, or a few in
    /// tests.
    ///
    /// # Errors
    /// The operating system refused a thread, or a disk spool cannot be used.
    pub fn start(mut self) -> Result<&'static Pipeline, StartError> {
        if self.destinations.is_empty() {
            self.processors.push(Box::new(HoldBack));
        }
        let worth_sending = self.destinations.iter().map(|destination| destination.settings.batch_spans()).min();
        let worth_sending = worth_sending.unwrap_or(usize::MAX);
        let destinations = std::mem::take(&mut self.destinations);
        let told_every = (worth_sending / NEWS_PER_BATCH).clamp(1, LONGEST_WITHOUT_NEWS);
        let pipeline = self.build(worth_sending, told_every, None);
        let spawn = |(number, destination)| {
            Worker::spawn(destination, Arc::clone(&pipeline.envelope), Box::new(LaneSource::new(pipeline, number)))
        };
        let workers = destinations.into_iter().enumerate().map(spawn).collect::<Result<Vec<_>, _>>()?;
        pipeline.workers.get_or_init(|| workers);
        Ok(pipeline)
    }

    /// Starts the pipeline without any thread, for hosts that have none, such as a page: somebody comes for the spans, to the
    /// outbox. Destinations that were added are not started.
    ///
    /// `wake` is called whenever a span has ended, on the thread where it did, and is to see to it that somebody comes in a
    /// while; at once, if it is told `true`, because there is a request's worth of spans or a thread runs out of memory. It
    /// must not end spans itself. [`Pipeline::flush`] and [`Pipeline::shutdown`] cannot wait for anybody.
    ///
    /// ```
    /// use clewline::exporter::{ExportOutcome, OutboxLimits};
    /// use clewline::{Pipeline, Scope, Value};
    ///
    /// let resource = [("service.name", Value::from("shop"))];
    /// let (pipeline, outbox) = Pipeline::builder(&resource).start_polled(OutboxLimits::default(), |_| {});
    /// pipeline.tracer(&Scope { name: "shop", ..Scope::default() }).span("GET /cart").start().end();
    /// while let Some(mut parcel) = outbox.take(64 * 1024) {
    ///     parcel.attempt(|request| println!("{} bytes", request.size()));
    ///     parcel.settle(ExportOutcome::Delivered);
    /// }
    /// assert_eq!(pipeline.ledger().delivered, 1);
    /// ```
    pub fn start_polled(
        self,
        limits: OutboxLimits,
        wake: impl Fn(bool) + Send + Sync + 'static,
    ) -> (&'static Pipeline, Outbox) {
        let pipeline = self.build(limits.batch_spans.max(1), 1, Some(Box::new(wake)));
        let source = Box::new(LaneSource::new(pipeline, 0));
        let (worker, outbox) = Worker::without_thread(&limits, Arc::clone(&pipeline.envelope), source);
        pipeline.workers.get_or_init(|| vec![worker]);
        (pipeline, outbox)
    }

    /// The pipeline, without anybody who fetches its spans. `wake` gets the news, if not the workers do.
    fn build(self, worth_sending: usize, told_every: usize, wake: Option<Wake>) -> &'static Pipeline {
        let sizes = Sizes::new(self.options.thread_bytes, self.options.burst_bytes);
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Box::leak(Box::new(Pipeline {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            clock: if self.options.uses_system_clock { HostClock::system() } else { HostClock::get() },
            foreseen: Foreseen::new(&*self.sampler, !self.processors.is_empty()),
            sampler: Mutex::new(self.sampler.into()),
            sampler_version: AtomicU64::new(1),
            processors: self.processors,
            options: self.options,
            is_shut_down: AtomicBool::new(false),
            sizes,
            told_every,
            worth_sending,
            waiting: AtomicUsize::new(0),
            lanes: Registry::new(),
            tail: self.tail.map(Mutex::new),
            dropped_late: AtomicU64::new(0),
            refused_starts: AtomicU64::new(0),
            depot: Depot::default(),
            envelope: Arc::new(Envelope::new(&Resource::from(self.resource))),
            buffers: Buffers::default(),
            totals: Arc::default(),
            workers: OnceLock::new(),
            wake,
        }))
    }
}

/// Keeps every span from being exported, where there is nowhere to export it to.
#[derive(Debug)]
struct HoldBack;

impl SpanProcessor for HoldBack {
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Drop
    }
}

impl fmt::Debug for PipelineBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, options, destinations, .. } = self;
        f.debug_struct("PipelineBuilder")
            .field("resource", resource)
            .field("options", options)
            .field("destinations", destinations)
            .finish_non_exhaustive()
    }
}
