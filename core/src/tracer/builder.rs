//! `SpanBuilder`: what a span starts with.

use core::fmt;

use super::{ActiveSpan, SpanSink, Tracer};
use crate::{
    Attribute, Clock, IdSource, Link, Sampler, SamplingResult, Span, SpanContext, SpanKind, TraceStateUpdate,
    UpdatedTraceState,
};

/// A span to be started: call [`start`](Self::start).
#[must_use = "nothing is recorded until `start` is called"]
pub struct SpanBuilder<'t, 'a, C, I, S, K: SpanSink> {
    pub(super) tracer: &'t Tracer<C, I, S, K>,
    pub(super) name: &'a str,
    pub(super) kind: SpanKind,
    pub(super) parent: Option<SpanContext>,
    pub(super) extras: Extras<'a, K>,
    pub(super) has_extras: bool,
}

/// What few spans start with.
pub(super) struct Extras<'a, K: SpanSink> {
    pub(super) trace_state: &'a str,
    pub(super) start_time: Option<u64>,
    pub(super) attributes: &'a [Attribute<'a>],
    pub(super) links: &'a [Link<'a>],
    /// Record the attributes and links. By pointer, so that a program whose spans have none does not link what writes them.
    add_attributes: Option<Add<K, Attribute<'a>>>,
    add_links: Option<Add<K, Link<'a>>>,
}

type Add<K, T> = fn(&mut Span<<K as SpanSink>::Storage, <K as SpanSink>::Form>, &[T]);

impl<K: SpanSink> Extras<'_, K> {
    pub(super) const NONE: Self =
        Self { trace_state: "", start_time: None, attributes: &[], links: &[], add_attributes: None, add_links: None };

    fn add_to(&self, span: &mut Span<K::Storage, K::Form>) {
        if let Some(add) = self.add_attributes {
            add(span, self.attributes);
        }
        if let Some(add) = self.add_links {
            add(span, self.links);
        }
    }
}

impl<'t, 'a, C: Clock, I: IdSource, S: Sampler, K: SpanSink> SpanBuilder<'t, 'a, C, I, S, K> {
    /// The role in a call.
    #[inline]
    pub const fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// Makes it a child; without a parent it starts a new trace.
    #[inline]
    pub fn child_of(mut self, parent: impl Into<Option<SpanContext>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// The tracestate list that came with the parent, or the one that a new trace begins with. Samplers see it, and may
    /// change what it says of the sampling: see [`start_with_trace_state`](Self::start_with_trace_state).
    #[inline]
    pub const fn trace_state(mut self, trace_state: &'a str) -> Self {
        self.extras.trace_state = trace_state;
        self.has_extras = true;
        self
    }

    /// Attributes from the start: better than setting them later, as samplers see no others.
    #[inline]
    pub const fn attributes(mut self, attributes: &'a [Attribute<'a>]) -> Self {
        self.extras.attributes = attributes;
        self.extras.add_attributes = Some(|span, attributes| {
            span.set_all(attributes);
        });
        self.has_extras = true;
        self
    }

    /// Relations from the start: better than adding them later, as samplers see no others.
    #[inline]
    pub const fn links(mut self, links: &'a [Link<'a>]) -> Self {
        self.extras.links = links;
        self.extras.add_links = Some(|span, links| {
            for link in links {
                span.add_link(link);
            }
        });
        self.has_extras = true;
        self
    }

    /// When it began, if not now: nanoseconds since the Unix epoch.
    #[inline]
    pub const fn start_time(mut self, unix_nanos: u64) -> Self {
        self.extras.start_time = Some(unix_nanos);
        self.has_extras = true;
        self
    }

    /// Starts it. If the sampler drops it or no storage is left, it records nothing but still has a context.
    // Inlined, so that a builder which was given nothing special is nothing but arguments.
    #[inline(always)]
    #[must_use = "a span that is not kept ends at once"]
    pub fn start(self) -> ActiveSpan<'t, C, K> {
        self.start_and(|_| ())
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
        let trace_state = self.extras.trace_state;
        let mut update = TraceStateUpdate::Keep;
        let active = self.start_and(|sampling| update = sampling.trace_state);
        (active, update.apply(trace_state))
    }

    /// `also` sees what the sampler said.
    // The span is all that is returned, as it may be large: beside something else it would be moved once more.
    #[inline(always)]
    fn start_and(self, also: impl FnOnce(&SamplingResult<'_>)) -> ActiveSpan<'t, C, K> {
        let Self { tracer, name, kind, parent, extras, has_extras } = self;
        let extras = if has_extras { Some(&extras) } else { None };
        let mut active = tracer.start(name, kind, parent.as_ref(), extras, also);
        if let Some(span) = active.recording() {
            // Here the compiler may know the name, and what it is as a number.
            if span.is_unnamed() {
                span.begin_with_name(name);
                if let Some(extras) = extras {
                    span.begin_trace_state(extras.trace_state);
                }
            }
            if let Some(extras) = extras {
                extras.add_to(span);
            }
            tracer.sink.started(span);
        }
        active
    }
}

impl<C, I, S, K: SpanSink> fmt::Debug for SpanBuilder<'_, '_, C, I, S, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SpanBuilder")
            .field("name", &self.name)
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}
