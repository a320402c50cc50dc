//! `Tracer`: starts spans with what the host lends: clock, ids, sampler, and a sink for what is finished.

use core::cell::{Cell, RefCell};
use core::fmt;

use crate::storage::Storage;
use crate::{
    Attribute, Batch, Clock, EntryBuilder, Form, IdSource, Link, Otlp, ReadWriteSpan, Sampler, Span, SpanContext,
    SpanDecision, SpanKind, SpanLimits, SpanProcessor, SpanRequest, SpanStart, Status, TraceStateUpdate,
    UpdatedTraceState, Value, Verdict,
};

/// Lends storage to spans and takes them when they are finished.
pub trait SpanSink {
    /// Where a span's bytes live.
    type Storage: Storage;
    /// The form in which spans are recorded.
    type Form: Form;

    /// Storage for one more span; `None`, which the sink counts, if there is none left.
    fn lend(&self) -> Option<Self::Storage>;

    /// A span was started that is being recorded; this is the place to tell processors, which may add to it.
    fn started(&self, span: &mut Span<Self::Storage, Self::Form>) {
        let _ = span;
    }

    /// Keeps what it wants of a span that ended at `end_time`. The span's storage is dropped behind it.
    fn finish(&self, span: &Span<Self::Storage, Self::Form>, end_time: u64);
}

/// A sink in a place of its own: a `static` ring that needs no initial bytes in flash.
impl<K: SpanSink + ?Sized> SpanSink for &K {
    type Storage = K::Storage;
    type Form = K::Form;

    #[inline]
    fn lend(&self) -> Option<Self::Storage> {
        (**self).lend()
    }

    #[inline]
    fn started(&self, span: &mut Span<Self::Storage, Self::Form>) {
        (**self).started(span);
    }

    #[inline]
    fn finish(&self, span: &Span<Self::Storage, Self::Form>, end_time: u64) {
        (**self).finish(span, end_time);
    }
}

/// A sink for one thread of execution: a batch, and processors before it. Spans record into `SPAN` bytes of their own.
///
/// ```
/// use clewline_core::{AlwaysOn, CountingIds, LocalSink, ManualClock, SpanKind, Tracer};
/// let tracer = Tracer::new(ManualClock::new(1_000), CountingIds::new(), AlwaysOn, LocalSink::<256, 4096>::new());
/// let mut request = tracer.span("GET /cart").kind(SpanKind::Server).start();
/// request.set("http.request.method", "GET");
/// let mut query = tracer.span("SELECT").child_of(request.context()).start();
/// query.event("cache.miss");
/// query.end();
/// request.end();
/// tracer.sink().with_batch(|batch| {
///     let names: Vec<&str> = batch.iter().map(|span| span.name()).collect();
///     assert_eq!(names, ["SELECT", "GET /cart"]);
/// });
/// ```
#[derive(Debug)]
pub struct LocalSink<const SPAN: usize, const BATCH: usize, P = ()> {
    batch: RefCell<Batch<heapless::Vec<u8, BATCH>>>,
    /// Spans that ended while the batch was in use.
    missed: Cell<u32>,
    processor: P,
}

impl<const SPAN: usize, const BATCH: usize> LocalSink<SPAN, BATCH> {
    /// An empty batch, no processors.
    #[must_use]
    pub fn new() -> Self {
        Self::with_processor(())
    }
}

impl<const SPAN: usize, const BATCH: usize> Default for LocalSink<SPAN, BATCH> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SPAN: usize, const BATCH: usize, P> LocalSink<SPAN, BATCH, P> {
    /// An empty batch behind `processor`.
    #[must_use]
    pub fn with_processor(processor: P) -> Self {
        Self { batch: RefCell::new(Batch::new(heapless::Vec::new())), missed: Cell::new(0), processor }
    }

    /// Reads or empties the batch. `None` if called from within itself. A span that ends meanwhile cannot be added: the
    /// batch counts it as dropped.
    pub fn with_batch<R>(&self, use_batch: impl FnOnce(&mut Batch<heapless::Vec<u8, BATCH>>) -> R) -> Option<R> {
        let mut batch = self.batch.try_borrow_mut().ok()?;
        let result = use_batch(&mut batch);
        batch.count_dropped(self.missed.take());
        Some(result)
    }
}

impl<const SPAN: usize, const BATCH: usize, P: SpanProcessor> SpanSink for LocalSink<SPAN, BATCH, P> {
    type Storage = heapless::Vec<u8, SPAN>;
    type Form = Otlp;

    fn lend(&self) -> Option<Self::Storage> {
        Some(heapless::Vec::new())
    }

    fn started(&self, span: &mut Span<Self::Storage, Self::Form>) {
        self.processor.on_start(&mut ReadWriteSpan::new(span));
    }

    fn finish(&self, span: &Span<Self::Storage, Self::Form>, end_time: u64) {
        let kept = self.processor.on_end(&span.view(end_time)) == Verdict::Keep && span.context().is_sampled();
        if !kept {
            return;
        }
        match self.batch.try_borrow_mut() {
            // A refused span is counted by the batch itself.
            Ok(mut batch) => drop(batch.push(span, end_time)),
            Err(_) => self.missed.set(self.missed.get().saturating_add(1)),
        }
    }
}

/// Starts spans (OpenTelemetry trace API, "Tracer").
#[derive(Debug)]
pub struct Tracer<C, I, S, K> {
    clock: C,
    ids: I,
    sampler: S,
    sink: K,
    limits: SpanLimits,
}

impl<C: Clock, I: IdSource, S: Sampler, K: SpanSink> Tracer<C, I, S, K> {
    /// A tracer with the specification's limits.
    #[must_use]
    pub const fn new(clock: C, ids: I, sampler: S, sink: K) -> Self {
        Self { clock, ids, sampler, sink, limits: SpanLimits::DEFAULT }
    }

    /// The same tracer with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: SpanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Where finished spans go.
    #[must_use]
    pub const fn sink(&self) -> &K {
        &self.sink
    }

    /// Where ids come from.
    #[must_use]
    pub const fn ids(&self) -> &I {
        &self.ids
    }

    /// A span to be started.
    pub const fn span<'t, 'a>(&'t self, name: &'a str) -> SpanBuilder<'t, 'a, C, I, S, K> {
        let request =
            SpanRequest { name, kind: SpanKind::Internal, parent: None, trace_state: "", attributes: &[], links: &[] };
        SpanBuilder { tracer: self, request, start_time: None, add_links: None }
    }
}

/// A span to be started: call [`start`](Self::start).
#[must_use = "nothing is recorded until `start` is called"]
pub struct SpanBuilder<'t, 'a, C, I, S, K: SpanSink> {
    tracer: &'t Tracer<C, I, S, K>,
    request: SpanRequest<'a>,
    start_time: Option<u64>,
    /// Records the links. By pointer, so that a program whose spans have none does not link what writes them.
    add_links: Option<AddLinks<K>>,
}

type AddLinks<K> = fn(&mut Span<<K as SpanSink>::Storage, <K as SpanSink>::Form>, &[Link<'_>]);

impl<'t, 'a, C: Clock, I: IdSource, S: Sampler, K: SpanSink> SpanBuilder<'t, 'a, C, I, S, K> {
    /// The role in a call.
    pub const fn kind(mut self, kind: SpanKind) -> Self {
        self.request.kind = kind;
        self
    }

    /// Makes it a child; without a parent it starts a new trace.
    pub fn child_of(mut self, parent: impl Into<Option<SpanContext>>) -> Self {
        self.request.parent = parent.into();
        self
    }

    /// The tracestate list that came with the parent, or the one that a new trace begins with. Samplers see it, and may
    /// change what it says of the sampling: see [`start_with_trace_state`](Self::start_with_trace_state).
    pub const fn trace_state(mut self, trace_state: &'a str) -> Self {
        self.request.trace_state = trace_state;
        self
    }

    /// Attributes from the start: better than setting them later, as samplers see no others.
    pub const fn attributes(mut self, attributes: &'a [Attribute<'a>]) -> Self {
        self.request.attributes = attributes;
        self
    }

    /// Relations from the start: better than adding them later, as samplers see no others.
    pub const fn links(mut self, links: &'a [Link<'a>]) -> Self {
        self.request.links = links;
        self.add_links = Some(|span, links| {
            for link in links {
                span.add_link(link);
            }
        });
        self
    }

    /// When it began, if not now: nanoseconds since the Unix epoch.
    pub const fn start_time(mut self, unix_nanos: u64) -> Self {
        self.start_time = Some(unix_nanos);
        self
    }

    /// Starts it. If the sampler drops it or no storage is left, it records nothing but still has a context.
    // A span is large. Inlined, this makes it where the caller wants it, where a function would have to move it there.
    #[inline(always)]
    #[must_use = "a span that is not kept ends at once"]
    pub fn start(self) -> ActiveSpan<'t, C, K> {
        let decision = self.request.decide(&self.tracer.ids, &self.tracer.sampler);
        self.begin(&decision)
    }

    /// Starts it, and answers with its tracestate list too, to be handed on with its context: to children and to other
    /// processes. It is the list that was given, unless the sampler had something to say.
    ///
    /// ```
    /// use clewline_core::propagation::{Extracted, Format, Outgoing, extract, inject};
    /// # use clewline_core::{LocalSink, NoClock, ProbabilitySampler, RandomIds, Tracer};
    /// # let sampler = ProbabilitySampler::new(0.25).unwrap();
    /// # let tracer = Tracer::new(NoClock, RandomIds::from_seed([1, 2]), sampler, LocalSink::<512, 2048>::new());
    /// let headers = [
    ///     ("traceparent", "00-0af7651916cd43dd84f8eb211c80319c-b7ad6b7169203331-03"),
    ///     ("tracestate", "congo=t61rcWkgMzE"),
    /// ];
    /// let incoming: Extracted<heapless::Vec<u8, 512>> = extract(&[Format::TraceContext], &headers);
    /// let request = tracer.span("GET /cart").child_of(incoming.context).trace_state(incoming.trace_state.as_str());
    /// let (span, list) = request.start_with_trace_state();
    ///
    /// let outgoing = Outgoing { context: span.context(), trace_state: list.as_str(), debug: false };
    /// let mut sent = Vec::new();
    /// inject(&[Format::TraceContext], &outgoing, &mut |name: &str, value: &str| sent.push(format!("{name}: {value}")));
    /// assert_eq!(sent[1], "tracestate: ot=th:c,congo=t61rcWkgMzE");
    /// ```
    #[must_use = "a span that is not kept ends at once"]
    pub fn start_with_trace_state(self) -> (ActiveSpan<'t, C, K>, UpdatedTraceState<'a>) {
        let decision = self.request.decide(&self.tracer.ids, &self.tracer.sampler);
        (self.begin(&decision), decision.trace_state(self.request.trace_state))
    }

    #[inline(always)]
    fn begin(&self, decision: &SpanDecision<'_>) -> ActiveSpan<'t, C, K> {
        let (clock, sink) = (&self.tracer.clock, &self.tracer.sink);
        let mut span = ActiveSpan { context: decision.context, recording: None, clock, sink };
        if decision.is_recording() {
            match decision.sampling.trace_state {
                TraceStateUpdate::Keep => self.record(decision.sampling.attributes, &mut span),
                _ => self.record_updated(decision, &mut span),
            }
        }
        span
    }

    /// Begins the recording of a span whose tracestate list is another one than its parent's.
    #[cold]
    #[inline(never)]
    fn record_updated(&self, decision: &SpanDecision<'_>, span: &mut ActiveSpan<'t, C, K>) {
        let list = decision.trace_state(self.request.trace_state);
        let request = SpanRequest { trace_state: list.as_str(), ..self.request };
        let Self { tracer, start_time, add_links, .. } = *self;
        SpanBuilder { tracer, request, start_time, add_links }.record(decision.sampling.attributes, span);
        if let Some(recording) = &mut span.recording {
            recording.count_truncated(list.dropped());
        }
    }

    /// Begins the recording of a span that the sampler wants.
    fn record(&self, sampled_attributes: &[Attribute<'_>], span: &mut ActiveSpan<'t, C, K>) {
        let Self { tracer, request, start_time, add_links } = self;
        let Some(storage) = tracer.sink.lend() else { return };
        let start = SpanStart {
            context: span.context,
            parent: request.parent,
            name: request.name,
            kind: request.kind,
            start_time: start_time.or_else(|| tracer.clock.unix_nanos()).unwrap_or(0),
            trace_state: request.trace_state,
            limits: tracer.limits,
        };
        let recording = span.recording.insert(Span::unnamed(storage, &start));
        recording.begin(&start);
        recording.set_all(request.attributes).set_all(sampled_attributes);
        if let Some(add_links) = add_links {
            add_links(recording, request.links);
        }
        tracer.sink.started(recording);
    }
}

impl<C, I, S, K: SpanSink> fmt::Debug for SpanBuilder<'_, '_, C, I, S, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SpanBuilder").field("request", &self.request).finish_non_exhaustive()
    }
}

/// A span that is going on. It ends when told to, or when dropped.
pub struct ActiveSpan<'t, C: Clock, K: SpanSink> {
    context: SpanContext,
    recording: Option<Span<K::Storage, K::Form>>,
    clock: &'t C,
    sink: &'t K,
}

impl<C: Clock, K: SpanSink> ActiveSpan<'_, C, K> {
    /// The span's own context, to hand to children and to other processes.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.context
    }

    /// Whether anything is recorded: false if the sampler dropped it, no storage was left, or it has ended.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// The recording itself, for what this type has no short form for.
    pub fn recording(&mut self) -> Option<&mut Span<K::Storage, K::Form>> {
        self.recording.as_mut()
    }

    /// Sets an attribute; a key that is there already gets the new value.
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.set(key, value);
        }
        self
    }

    /// Sets an attribute whose value takes work to find: `value` runs only if the span is recorded.
    ///
    /// ```
    /// # use clewline_core::{AlwaysOff, CountingIds, LocalSink, NoClock, Tracer};
    /// let tracer = Tracer::new(NoClock, CountingIds::new(), AlwaysOff, LocalSink::<256, 1024>::new());
    /// let mut span = tracer.span("read sensor").start();
    /// span.set_with("sensor.checksum", || -> u32 { unreachable!("the sampler dropped the span") });
    /// ```
    pub fn set_with<'v, V: Into<Value<'v>>>(&mut self, key: &str, value: impl FnOnce() -> V) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.set(key, value());
        }
        self
    }

    /// Sets several attributes.
    pub fn set_all(&mut self, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.set_all(attributes);
        }
        self
    }

    /// Renames the span; see [`Span::set_name`].
    pub fn set_name(&mut self, name: &str) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.set_name(name);
        }
        self
    }

    /// Changes the role in a call.
    pub fn set_kind(&mut self, kind: SpanKind) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.set_kind(kind);
        }
        self
    }

    /// Records that something happened now.
    pub fn event(&mut self, name: &str) -> &mut Self {
        self.event_with(name, &[])
    }

    /// Records that something happened now, with attributes.
    pub fn event_with(&mut self, name: &str, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.event(name, self.clock.unix_nanos().unwrap_or(0)).set_all(attributes);
        }
        self
    }

    /// Records that something happened at a time of the caller's, with attributes.
    pub fn event_at(&mut self, name: &str, unix_nanos: u64, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.event(name, unix_nanos).set_all(attributes);
        }
        self
    }

    /// Records an error that happened now as the event `exception`; see [`Span::exception`], also for attributes that
    /// replace those made of the first three arguments. Does not set the status.
    pub fn record_exception(
        &mut self,
        exception_type: &str,
        message: &str,
        stacktrace: &str,
        attributes: &[Attribute<'_>],
    ) -> &mut Self {
        if let Some(span) = &mut self.recording {
            let now = self.clock.unix_nanos().unwrap_or(0);
            span.exception(exception_type, message, stacktrace, now).set_all(attributes);
        }
        self
    }

    /// Records a relation that is a value; see [`Span::add_link`].
    pub fn add_link(&mut self, link: &Link<'_>) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.add_link(link);
        }
        self
    }

    /// Records a relation to another span; attributes go into the builder.
    pub fn link(&mut self, context: &SpanContext) -> Option<EntryBuilder<'_, <K::Storage as Storage>::View, K::Form>> {
        self.recording.as_mut().map(|span| span.link(context, ""))
    }

    /// Judges the outcome; see [`Span::set_status`].
    pub fn set_status(&mut self, status: Status<'_>) -> &mut Self {
        if let Some(span) = &mut self.recording {
            span.set_status(status);
        }
        self
    }

    /// Ends it now. Ending again is harmless; whatever is set afterwards has no effect.
    pub fn end(&mut self) {
        if self.recording.is_some() {
            self.end_at(self.clock.unix_nanos().unwrap_or(0));
        }
    }

    /// Ends it at a time of the caller's: nanoseconds since the Unix epoch.
    pub fn end_at(&mut self, unix_nanos: u64) {
        if let Some(span) = &self.recording {
            self.sink.finish(span, unix_nanos);
        }
        self.recording = None;
    }
}

impl<C: Clock, K: SpanSink> Drop for ActiveSpan<'_, C, K> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<C: Clock, K: SpanSink> fmt::Debug for ActiveSpan<'_, C, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ActiveSpan").field("context", &self.context).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlwaysOn, CountingIds, NoClock};

    #[test]
    fn a_span_that_ends_while_the_batch_is_read_is_counted() {
        let tracer = Tracer::new(NoClock, CountingIds::new(), AlwaysOn, LocalSink::<128, 512>::new());
        let count = |batch: &mut Batch<_>| (batch.len(), batch.dropped());
        let during = tracer.sink().with_batch(|batch| {
            tracer.span("log").start().end();
            count(batch)
        });
        assert_eq!(during, Some((0, 0)));
        tracer.span("kept").start().end();
        assert_eq!(tracer.sink().with_batch(count), Some((1, 1)));
    }
}
