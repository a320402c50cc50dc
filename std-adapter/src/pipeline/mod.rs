//! The pipeline: what stands between a span that begins and the thread that exports it.
//!
//! ```text
//! start ──► sampler ──► Recording (from the thread's pool) ──► end ──► the thread's Lane ──► exporter thread ──► collector
//! ```
//!
//! A thread touches only its own memory on this road: ids, pooled spans and the lane are thread-local, so threads do not slow
//! each other down. A pipeline lives as long as the process; shutting it down ends its exporter thread.

#[cfg(feature = "tracing")]
mod adopt;
mod block;
mod buffer;
mod builder;
mod burst;
#[cfg_attr(web, path = "page_clock.rs")]
mod clock;
mod depot;
mod foreseen;
mod ids;
mod lane;
mod ledger;
mod processing;
mod recording;
mod registry;
mod source;
mod start;
mod tail;
mod thread;
mod told;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use clewline_core::{Attribute, Sampler, Scope, SpanLimits, SpanProcessor};

use crate::exporter::{
    Counters, Destination, Envelope, SpanExporter, StartError, Stats, TimedOut, Worker, WorkerSettings,
};
use crate::sampler::guarded;

#[cfg(feature = "tracing")]
pub(crate) use adopt::{adopted_context, sample_again};
pub use buffer::GrowingBuffer;
pub use builder::PipelineBuilder;
pub use clock::HostClock;
use depot::Depot;
use foreseen::Foreseen;
use lane::{Consumer, News, Sizes};
pub use ledger::{ExporterLedger, Ledger};
pub(crate) use recording::{Recording, SpanDetails};
use registry::{Registry, Which};
use source::{Buffers, LaneSource};
use tail::Hold;
pub use tail::TailSampling;

/// How a pipeline records, apart from where it exports to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipelineOptions {
    /// How much one span may record.
    pub limits: SpanLimits,
    /// Bytes that one span may take; what does not fit is refused and counted.
    pub span_bytes: usize,
    /// Bytes of each thread's own in which its finished spans wait until they have left; at least 1024. A thread touches
    /// as many of them as it needs.
    pub thread_bytes: usize,
    /// Bytes that threads whose own are full share, for the time in which spans end faster than they leave. What does not fit
    /// there either is dropped and counted.
    pub burst_bytes: usize,
    /// Entries of the baggage that every span records as attributes of the same name. Nothing else of it is recorded: baggage
    /// comes from whoever sent the request.
    pub baggage_attributes: Vec<String>,
    /// Whether [`shutdown`](Pipeline::shutdown) ends the spans that are open then and came through `tracing`, so that they
    /// are exported, with the attribute `clewline.open_at_shutdown`. Otherwise they stay pending, and are not.
    pub exports_open_spans: bool,
    /// Whether every time is read from the system's clock, and not counted from it by the processor's counter; see
    /// [`HostClock`]. Costs a span about 25 ns. In a page it changes nothing.
    pub uses_system_clock: bool,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            limits: SpanLimits::DEFAULT,
            span_bytes: 64 * 1024,
            thread_bytes: 256 * 1024,
            burst_bytes: 64 << 20,
            baggage_attributes: Vec::new(),
            exports_open_spans: false,
            uses_system_clock: false,
        }
    }
}

/// A sampler that threads share.
pub type SharedSampler = Box<dyn Sampler + Send + Sync>;
/// A processor that threads share.
pub type SharedProcessor = Box<dyn SpanProcessor + Send + Sync>;

/// A road for spans, from start to export. See [`init`](crate::init) for the usual way to one.
pub struct Pipeline {
    id: u64,
    clock: HostClock,
    sampler: Mutex<Arc<dyn Sampler + Send + Sync>>,
    /// Counts how often the sampler was changed. Threads keep the sampler until they see that.
    sampler_version: AtomicU64,
    foreseen: Foreseen,
    processors: Vec<SharedProcessor>,
    options: PipelineOptions,
    is_shut_down: AtomicBool,
    sizes: Sizes,
    /// After how many spans a thread says how many it has finished.
    told_every: usize,
    /// How many waiting spans are worth a request.
    worth_sending: usize,
    /// About how many spans have ended since somebody came for them.
    waiting: AtomicUsize,
    lanes: Registry,
    tail: Option<Mutex<Box<dyn Hold>>>,
    dropped_late: AtomicU64,
    refused_starts: AtomicU64,
    depot: Depot,
    envelope: Arc<Envelope>,
    buffers: Buffers,
    /// What several exporters together made of the spans.
    totals: Arc<Counters>,
    workers: OnceLock<Vec<Worker>>,
    /// Gets the news in place of the workers, where these have no threads.
    wake: Option<Wake>,
}

/// Called where spans have ended; see [`PipelineBuilder::start_polled`].
type Wake = Box<dyn Fn(bool) + Send + Sync>;

impl Pipeline {
    /// A pipeline for a service that `resource` describes, to be started.
    pub fn builder<'a>(resource: &'a [Attribute<'a>]) -> PipelineBuilder<'a> {
        PipelineBuilder::new(resource)
    }

    /// Starts a pipeline with one exporter; see [`PipelineBuilder::start`].
    ///
    /// # Errors
    /// The operating system's, if it cannot start a thread.
    pub fn start(
        resource: &[Attribute<'_>],
        sampler: SharedSampler,
        processors: Vec<SharedProcessor>,
        options: PipelineOptions,
        settings: WorkerSettings,
        exporter: Box<dyn SpanExporter>,
    ) -> Result<&'static Self, StartError> {
        let builder = Self::builder(resource).sampler(sampler).options(options);
        let builder = processors.into_iter().fold(builder, PipelineBuilder::processor);
        builder.destination(Destination::new("", exporter).settings(settings)).start()
    }

    /// Has `sampler` decide about the spans that start from now on, on every thread. Takes effect at once, and costs those
    /// threads nothing until then: each keeps the sampler at hand and looks at a number that hardly ever changes. Where it
    /// panics (and panics unwind), spans do as their parents do, and roots are recorded.
    pub fn set_sampler(&self, sampler: SharedSampler) {
        self.set_own_sampler(guarded(sampler));
    }

    /// A sampler of this crate's own, which does not panic.
    pub(crate) fn set_own_sampler(&self, sampler: SharedSampler) {
        let mut current = lock(&self.sampler);
        self.foreseen.set(&*sampler);
        let sampler = std::mem::replace(&mut *current, sampler.into());
        drop(current);
        self.sampler_version.fetch_add(1, Ordering::Release);
        // Its end is the program's own code, and so comes after the lock.
        drop(sampler);
    }

    /// The sampler at this moment.
    pub(crate) fn sampler(&self) -> Arc<dyn Sampler + Send + Sync> {
        Arc::clone(&lock(&self.sampler))
    }

    /// Registers an instrumentation scope; the same one twice gets the same number. After 65,535 scopes, further ones share
    /// the first.
    pub(crate) fn scope(&self, scope: &Scope<'_>) -> u16 {
        self.scope_of(&Envelope::scope_fields(scope))
    }

    /// Like [`scope`](Self::scope), for fields that were encoded before.
    pub(crate) fn scope_of(&self, fields: &[u8]) -> u16 {
        self.envelope.scope_of(fields).number()
    }

    /// The clock of its spans: for times of the program's own that are to go with theirs.
    #[must_use]
    pub fn clock(&self) -> HostClock {
        self.clock
    }

    /// Tells this pipeline from others of the process; never 0.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    fn register(&self, lane: Consumer) {
        if self.lanes.add(lane) {
            self.submit_leftovers(Which::Ended);
        }
    }

    /// Hands what lanes hold to the exporter threads without waiting for it to come: spans for which its queue has no room are
    /// dropped and counted.
    #[cold]
    fn submit_leftovers(&self, which: Which) {
        LaneSource::new(self, usize::MAX).drain_lanes(which, usize::MAX, &mut drop);
    }

    /// Makes this pipeline the process's own: that of [`layer`](crate::layer), [`subscriber`](crate::subscriber) and
    /// [`tracer`](crate::tracer()). False if there is one already; [`init`](crate::init) and [`start`](crate::start) make one.
    pub fn make_global(&'static self) -> bool {
        crate::tracer::set_global(self)
    }

    /// Everything that happened so far; see [`Ledger`].
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let workers = self.settled_workers();
        // What became of spans is read before how many began, so that no end is seen without its start.
        let export = match workers {
            [worker] => worker.stats(),
            _ => self.totals.read(),
        };
        self.ledger_with(export)
    }

    /// What each destination made of the spans, in the order in which they were added.
    #[must_use]
    pub fn ledgers(&self) -> Vec<ExporterLedger<'_>> {
        let workers = self.settled_workers().iter();
        workers
            .map(|worker| ExporterLedger::new(worker.name(), worker.stats(), |export| self.ledger_with(export)))
            .collect()
    }

    /// The exporter threads. Once all of them have ended, nobody comes any more for spans that end later, so these are counted.
    fn settled_workers(&self) -> &[Worker] {
        let workers = self.workers.get().map(Vec::as_slice).unwrap_or_default();
        if workers.iter().all(Worker::has_ended) {
            self.submit_leftovers(Which::All);
        }
        workers
    }

    fn ledger_with(&self, export: Stats) -> Ledger {
        let totals = self.lanes.totals();
        let tail = self.tail.as_ref().map(|tail| lock(tail).counts()).unwrap_or_default();
        let refused = self.refused_starts.load(Ordering::Relaxed);
        Ledger::new(&totals, self.dropped_late.load(Ordering::Relaxed), refused, tail, export)
    }

    /// Sends everything that has ended so far and waits for the outcome. Blocks the calling thread.
    ///
    /// # Errors
    /// The outcome was not known within `timeout`; sending goes on.
    pub fn flush(&self, timeout: Duration) -> Result<(), TimedOut> {
        match self.workers.get() {
            Some(workers) if self.wake.is_none() => Worker::flush_all(workers, timeout),
            _ => self.all_settled(),
        }
    }

    /// What a flush answers that has nobody to wait for.
    fn all_settled(&self) -> Result<(), TimedOut> {
        match self.ledger().pending {
            0 => Ok(()),
            pending => Err(TimedOut { pending }),
        }
    }

    /// Sends everything that has ended so far and ends the exporter thread, within `timeout` whatever the collector does.
    /// Spans that start later are not recorded; those that end later are dropped and counted.
    ///
    /// # Errors
    /// The exporter thread did not end in time.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.is_shut_down.store(true, Ordering::Relaxed);
        #[cfg(feature = "tracing")]
        if self.options.exports_open_spans {
            crate::layer::end_open_spans(self);
        }
        match self.workers.get() {
            Some(workers) if self.wake.is_none() => Worker::shutdown_all(workers, timeout),
            _ => self.all_settled(),
        }
    }

    /// Takes note of spans that have ended, and has the exporter threads come when there is reason to.
    #[cold]
    fn tell(&self, news: News) {
        let before = self.waiting.fetch_add(news.spans, Ordering::Relaxed);
        let is_worth_it = before < self.worth_sending && before + news.spans >= self.worth_sending;
        if let Some(wake) = &self.wake {
            wake(news.is_pressing || is_worth_it);
            return;
        }
        let workers = self.workers.get().into_iter().flatten();
        if news.is_pressing {
            workers.for_each(Worker::press);
        } else if is_worth_it {
            workers.for_each(Worker::wake);
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pipeline").field("id", &self.id).field("ledger", &self.ledger()).finish_non_exhaustive()
    }
}

/// Locks even if another thread panicked while it held the lock: every state behind these locks is valid at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
