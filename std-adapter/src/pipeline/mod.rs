//! The pipeline: what stands between a span that begins and the thread that exports it.
//!
//! ```text
//! start ──► sampler ──► Recording (from the thread's pool) ──► end ──► the thread's Ring ──► exporter thread ──► collector
//! ```
//!
//! A thread touches only its own memory on this road: ids, pooled spans and the ring are thread-local, so threads do not slow
//! each other down. A pipeline lives as long as the process; shutting it down ends its exporter thread.

#[cfg(feature = "tracing")]
mod adopt;
mod buffer;
mod builder;
mod clock;
mod foreseen;
mod ledger;
mod registry;
mod ring;
mod source;
mod thread;
mod told;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use clewline_core::b3::SamplingState;
use clewline_core::{
    Attribute, Link, RandomIds, ReadWriteSpan, Sampler, Scope, Span, SpanContext, SpanDecision, SpanId, SpanKind,
    SpanLimits, SpanProcessor, SpanRequest, SpanStart, TraceFlags, TraceId, TraceStateUpdate, Verdict,
};

use crate::current::carried::{Carried, Shared};
use crate::exporter::{
    Counters, Destination, Envelope, ScopeIndex, SpanExporter, StartError, Stats, TimedOut, Worker, WorkerSettings,
};

#[cfg(feature = "tracing")]
pub(crate) use adopt::{adopted_context, sample_again};
pub use buffer::GrowingBuffer;
pub use builder::PipelineBuilder;
pub use clock::HostClock;
use foreseen::Foreseen;
pub use ledger::{ExporterLedger, Ledger};
use registry::{Registry, Which};
use ring::Ring;
use source::{Buffers, RingSource};
use thread::{Local, begin, with_local};

/// How a pipeline records, apart from where it exports to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipelineOptions {
    /// How much one span may record.
    pub limits: SpanLimits,
    /// Bytes that one span may take; what does not fit is refused and counted.
    pub span_bytes: usize,
    /// Bytes in which finished spans of one thread wait for the exporter thread; a power of two, at least 1024.
    pub ring_bytes: usize,
    /// Entries of the baggage that every span records as attributes of the same name. Nothing else of it is recorded: baggage
    /// comes from whoever sent the request.
    pub baggage_attributes: Vec<String>,
    /// Whether [`shutdown`](Pipeline::shutdown) ends the spans that are open then and came through `tracing`, so that they
    /// are exported, with the attribute `clewline.open_at_shutdown`. Otherwise they stay pending, and are not.
    pub exports_open_spans: bool,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            limits: SpanLimits::DEFAULT,
            span_bytes: 64 * 1024,
            ring_bytes: 256 * 1024,
            baggage_attributes: Vec::new(),
            exports_open_spans: false,
        }
    }
}

/// A sampler that threads share.
pub type SharedSampler = Box<dyn Sampler + Send + Sync>;
/// A processor that threads share.
pub type SharedProcessor = Box<dyn SpanProcessor + Send + Sync>;

/// A span that is being recorded, on its place in the pool.
pub(crate) struct Recording {
    pub(crate) span: Span<GrowingBuffer>,
    pipeline: &'static Pipeline,
    scope: u16,
    start_ticks: u64,
    /// The sampler dropped it, and the ledger does not know of it; see [`Pipeline::record_on_trial`].
    #[cfg(feature = "tracing")]
    is_on_trial: bool,
    /// For how long it was entered, if `tracing`'s door tracks that.
    #[cfg(feature = "tracing")]
    pub(crate) activity: crate::layer::Activity,
}

impl fmt::Debug for Recording {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span.fmt(formatter)
    }
}

/// What few spans start with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpanDetails<'a> {
    /// Attributes that the sampler sees.
    pub(crate) attributes: &'a [Attribute<'a>],
    /// Links that the sampler sees.
    pub(crate) links: &'a [Link<'a>],
    /// The tracestate list to carry on.
    pub(crate) trace_state: &'a str,
    /// When it began, if not now: Unix nanoseconds.
    pub(crate) start_time: Option<u64>,
    /// What was handed on about recording and the parent's sampled flag does not say.
    pub(crate) told: Option<SamplingState>,
    /// All that was handed on.
    pub(crate) carried: Option<&'a Arc<Carried>>,
}

/// What comes of starting a span.
#[derive(Debug, Default)]
pub(crate) struct Started {
    /// The context with which it started, or the parent's if there is no pipeline. A recording has its own, which may change.
    unrecorded: Option<SpanContext>,
    recording: Option<Box<Recording>>,
    /// What it hands on beside its own context.
    pub(crate) carried: Shared,
}

impl Started {
    /// A span that is not recorded and passes on what its parent handed to it.
    #[inline]
    pub(crate) fn passing(context: Option<SpanContext>, carried: Shared) -> Self {
        Self { unrecorded: context, recording: None, carried }
    }

    #[inline]
    pub(crate) fn context(&self) -> Option<SpanContext> {
        match &self.recording {
            Some(recording) => Some(recording.span.context()),
            None => self.unrecorded,
        }
    }

    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    #[inline]
    pub(crate) fn recording(&mut self) -> Option<&mut Recording> {
        self.recording.as_deref_mut()
    }

    /// Takes the recording out. The context stays, as a span that has ended can still be a parent.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Box<Recording>> {
        let recording = self.recording.take()?;
        self.unrecorded = Some(recording.span.context());
        Some(recording)
    }

    /// What is made of a span that has just started: its context, where it stands (moved, it would be read back as a whole where
    /// it was written in pieces, which stalls the processor), the recording, and what it hands on.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn parts(&mut self) -> (Option<&SpanContext>, Option<Box<Recording>>, Shared) {
        (self.unrecorded.as_ref(), self.recording.take(), self.carried.take())
    }

    /// Puts a recording back that was taken out.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn put_back(&mut self, recording: Box<Recording>) {
        self.recording = Some(recording);
    }
}

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
    rings: Registry,
    dropped_late: AtomicU64,
    envelope: Arc<Envelope>,
    scopes: Mutex<Vec<ScopeIndex>>,
    buffers: Buffers,
    /// What several exporters together made of the spans.
    totals: Arc<Counters>,
    workers: OnceLock<Vec<Worker>>,
}

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
    /// threads nothing until then: each keeps the sampler at hand and looks at a number that hardly ever changes.
    pub fn set_sampler(&self, sampler: SharedSampler) {
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
        let index = self.envelope.scope_of(fields);
        let mut scopes = lock(&self.scopes);
        let position = scopes.iter().position(|known| *known == index).unwrap_or_else(|| {
            scopes.push(index);
            scopes.len() - 1
        });
        u16::try_from(position).unwrap_or(0)
    }

    /// Tells this pipeline from others of the process; never 0.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    fn register(&self, ring: &Arc<Ring>) {
        if self.rings.add(ring) {
            self.submit_leftovers(Which::Ended);
        }
    }

    /// Hands what rings hold to the exporter thread without waiting for it to come: spans for which its queue has no room are
    /// dropped and counted.
    #[cold]
    fn submit_leftovers(&self, which: Which) {
        RingSource::new(self, usize::MAX).drain_rings(which, &mut drop);
    }

    /// Decides about a span and begins to record it.
    ///
    /// The arguments that every span has come in registers, the rare ones behind one pointer: what a caller has just written
    /// to memory piece by piece is slow to read back as a whole.
    #[inline(never)]
    pub(crate) fn start_span(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
    ) -> Started {
        if details.is_none()
            && let Some(context) = self.dropped_at_once(parent)
        {
            return Started::passing(Some(context), None);
        }
        match details.and_then(|details| details.told) {
            None => self.start_decided(scope, name, kind, parent, details, |request, ids, sampler| {
                request.decide(ids, sampler)
            }),
            Some(told) => self.start_told(scope, name, kind, parent, details, told),
        }
    }

    /// Begins to record a span about which more was handed on than the sampled flag says. A piece of code of its own: where two
    /// ways of deciding meet, the decision would go through memory.
    #[cold]
    #[inline(never)]
    fn start_told(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
        told: SamplingState,
    ) -> Started {
        self.start_decided(scope, name, kind, parent, details, |request, ids, sampler| {
            told::decide(request, told, ids, sampler)
        })
    }

    #[inline(always)]
    fn start_decided(
        &'static self,
        scope: u16,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        details: Option<&SpanDetails<'_>>,
        decide: impl for<'s> FnOnce(&SpanRequest<'_>, &RandomIds, &'s (dyn Sampler + Send + Sync)) -> SpanDecision<'s>,
    ) -> Started {
        let mut started = Started::default();
        let has_run = with_local(self, |local| {
            // Before the arguments are copied to where the sampler sees them, so that the rare other way does not disturb that.
            let Local { ids, sampler, pool, producer, .. } = local;
            let sampler = sampler.current(self);
            let parent = parent.copied();
            let (attributes, links) = details.map_or((&[][..], &[][..]), |details| (details.attributes, details.links));
            let trace_state = details.map_or("", |details| details.trace_state);
            let request = SpanRequest { name, kind, parent, trace_state, attributes, links };
            let decision = decide(&request, ids, sampler);
            let update = decision.sampling.trace_state;
            if update != TraceStateUpdate::Keep || details.is_some_and(|details| details.carried.is_some()) {
                started.carried = hand_on(details, update);
            }
            let context = decision.context;
            started.unrecorded = Some(context);
            if !decision.is_recording() || self.is_shut_down.load(Ordering::Relaxed) {
                return;
            }
            let start_time = details.and_then(|details| details.start_time);
            let start = SpanStart {
                context,
                parent,
                name,
                kind,
                start_time: start_time.unwrap_or(0),
                trace_state,
                limits: self.options.limits,
            };
            let mut recording = begin(pool, producer).unwrap_or_else(|| self.allocate());
            recording.span.restart(&start);
            if update != TraceStateUpdate::Keep {
                restart_updated(&mut recording.span, &start, update);
            }
            recording.scope = scope;
            if let Some(carried) = details.and_then(|details| details.carried) {
                self.record_baggage(&mut recording.span, carried);
            }
            for (key, value) in attributes.iter().chain(decision.sampling.attributes) {
                recording.span.set(key, *value);
            }
            for link in links {
                recording.span.add_link(link);
            }
            if !self.processors.is_empty() {
                self.announce(&mut recording.span);
            }
            // The clock is read last, so that the span does not measure its own start.
            recording.start_ticks = if start_time.is_some() { 0 } else { self.clock.ticks() };
            started.recording = Some(recording);
        });
        if has_run {
            started
        } else {
            Started::passing(parent.copied(), details.and_then(|details| details.carried).cloned())
        }
    }

    /// Records the entries of the baggage that are wanted.
    #[cold]
    pub(crate) fn record_baggage(&self, span: &mut Span<GrowingBuffer>, carried: &Carried) {
        for key in &self.options.baggage_attributes {
            if let Some(value) = carried.baggage.get(key) {
                match value.as_plain() {
                    Some(value) => span.set(key, value),
                    None => span.set(key, value.to_string().as_str()),
                };
            }
        }
    }

    /// Tells the processors of a recorded span that begins.
    #[inline(never)]
    pub(crate) fn announce(&self, span: &mut Span<GrowingBuffer>) {
        for processor in &self.processors {
            shielded(|| processor.on_start(&mut ReadWriteSpan::new(span)));
        }
    }

    /// Memory for a span, to be restarted at once.
    #[cold]
    #[inline(never)]
    fn allocate(&'static self) -> Box<Recording> {
        let start = SpanStart {
            context: BLANK,
            parent: None,
            name: "",
            kind: SpanKind::Internal,
            start_time: 0,
            trace_state: "",
            limits: self.options.limits,
        };
        let span = Span::new(GrowingBuffer::new(self.options.span_bytes), &start);
        Box::new(Recording {
            span,
            pipeline: self,
            scope: 0,
            start_ticks: 0,
            #[cfg(feature = "tracing")]
            is_on_trial: false,
            #[cfg(feature = "tracing")]
            activity: crate::layer::Activity::default(),
        })
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
        let totals = self.rings.totals();
        Ledger::new(&totals, self.dropped_late.load(Ordering::Relaxed), export)
    }

    /// Sends everything that has ended so far and waits for the outcome. Blocks the calling thread.
    ///
    /// # Errors
    /// The outcome was not known within `timeout`; sending goes on.
    pub fn flush(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.workers.get().map_or(Ok(()), |workers| Worker::flush_all(workers, timeout))
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
        self.workers.get().map_or(Ok(()), |workers| Worker::shutdown_all(workers, timeout))
    }

    #[cold]
    fn wake_exporter(&self) {
        for worker in self.workers.get().into_iter().flatten() {
            worker.wake();
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pipeline").field("id", &self.id).field("ledger", &self.ledger()).finish_non_exhaustive()
    }
}

impl Recording {
    /// The time of something that happens now in this span: Unix nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        self.pipeline.clock.to_unix_nanos(self.pipeline.clock.ticks())
    }

    /// When the span began, in nanoseconds since the Unix epoch, by the clock as it is now.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn start_time(&self) -> u64 {
        match self.start_ticks {
            0 => self.span.start_time(),
            ticks => self.pipeline.clock.to_unix_nanos(ticks),
        }
    }

    /// Ends the span, now if no time is given, and puts it on its way.
    pub(crate) fn finish(mut self: Box<Self>, end_time: Option<u64>) {
        let pipeline = self.pipeline;
        let now = pipeline.clock.ticks();
        let (started, ended) = pipeline.clock.interval(self.start_ticks, now);
        if self.start_ticks != 0 {
            self.span.set_start_time(started);
        }
        let end_time = end_time.unwrap_or(ended);
        let is_exported = self.span.context().is_sampled() && self.is_kept(end_time);
        let mut is_half_full = false;
        if !with_local(pipeline, |local| is_half_full = local.finish(self, end_time, is_exported)) {
            pipeline.count_late();
        }
        if is_half_full {
            pipeline.wake_exporter();
        }
    }

    #[inline]
    fn is_kept(&self, end_time: u64) -> bool {
        let processors = &self.pipeline.processors;
        processors.is_empty() || {
            let view = self.span.view(end_time);
            processors.iter().all(|processor| shielded(|| processor.on_end(&view)) != Some(Verdict::Drop))
        }
    }
}

/// Starts a span again, whose tracestate list is another one than its parent's.
#[cold]
#[inline(never)]
fn restart_updated(span: &mut Span<GrowingBuffer>, start: &SpanStart<'_>, update: TraceStateUpdate) {
    let list = update.apply(start.trace_state);
    span.restart(&SpanStart { trace_state: list.as_str(), ..*start });
    span.count_truncated(list.dropped());
}

/// What a span hands on whose parent handed on more than its context, or whose sampler changes that.
#[cold]
#[inline(never)]
fn hand_on(details: Option<&SpanDetails<'_>>, update: TraceStateUpdate) -> Shared {
    Carried::into_span(details.and_then(|details| details.carried).cloned(), update)
}

/// Runs a processor's code. If it panics, the span goes on without it: it is neither lost nor left pending, and the panic has
/// been reported by the panic hook.
fn shielded<R>(work: impl FnOnce() -> R) -> Option<R> {
    // Whatever a processor leaves behind is its own; the span it sees is valid after every single operation.
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Stands in a span that has memory but no identity yet.
const BLANK: SpanContext = {
    let (Some(trace_id), Some(span_id)) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8])) else {
        panic!("ones are not zeros");
    };
    SpanContext::new(trace_id, span_id, TraceFlags::NONE)
};

/// Locks even if another thread panicked while it held the lock: every state behind these locks is valid at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
