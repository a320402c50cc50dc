//! `Span`: a span on a host with a heap, that ends when told to or when dropped.

use std::fmt;
use std::mem::ManuallyDrop;

use clewline_core::{Attribute, EntryBuilder, Link, Otlp, SpanContext, SpanKind, Status, Value};

use crate::ToValue;
use crate::current::carried::Shared;
use crate::current::{Context, EnteredSpan};
use crate::limited::{sources, text};
use crate::pipeline::{GrowingBuffer, Recording};

/// Takes the attributes of one event or link of a [`Span`].
pub type Entry<'s> = EntryBuilder<'s, GrowingBuffer, Otlp>;

/// A span that is going on. It may move between threads; it ends on the thread that ends or drops it.
///
/// One that is not recorded, because the sampler dropped it or nothing was initialised, accepts everything without effect.
// What it owns is dropped by `drop` alone: a span that owns nothing then leaves no trace in the program where it goes out of scope.
pub struct Span {
    recording: ManuallyDrop<Option<Box<Recording>>>,
    /// Its context if it is not recorded, or no more. Without a pipeline it is the parent's.
    unrecorded: Option<SpanContext>,
    /// What it hands on beside its own context.
    carried: ManuallyDrop<Shared>,
}

impl Span {
    #[inline(always)]
    fn new(recording: Option<Box<Recording>>, unrecorded: Option<SpanContext>, carried: Shared) -> Self {
        Self { recording: ManuallyDrop::new(recording), unrecorded, carried: ManuallyDrop::new(carried) }
    }

    /// A span that is recorded.
    #[inline]
    pub(crate) fn recorded(recording: Box<Recording>, carried: Shared) -> Self {
        Self::new(Some(recording), None, carried)
    }

    /// A span that is not recorded: with a context of its own or, without a pipeline, what its parent handed to it.
    #[inline]
    pub(crate) fn passing(context: Option<SpanContext>, carried: Shared) -> Self {
        Self::new(None, context, carried)
    }

    /// A span that records nothing and has no context.
    pub(crate) fn none() -> Self {
        Self::passing(None, None)
    }

    /// What is being recorded.
    #[inline]
    pub(crate) fn recording(&mut self) -> Option<&mut Recording> {
        self.recording.as_deref_mut()
    }

    /// Takes everything out. What stays records nothing.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::none())
    }

    /// What is made of a span that has just started: the recording, and what it hands on beside its context.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn into_parts(mut self) -> (Option<Box<Recording>>, Shared) {
        (self.recording.take(), self.carried.take())
    }

    /// When it began, in nanoseconds since the Unix epoch, as far as that is known while it goes on.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn start_time(&mut self) -> Option<u64> {
        self.recording().map(|recording| recording.start_time())
    }

    /// Takes the recording out, to be put back.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn take_recording(&mut self) -> Option<Box<Recording>> {
        self.recording.take()
    }

    /// Puts the recording back.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn put_recording(&mut self, recording: Box<Recording>) {
        *self.recording = Some(recording);
    }

    /// The span's own context, to hand to children and to other processes. Without a pipeline it is the parent's.
    #[inline]
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        match &*self.recording {
            Some(recording) => Some(recording.span.context()),
            None => self.unrecorded,
        }
    }

    /// What it hands on to what happens within it: its context, the tracestate list and the baggage.
    #[inline]
    #[must_use]
    pub fn hand_on(&self) -> Context {
        Context::with_carried(self.context(), (*self.carried).clone())
    }

    /// Whether anything is recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Makes it the current span of this thread until the guard is dropped, which ends it. The guard gives access to it, and
    /// so does [`current_span`](crate::current_span), from anywhere below.
    ///
    /// Do not hold the guard across an `await`: other tasks of the thread would be taken for children.
    ///
    /// ```
    /// let span = clewline::tracer("shop").span("checkout").start().enter();
    /// span.set("cart.items", 3);
    /// clewline::current_span().event("cart.checked"); // the same span
    /// clewline::tracer("shop").span("SELECT cart").start().end(); // a child of it
    /// ```
    pub fn enter(self) -> EnteredSpan {
        EnteredSpan::new(self)
    }

    /// Runs `work` within this span, which ends afterwards, also if `work` panics.
    pub fn in_scope<R>(self, work: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        work()
    }

    /// Renames the span.
    pub fn set_name(&mut self, name: &str) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.set_name(name);
        }
        self
    }

    /// Changes the role in a call.
    pub fn set_kind(&mut self, kind: SpanKind) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.set_kind(kind);
        }
        self
    }

    /// Sets an attribute; a key that is there already gets the new value.
    #[inline]
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.set(key, value);
        }
        self
    }

    /// Sets an attribute whose value takes work to find: `value` runs only if the span is recorded.
    ///
    /// ```
    /// # let statement = ["SELECT 1"];
    /// let mut span = clewline::tracer("shop").span("SELECT cart").start();
    /// span.set_with("db.query.text", || statement.join(" "));
    /// ```
    #[inline]
    pub fn set_with<V: ToValue>(&mut self, key: &str, value: impl FnOnce() -> V) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.set(key, value().to_value());
        }
        self
    }

    /// Sets several attributes.
    pub fn set_all(&mut self, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.set_all(attributes);
        }
        self
    }

    /// Records that something happened now.
    #[inline]
    pub fn event(&mut self, name: &str) -> &mut Self {
        self.event_with(name, &[])
    }

    /// Records that something happened now, with attributes.
    #[inline]
    pub fn event_with(&mut self, name: &str, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(recording) = self.recording() {
            let now = recording.now();
            recording.span.event(name, now).set_all(attributes);
        }
        self
    }

    /// Records that something happened at a time of the caller's, in nanoseconds since the Unix epoch, with attributes.
    pub fn event_at(&mut self, name: &str, unix_nanos: u64, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.event(name, unix_nanos).set_all(attributes);
        }
        self
    }

    /// Records a relation that is a value. One that is known when the span starts belongs to
    /// [`SpanBuilder::links`](crate::SpanBuilder::links), where samplers see it.
    pub fn add_link(&mut self, link: &Link<'_>) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.add_link(link);
        }
        self
    }

    /// Records a relation to another span; attributes go into the entry. `None` if nothing is recorded.
    pub fn link(&mut self, context: &SpanContext) -> Option<Entry<'_>> {
        self.recording().map(|recording| recording.span.link(context, ""))
    }

    /// Judges the outcome. `Ok` is final.
    pub fn set_status(&mut self, status: Status<'_>) -> &mut Self {
        if let Some(recording) = self.recording() {
            recording.span.set_status(status);
        }
        self
    }

    /// Records an error that happened now as the event `exception` (OpenTelemetry trace API, "Record Exception"): empty
    /// arguments are left out, and further attributes replace those made of the first three. Does not set the status.
    pub fn record_exception(
        &mut self,
        exception_type: &str,
        message: &str,
        stacktrace: &str,
        attributes: &[Attribute<'_>],
    ) -> &mut Self {
        if let Some(recording) = self.recording() {
            let now = recording.now();
            recording.span.exception(exception_type, message, stacktrace, now).set_all(attributes);
        }
        self
    }

    /// Records an error with its sources as the event `exception` and sets the status to `Error` with its text.
    pub fn record_error(&mut self, error: &dyn std::error::Error) -> &mut Self {
        if let Some(recording) = self.recording() {
            let (message, sources) = (text(error), sources(error));
            let now = recording.now();
            recording.span.record_exception("", &message, &sources, now);
            recording.span.set_status(Status::error(&message));
        }
        self
    }

    /// Ends it now. Ending again is harmless; whatever is set afterwards has no effect.
    #[inline]
    pub fn end(&mut self) {
        if let Some(recording) = self.take_ended() {
            recording.finish(None);
        }
    }

    /// Ends it at a time of the caller's: nanoseconds since the Unix epoch.
    pub fn end_at(&mut self, unix_nanos: u64) {
        if let Some(recording) = self.take_ended() {
            recording.finish(Some(unix_nanos));
        }
    }

    #[inline(never)]
    fn let_go(&mut self) {
        let _carried = self.carried.take();
        if let Some(recording) = self.recording.take() {
            recording.finish(None);
        }
    }

    /// Takes the recording out. The context stays, as a span that has ended can still be a parent.
    #[inline]
    fn take_ended(&mut self) -> Option<Box<Recording>> {
        let recording = self.recording.take()?;
        self.unrecorded = Some(recording.span.context());
        Some(recording)
    }
}

impl Drop for Span {
    #[inline(always)]
    fn drop(&mut self) {
        if self.recording.is_some() || self.carried.is_some() {
            self.let_go();
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Span")
            .field("context", &self.context())
            .field("is_recording", &self.is_recording())
            .finish_non_exhaustive()
    }
}
