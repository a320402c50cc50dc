//! `ActiveSpan`: a span of a tracer that is going on.

use core::fmt;
use core::mem::{self, ManuallyDrop};

use super::SpanSink;
use crate::storage::Storage;
use crate::{Attribute, Clock, EntryBuilder, Link, Span, SpanContext, SpanKind, Status, Value};

/// A span that is going on. It ends when told to, or when dropped.
pub struct ActiveSpan<'t, C: Clock, K: SpanSink> {
    pub(super) state: State<K::Place<'t>>,
    pub(super) clock: &'t C,
    pub(super) sink: &'t K,
}

pub(super) enum State<P> {
    /// The context is the recording's. It is dropped by hand, as it belongs to the sink in the end.
    Recording(ManuallyDrop<P>),
    NotRecording(SpanContext),
}

impl<'t, C: Clock, K: SpanSink> ActiveSpan<'t, C, K> {
    /// The span's own context, to hand to children and to other processes.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        match &self.state {
            State::Recording(place) => place.context(),
            State::NotRecording(context) => *context,
        }
    }

    /// Whether anything is recorded: false if the sampler dropped it, no storage was left, or it has ended.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        matches!(self.state, State::Recording(_))
    }

    /// The recording itself, for what this type has no short form for.
    #[inline(always)]
    pub fn recording(&mut self) -> Option<&mut Span<K::Storage, K::Form>> {
        match &mut self.state {
            State::Recording(place) => Some(&mut ***place),
            State::NotRecording(_) => None,
        }
    }

    /// Sets an attribute; a key that is there already gets the new value.
    #[inline(always)]
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        if let Some(span) = self.recording() {
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
        if let Some(span) = self.recording() {
            span.set(key, value());
        }
        self
    }

    /// Sets several attributes.
    pub fn set_all(&mut self, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(span) = self.recording() {
            span.set_all(attributes);
        }
        self
    }

    /// Renames the span; see [`Span::set_name`].
    pub fn set_name(&mut self, name: &str) -> &mut Self {
        if let Some(span) = self.recording() {
            span.set_name(name);
        }
        self
    }

    /// Changes the role in a call.
    pub fn set_kind(&mut self, kind: SpanKind) -> &mut Self {
        if let Some(span) = self.recording() {
            span.set_kind(kind);
        }
        self
    }

    /// Records that something happened now.
    #[inline]
    pub fn event(&mut self, name: &str) -> &mut Self {
        let clock = self.clock;
        if let Some(span) = self.recording() {
            drop(span.event(name, clock.unix_nanos().unwrap_or(0)));
        }
        self
    }

    /// Records that something happened now, with attributes.
    pub fn event_with(&mut self, name: &str, attributes: &[Attribute<'_>]) -> &mut Self {
        let clock = self.clock;
        if let Some(span) = self.recording() {
            span.event(name, clock.unix_nanos().unwrap_or(0)).set_all(attributes);
        }
        self
    }

    /// Records that something happened at a time of the caller's, with attributes.
    pub fn event_at(&mut self, name: &str, unix_nanos: u64, attributes: &[Attribute<'_>]) -> &mut Self {
        if let Some(span) = self.recording() {
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
        let clock = self.clock;
        if let Some(span) = self.recording() {
            let now = clock.unix_nanos().unwrap_or(0);
            span.exception(exception_type, message, stacktrace, now).set_all(attributes);
        }
        self
    }

    /// Records a relation that is a value; see [`Span::add_link`].
    pub fn add_link(&mut self, link: &Link<'_>) -> &mut Self {
        if let Some(span) = self.recording() {
            span.add_link(link);
        }
        self
    }

    /// Records a relation to another span; attributes go into the builder.
    pub fn link(&mut self, context: &SpanContext) -> Option<EntryBuilder<'_, <K::Storage as Storage>::View, K::Form>> {
        self.recording().map(|span| span.link(context, ""))
    }

    /// Judges the outcome; see [`Span::set_status`].
    pub fn set_status(&mut self, status: Status<'_>) -> &mut Self {
        if let Some(span) = self.recording() {
            span.set_status(status);
        }
        self
    }

    /// Ends it now. Ending again is harmless; whatever is set afterwards has no effect.
    // Inlined, as the context need not be kept where the compiler sees that nobody asks for it again.
    #[inline(always)]
    pub fn end(&mut self) {
        let State::Recording(place) = &self.state else { return };
        let context = place.context();
        if is_small::<K::Place<'t>>() {
            if let State::Recording(place) = mem::replace(&mut self.state, State::NotRecording(context)) {
                finish_small(self.clock, self.sink, place);
            }
        } else {
            let ending = Ending { state: &mut self.state, context };
            if let State::Recording(place) = &mut *ending.state {
                finish_now(self.clock, self.sink, place);
            }
        }
    }

    /// Ends it at a time of the caller's: nanoseconds since the Unix epoch.
    #[inline]
    pub fn end_at(&mut self, unix_nanos: u64) {
        let State::Recording(place) = &self.state else { return };
        let context = place.context();
        let ending = Ending { state: &mut self.state, context };
        if let State::Recording(place) = &mut *ending.state {
            finish(self.sink, place, unix_nanos);
        }
    }
}

/// What a span is that ends: it has a context in the end, also where a processor panics, and then its place is forgotten.
struct Ending<'a, P> {
    state: &'a mut State<P>,
    context: SpanContext,
}

impl<P> Drop for Ending<'_, P> {
    #[inline(always)]
    fn drop(&mut self) {
        *self.state = State::NotRecording(self.context);
    }
}

impl<C: Clock, K: SpanSink> Drop for ActiveSpan<'_, C, K> {
    #[inline]
    fn drop(&mut self) {
        let State::Recording(place) = &mut self.state else { return };
        if is_small::<K::Place<'_>>() {
            // SAFETY: nobody can look at the state any more.
            #[expect(unsafe_code, reason = "there is no state to leave behind, and nobody who would ask for it")]
            let place = unsafe { ManuallyDrop::take(place) };
            finish_small(self.clock, self.sink, ManuallyDrop::new(place));
        } else {
            finish_now(self.clock, self.sink, place);
        }
    }
}

/// Whether a place is best moved, in registers; a larger one is worked on where it stands.
const fn is_small<P>() -> bool {
    size_of::<P>() <= 2 * size_of::<usize>()
}

fn finish_small<'t, C: Clock, K: SpanSink>(clock: &C, sink: &'t K, mut place: ManuallyDrop<K::Place<'t>>) {
    finish(sink, &mut place, clock.unix_nanos().unwrap_or(0));
}

fn finish_now<'t, C: Clock, K: SpanSink>(clock: &C, sink: &'t K, place: &mut ManuallyDrop<K::Place<'t>>) {
    finish(sink, place, clock.unix_nanos().unwrap_or(0));
}

/// Ends a span for good: nobody looks at its place afterwards.
#[inline(always)]
fn finish<'t, K: SpanSink>(sink: &'t K, place: &mut ManuallyDrop<K::Place<'t>>, end_time: u64) {
    if !sink.finish(place, end_time) {
        // SAFETY: callers leave a context behind, or nothing.
        #[expect(unsafe_code, reason = "dropped where it stands, as it may be large")]
        unsafe {
            ManuallyDrop::drop(place);
        }
    }
}

impl<C: Clock, K: SpanSink> fmt::Debug for ActiveSpan<'_, C, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ActiveSpan").field("context", &self.context()).finish_non_exhaustive()
    }
}
