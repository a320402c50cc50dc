//! `Span`: a typed header and a body of bytes that already have the form in which the span leaves.

use core::fmt;
use core::marker::PhantomData;

use crate::context::ParentContext;
use crate::entry::EntryBuilder;
use crate::error::CapacityError;
#[cfg(all(feature = "critical-section", feature = "frame"))]
use crate::storage::Output;
use crate::storage::{Storage, StorageView};
use crate::{Attribute, Form, Link, Otlp, SpanContext, SpanKind, SpanLimits, SpanView, Status, StatusCode, Value};

/// What a span starts with. [`Tracer`](crate::Tracer) fills it in; a host with its own door does it by hand.
#[derive(Clone, Copy, Debug)]
pub struct SpanStart<'a> {
    /// The new span's own context.
    pub context: SpanContext,
    /// The parent's context, of the same trace; `None` for a root.
    pub parent: Option<SpanContext>,
    /// What happens, in few distinct words: `GET /cart/{id}`. Cut, and counted, if the body cannot hold it.
    pub name: &'a str,
    /// The role in a call.
    pub kind: SpanKind,
    /// When it began: nanoseconds since the Unix epoch, 0 if unknown.
    pub start_time: u64,
    /// The tracestate list to carry on, empty if none.
    pub trace_state: &'a str,
    /// How much may be recorded.
    pub limits: SpanLimits,
}

/// What a span holds and what it had to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Attributes recorded.
    pub attributes: u16,
    /// Events recorded.
    pub events: u16,
    /// Links recorded.
    pub links: u16,
    /// Attributes refused: over a limit, out of room, an empty key, or nested too deep.
    pub dropped_attributes: u32,
    /// Events refused.
    pub dropped_events: u32,
    /// Links refused.
    pub dropped_links: u32,
    /// Texts that were cut: values over the length limit, names and status messages out of room, a tracestate that did not
    /// fit. OTLP has no field for this count; the ledger of the host has.
    pub truncated_values: u32,
}

/// The typed part of a live span, of the same shape in every form.
// In this order, no more than 16 bytes that begin as zero are neighbours: a chip calls a function to clear more.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Header {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<ParentContext>,
    /// A set bit per key that may be in the body; see the form's `key_bit`.
    pub(crate) seen_keys: u64,
    pub(crate) start_time: u64,
    pub(crate) recorded: Recorded,
    /// Whether the status stands in the body already, because it has a message.
    pub(crate) status_in_body: bool,
    pub(crate) status: StatusCode,
    pub(crate) limits: SpanLimits,
    pub(crate) dropped: Dropped,
    pub(crate) kind: SpanKind,
    /// A set bit per key that is in the body, of those that have a bit of their own.
    pub(crate) own_keys: u32,
}

/// How much is in the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) attributes: u16,
    pub(crate) events: u16,
    pub(crate) links: u16,
}

/// How much was refused, and how many texts were cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) attributes: u32,
    pub(crate) events: u32,
    pub(crate) links: u32,
    pub(crate) texts: u32,
}

impl Header {
    #[inline]
    fn new(start: &SpanStart<'_>) -> Self {
        Self {
            context: start.context,
            parent: start.parent.as_ref().map(SpanContext::as_parent),
            seen_keys: 0,
            start_time: start.start_time,
            recorded: Recorded::default(),
            status_in_body: false,
            status: StatusCode::Unset,
            limits: start.limits,
            dropped: Dropped::default(),
            kind: start.kind,
            own_keys: 0,
        }
    }

    #[inline]
    pub(crate) fn is_parent_remote(&self) -> bool {
        self.parent.as_ref().is_some_and(ParentContext::is_remote)
    }

    /// Whether anything beyond the fields of fixed size has to be written.
    #[inline]
    pub(crate) fn has_rare_fields(&self) -> bool {
        (self.dropped.attributes | self.dropped.events | self.dropped.links) != 0 || self.has_bare_status()
    }

    /// Whether there is a status that is not in the body.
    #[inline]
    pub(crate) fn has_bare_status(&self) -> bool {
        self.status != StatusCode::Unset && !self.status_in_body
    }
}

/// A span being recorded, in storage `S` and form `F`.
///
/// It knows neither clock nor exporter: times are arguments, and [`Batch::push`](crate::Batch::push) takes the finished
/// span. Setting a key again replaces its value. What does not fit is refused and counted, see [`counts`](Self::counts).
///
/// ```
/// use clewline_core::{CountingIds, IdSource, InlineSpan, SpanContext, SpanKind, SpanLimits, SpanStart, TraceFlags};
/// let ids = CountingIds::new();
/// let mut span = InlineSpan::<256>::new(heapless::Vec::new(), &SpanStart {
///     context: SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED),
///     parent: None,
///     name: "read sensor",
///     kind: SpanKind::Internal,
///     start_time: 1_700_000_000_000_000_000,
///     trace_state: "",
///     limits: SpanLimits::DEFAULT,
/// });
/// span.set("sensor.id", 7).set("sensor.unit", "°C");
/// span.set("sensor.id", 8);
/// assert_eq!(span.view(1_700_000_000_000_000_900).attributes().count(), 2);
/// ```
pub struct Span<S: Storage, F: Form = Otlp> {
    header: Header,
    body: S,
    form: PhantomData<F>,
}

/// A span whose body is `N` bytes inside the span itself.
pub type InlineSpan<const N: usize, F = Otlp> = Span<heapless::Vec<u8, N>, F>;

impl<S: Storage, F: Form> Span<S, F> {
    /// Starts recording into `body`, whose former content is forgotten.
    #[inline]
    #[must_use]
    pub fn new(body: S, start: &SpanStart<'_>) -> Self {
        let mut span = Self::unnamed(body, start);
        span.begin(start);
        span
    }

    /// A span that has no name yet, so that it can be put in its place before it gets one.
    #[inline(always)]
    pub(crate) fn unnamed(body: S, start: &SpanStart<'_>) -> Self {
        Self { header: Header::new(start), body, form: PhantomData }
    }

    /// Forgets this span and starts another one in the same place: for hosts that keep spans in a pool.
    #[inline(always)]
    pub fn restart(&mut self, start: &SpanStart<'_>) {
        self.header = Header::new(start);
        self.begin(start);
    }

    /// Forgets what was recorded, so that storage which can shrink gives memory back before the next [`restart`](Self::restart).
    #[inline]
    pub fn clear(&mut self) {
        self.body.view_mut().truncate(0);
    }

    /// Writes what a span begins with.
    #[inline]
    fn begin(&mut self, start: &SpanStart<'_>) {
        self.clear();
        self.begin_with_name(start.name);
        self.begin_trace_state(start.trace_state);
    }

    /// Writes the name of a span that has nothing yet.
    #[inline(always)]
    pub(crate) fn begin_with_name(&mut self, name: &str) {
        F::begin(&mut self.header, self.body.view_mut(), name);
    }

    /// Whether it is a span that has nothing yet.
    #[inline(always)]
    pub(crate) fn is_unnamed(&self) -> bool {
        self.body.view().as_slice().is_empty()
    }

    /// Writes the tracestate, if there is one.
    #[inline]
    pub(crate) fn begin_trace_state(&mut self, trace_state: &str) {
        if !trace_state.is_empty() && !F::set_trace_state(self.body.view_mut(), trace_state) {
            self.count_truncated(1);
        }
    }

    /// Counts texts that the host had to cut before they came here: see [`SpanCounts::truncated_values`].
    pub fn count_truncated(&mut self, texts: u32) {
        let truncated = &mut self.header.dropped.texts;
        *truncated = truncated.saturating_add(texts);
    }

    /// Counts links that the host had to refuse before they came here, because their context is none.
    pub fn count_refused_links(&mut self, links: u32) {
        let refused = &mut self.header.dropped.links;
        *refused = refused.saturating_add(links);
    }

    /// The span's own context, to hand to children and to other processes.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.header.context
    }

    /// The parent's context.
    #[must_use]
    pub fn parent(&self) -> Option<SpanContext> {
        self.header.parent.map(|parent| parent.in_trace(self.header.context.trace_id()))
    }

    /// Gives the span another place in a trace, for hosts that learn of the parent after the span has begun. What was
    /// recorded stays.
    pub fn set_context(&mut self, context: SpanContext, parent: Option<SpanContext>) -> &mut Self {
        self.header.context = context;
        self.header.parent = parent.as_ref().map(SpanContext::as_parent);
        self
    }

    /// Gives the span the tracestate list that came with a parent learnt of late. A former list no longer counts; one that does
    /// not fit is refused and counted.
    pub fn set_trace_state(&mut self, trace_state: &str) -> &mut Self {
        if !F::set_trace_state(self.body.view_mut(), trace_state) {
            let truncated = &mut self.header.dropped.texts;
            *truncated = truncated.saturating_add(1);
        }
        self
    }

    /// When it began: nanoseconds since the Unix epoch, 0 if unknown.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.header.start_time
    }

    /// Corrects the beginning, for hosts that learn the time later.
    pub fn set_start_time(&mut self, unix_nanos: u64) -> &mut Self {
        F::move_start(&mut self.header, self.body.view_mut(), unix_nanos);
        self
    }

    /// The role in a call.
    pub fn set_kind(&mut self, kind: SpanKind) -> &mut Self {
        self.header.kind = kind;
        self
    }

    #[inline]
    pub(crate) fn limits(&self) -> &SpanLimits {
        &self.header.limits
    }

    /// What was recorded and what was refused so far.
    #[must_use]
    pub fn counts(&self) -> SpanCounts {
        let Header { recorded, dropped, .. } = &self.header;
        SpanCounts {
            attributes: recorded.attributes,
            events: recorded.events,
            links: recorded.links,
            dropped_attributes: dropped.attributes,
            dropped_events: dropped.events,
            dropped_links: dropped.links,
            truncated_values: dropped.texts,
        }
    }

    /// The outcome's code so far.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        self.header.status
    }

    /// Renames the span (OpenTelemetry trace API, "UpdateName"). A name that does not fit leaves the old one.
    pub fn set_name(&mut self, name: &str) -> &mut Self {
        F::set_name(&mut self.header, self.body.view_mut(), name);
        self
    }

    /// Sets an attribute; a key that is there already gets the new value.
    ///
    /// A literal key costs nothing but its copy: what tells it from other keys is computed when the call is compiled.
    #[inline(always)]
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        F::set(self, key, &value.into());
        self
    }

    /// Sets several attributes.
    pub fn set_all(&mut self, attributes: &[Attribute<'_>]) -> &mut Self {
        for (key, value) in attributes {
            F::set_attribute(&mut self.header, self.body.view_mut(), key, value);
        }
        self
    }

    /// Judges the outcome. `Ok` is final; `Unset` changes nothing; a message is kept with `Error` only
    /// (OpenTelemetry trace API, "Set Status").
    pub fn set_status(&mut self, status: Status<'_>) -> &mut Self {
        F::set_status(&mut self.header, self.body.view_mut(), status);
        self
    }

    /// Records that something happened at `time`; attributes go into the builder, which is done when dropped.
    #[inline]
    pub fn event(&mut self, name: &str, time: u64) -> EntryBuilder<'_, S::View, F> {
        let Self { header, body, .. } = self;
        let view = body.view_mut();
        let entry = F::begin_event(header, view, name, time);
        EntryBuilder::new(header, view, entry)
    }

    /// Records a relation to another span, of any trace; attributes go into the builder, which is done when dropped.
    pub fn link(&mut self, context: &SpanContext, trace_state: &str) -> EntryBuilder<'_, S::View, F> {
        let Self { header, body, .. } = self;
        let view = body.view_mut();
        let entry = F::begin_link(header, view, context, trace_state);
        EntryBuilder::new(header, view, entry)
    }

    /// Records a relation that is a value. One that is known when the span starts belongs to the start, where samplers see
    /// it (OpenTelemetry trace API, "Add Link").
    pub fn add_link(&mut self, link: &Link<'_>) -> &mut Self {
        self.link(&link.context, link.trace_state).set_all(link.attributes);
        self
    }

    /// Records an error as the event `exception` (OpenTelemetry semantic conventions, "Exceptions on spans").
    /// Empty arguments are left out. Does not set the status.
    pub fn record_exception(&mut self, exception_type: &str, message: &str, stacktrace: &str, time: u64) -> &mut Self {
        self.exception(exception_type, message, stacktrace, time);
        self
    }

    /// Like [`record_exception`](Self::record_exception); further attributes go into the builder, and replace those of the
    /// same key (OpenTelemetry trace API, "Record Exception").
    pub fn exception(
        &mut self,
        exception_type: &str,
        message: &str,
        stacktrace: &str,
        time: u64,
    ) -> EntryBuilder<'_, S::View, F> {
        let mut event = self.event("exception", time);
        for (key, text) in
            [("exception.type", exception_type), ("exception.message", message), ("exception.stacktrace", stacktrace)]
        {
            if !text.is_empty() {
                event.set(key, text);
            }
        }
        event
    }

    /// What forms write to.
    #[inline]
    pub(crate) fn header_and_body(&mut self) -> (&mut Header, &mut S::View) {
        (&mut self.header, self.body.view_mut())
    }

    /// Hands out what [`write_to`](Self::write_to) writes, piece by piece.
    #[cfg(all(feature = "critical-section", feature = "frame"))]
    #[inline]
    pub(crate) fn stream(&self, end_time: u64, out: &mut impl Output) {
        F::stream(&self.header, self.body.view().as_slice(), end_time, out);
    }

    /// The typed view, where the form has one.
    pub(crate) fn live_view(&self) -> Option<SpanView<'_>> {
        F::live_view(&self.header, self.body.view().as_slice())
    }

    /// At least the length of what [`write_to`](Self::write_to) writes, cheaply.
    #[must_use]
    pub fn most_written(&self) -> usize {
        F::most_encoded(&self.header, self.body.view().as_slice())
    }

    /// Gives the storage back, for reuse.
    #[inline]
    #[must_use]
    pub fn into_storage(self) -> S {
        self.body
    }

    /// Writes the span as finished at `end_time`, framed as a member of a batch, for hosts whose batches are not
    /// [`Batch`](crate::Batch).
    ///
    /// # Errors
    /// It does not fit; nothing was written.
    #[inline]
    pub fn write_to<V: StorageView + ?Sized>(&self, end_time: u64, out: &mut V) -> Result<(), CapacityError> {
        if F::encode(&self.header, self.body.view().as_slice(), end_time, out) { Ok(()) } else { Err(CapacityError) }
    }
}

impl<S: Storage> Span<S, Otlp> {
    /// Reads the span as it would leave if it ended at `end_time`.
    #[must_use]
    pub fn view(&self, end_time: u64) -> SpanView<'_> {
        SpanView::of_live(&self.header, self.body.view().as_slice(), end_time)
    }
}

impl<S: Storage, F: Form> fmt::Debug for Span<S, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Span").field("header", &self.header).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SpanId, TraceFlags, TraceId};

    #[test]
    fn counts_stop_at_the_greatest_number() {
        let (trace_id, span_id) = (TraceId::from_bytes([1; 16]).unwrap(), SpanId::from_bytes([2; 8]).unwrap());
        let context = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED);
        let limits = SpanLimits { events: 0, links: 0, attributes: 1, value_length: 0, ..SpanLimits::DEFAULT };
        let start = SpanStart {
            context,
            parent: None,
            name: "",
            kind: SpanKind::Internal,
            start_time: 0,
            trace_state: "",
            limits,
        };
        let mut span = InlineSpan::<64>::new(heapless::Vec::new(), &start);
        let most = SpanCounts {
            dropped_attributes: u32::MAX,
            dropped_events: u32::MAX,
            dropped_links: u32::MAX,
            truncated_values: u32::MAX,
            ..SpanCounts::default()
        };
        span.header.dropped = Dropped { attributes: u32::MAX, events: u32::MAX, links: u32::MAX, texts: u32::MAX };
        span.set("a", "cut").set("a", "cut again").set("b", "refused").set("", "refused");
        span.event("refused", 0);
        span.link(&context, "refused");
        span.set_name(core::str::from_utf8(&[b'n'; 80]).unwrap_or_default());
        span.set_status(Status::error(core::str::from_utf8(&[b'm'; 80]).unwrap_or_default()));
        assert_eq!(span.counts(), SpanCounts { attributes: 1, ..most });
    }
}
