//! `SpanProcessor`: sees spans start and end, and may add to those that start.

use core::fmt;

use crate::{Attribute, EntryBuilder, Form, Link, Span, SpanContext, SpanKind, SpanView, Status, Storage, Value};

/// What becomes of a finished span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to the next processor, and at last into the batch.
    Keep,
    /// It goes no further.
    Drop,
}

/// Sees spans start and end (OpenTelemetry trace SDK, "Span processor"). A tuple of processors is one processor.
///
/// Called on the thread that records, so it should be quick and must not block.
///
/// ```
/// use clewline_core::{
///     AlwaysOn, CountingIds, LocalSink, NoClock, ReadWriteSpan, SpanProcessor, SpanView, Tracer, Verdict,
/// };
///
/// /// Says on every span who pays for it.
/// struct Tenant(&'static str);
///
/// impl SpanProcessor for Tenant {
///     fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
///         span.set("tenant.id", self.0);
///     }
///
///     fn on_end(&self, _: &SpanView<'_>) -> Verdict {
///         Verdict::Keep
///     }
/// }
///
/// let sink = LocalSink::<256, 1024, _>::with_processor(Tenant("acme"));
/// let tracer = Tracer::new(NoClock, CountingIds::new(), AlwaysOn, sink);
/// tracer.span("GET /cart").start().end();
/// tracer.sink().with_batch(|batch| assert_eq!(batch.iter().next().unwrap().attributes().count(), 1));
/// ```
pub trait SpanProcessor {
    /// A span was started that is going to be recorded: it can be read and written (OpenTelemetry trace SDK, "OnStart").
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        let _ = span;
    }

    /// A recorded span has ended, whether it is sampled or not: what is not sampled is seen here, and goes no further
    /// (OpenTelemetry trace SDK, "Recording Sampled reaction table").
    fn on_end(&self, span: &SpanView<'_>) -> Verdict;

    /// Whether it looks at spans that have ended. If not, all of them are kept, [`on_end`](Self::on_end) is not called, and what it
    /// would be shown is not read.
    fn sees_ends(&self) -> bool {
        true
    }
}

/// No processor.
impl SpanProcessor for () {
    #[inline]
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Keep
    }

    #[inline]
    fn sees_ends(&self) -> bool {
        false
    }
}

impl<A: SpanProcessor, B: SpanProcessor> SpanProcessor for (A, B) {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        self.0.on_start(span);
        self.1.on_start(span);
    }

    fn on_end(&self, span: &SpanView<'_>) -> Verdict {
        match verdict(&self.0, span) {
            Verdict::Keep => verdict(&self.1, span),
            Verdict::Drop => Verdict::Drop,
        }
    }

    fn sees_ends(&self) -> bool {
        self.0.sees_ends() || self.1.sees_ends()
    }
}

/// What a processor says about a span that has ended, if it wants to see it.
fn verdict<P: SpanProcessor>(processor: &P, span: &SpanView<'_>) -> Verdict {
    if processor.sees_ends() { processor.on_end(span) } else { Verdict::Keep }
}

impl<P: SpanProcessor + ?Sized> SpanProcessor for &P {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        (**self).on_start(span);
    }

    fn on_end(&self, span: &SpanView<'_>) -> Verdict {
        (**self).on_end(span)
    }

    fn sees_ends(&self) -> bool {
        (**self).sees_ends()
    }
}

/// A span that has just started, of any storage and form, as processors see it.
///
/// What it takes goes through a table of functions, which is linked only where a processor writes to spans.
pub struct ReadWriteSpan<'s> {
    span: &'s mut dyn Recorder,
}

impl<'s> ReadWriteSpan<'s> {
    /// For hosts that call processors themselves.
    #[must_use]
    pub fn new<S: Storage, F: Form>(span: &'s mut Span<S, F>) -> Self {
        Self { span }
    }

    /// The span's own context.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.span.context()
    }

    /// The parent's context.
    #[must_use]
    pub fn parent(&self) -> Option<SpanContext> {
        self.span.parent()
    }

    /// Everything that was recorded so far; its end time is 0. `None` in the compact form, which only the host can read.
    #[must_use]
    pub fn view(&self) -> Option<SpanView<'_>> {
        self.span.live_view()
    }

    /// Sets an attribute; a key that is there already gets the new value.
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        self.span.set_value(key, &value.into());
        self
    }

    /// Sets several attributes.
    pub fn set_all(&mut self, attributes: &[Attribute<'_>]) -> &mut Self {
        for (key, value) in attributes {
            self.span.set_value(key, value);
        }
        self
    }

    /// Renames the span.
    pub fn set_name(&mut self, name: &str) -> &mut Self {
        self.span.rename(name);
        self
    }

    /// Changes the role in a call.
    pub fn set_kind(&mut self, kind: SpanKind) -> &mut Self {
        self.span.change_kind(kind);
        self
    }

    /// Judges the outcome; see [`Span::set_status`].
    pub fn set_status(&mut self, status: Status<'_>) -> &mut Self {
        self.span.judge(status);
        self
    }

    /// Records a relation to another span.
    pub fn link(&mut self, link: &Link<'_>) -> &mut Self {
        self.span.add_link(link);
        self
    }

    /// Records that something happened at `time`: nanoseconds since the Unix epoch, or what else the host's clock counts.
    pub fn event(&mut self, name: &str, time: u64, attributes: &[Attribute<'_>]) -> &mut Self {
        self.span.add_event(name, time, attributes);
        self
    }
}

impl fmt::Debug for ReadWriteSpan<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReadWriteSpan").field("context", &self.context()).finish_non_exhaustive()
    }
}

/// What [`ReadWriteSpan`] needs of a span whose type it does not know.
trait Recorder {
    fn context(&self) -> SpanContext;
    fn parent(&self) -> Option<SpanContext>;
    fn live_view(&self) -> Option<SpanView<'_>>;
    fn set_value(&mut self, key: &str, value: &Value<'_>);
    fn rename(&mut self, name: &str);
    fn change_kind(&mut self, kind: SpanKind);
    fn judge(&mut self, status: Status<'_>);
    fn add_link(&mut self, link: &Link<'_>);
    fn add_event(&mut self, name: &str, time: u64, attributes: &[Attribute<'_>]);
}

impl<S: Storage, F: Form> Recorder for Span<S, F> {
    fn context(&self) -> SpanContext {
        self.context()
    }

    fn parent(&self) -> Option<SpanContext> {
        self.parent()
    }

    fn live_view(&self) -> Option<SpanView<'_>> {
        self.live_view()
    }

    fn set_value(&mut self, key: &str, value: &Value<'_>) {
        self.set(key, *value);
    }

    fn rename(&mut self, name: &str) {
        self.set_name(name);
    }

    fn change_kind(&mut self, kind: SpanKind) {
        self.set_kind(kind);
    }

    fn judge(&mut self, status: Status<'_>) {
        self.set_status(status);
    }

    fn add_link(&mut self, link: &Link<'_>) {
        self.add_link(link);
    }

    fn add_event(&mut self, name: &str, time: u64, attributes: &[Attribute<'_>]) {
        let mut event: EntryBuilder<'_, S::View, F> = self.event(name, time);
        event.set_all(attributes);
    }
}
