//! `Tracer`: starts spans by hand, without `tracing`.

use std::fmt;
use std::sync::OnceLock;

use clewline_core::{Attribute, Link, Scope, SpanContext, SpanKind};

use crate::current::carried::{Carried, Shared};
use crate::current::{self, Context};
use crate::pipeline::{Pipeline, SpanDetails};
use crate::scope::KnownScope;
use crate::span::Span;
#[cfg(feature = "testing")]
use crate::testing::scope as testing;

static GLOBAL: OnceLock<&'static Pipeline> = OnceLock::new();

/// Makes `pipeline` the one that [`tracer`] uses. False if there is one already.
pub(crate) fn set_global(pipeline: &'static Pipeline) -> bool {
    GLOBAL.set(pipeline).is_ok()
}

/// The pipeline that [`init`](crate::init) started.
pub(crate) fn global() -> Option<&'static Pipeline> {
    GLOBAL.get().copied()
}

/// A tracer for the instrumentation scope `name`: a crate or module. It records with the pipeline that [`init`](crate::init)
/// starts, as soon as there is one.
///
/// Asking for it takes a lock, so keep it: it is as small as a reference and may be a `static`'s value.
///
/// ```
/// use std::sync::LazyLock;
/// static TRACER: LazyLock<clewline::Tracer> = LazyLock::new(|| clewline::tracer("shop"));
/// TRACER.span("GET /cart").start().end();
/// ```
#[must_use]
pub fn tracer(name: &str) -> Tracer {
    tracer_in(&Scope { name, ..Scope::default() })
}

/// Like [`tracer`], for a scope with a version, attributes or a schema (OpenTelemetry trace API, "Get a Tracer").
#[must_use]
pub fn tracer_in(scope: &Scope<'_>) -> Tracer {
    Tracer { known: Some(KnownScope::get(scope)), ..Tracer::NONE }
}

impl Pipeline {
    /// A tracer for one instrumentation scope.
    #[must_use]
    pub fn tracer(&'static self, scope: &Scope<'_>) -> Tracer {
        Tracer { pipeline: Some(self), scope: self.scope(scope), known: None }
    }
}

/// Starts spans (OpenTelemetry trace API, "Tracer").
///
/// ```
/// use clewline::{SpanKind, Status};
/// let tracer = clewline::tracer("shop");
/// let mut request = tracer.span("GET /cart").kind(SpanKind::Server).start();
/// request.set("http.request.method", "GET");
/// let mut query = tracer.span("SELECT cart").kind(SpanKind::Client).child_of(&request).start();
/// query.event("cache.miss");
/// query.set_status(Status::error("timeout"));
/// query.end();
/// request.end();
/// ```
// Plain fields, not an enum, which would be written to memory and read back with every span.
#[derive(Clone, Copy)]
pub struct Tracer {
    /// The one pipeline that it is for, in which its scope has this number.
    pipeline: Option<&'static Pipeline>,
    scope: u16,
    /// The scope, if the pipeline is the process's.
    known: Option<&'static KnownScope>,
}

impl Tracer {
    /// A tracer that records nothing.
    pub const NONE: Self = Self { pipeline: None, scope: 0, known: None };

    /// The pipeline that records now, and the scope's number there.
    #[inline]
    fn pipeline(self) -> Option<(&'static Pipeline, u16)> {
        match self.known {
            None => Some((self.pipeline?, self.scope)),
            Some(scope) => Self::of_process(scope, None),
        }
    }

    #[inline]
    fn of_process(scope: &KnownScope, parent: Option<&SpanContext>) -> Option<(&'static Pipeline, u16)> {
        #[cfg(feature = "testing")]
        if testing::is_active() {
            let pipeline = testing::pipeline(parent).or_else(global)?;
            return Some((pipeline, scope.number_in(pipeline)));
        }
        let _ = parent;
        global().map(|pipeline| (pipeline, scope.number_in(pipeline)))
    }

    /// A span to be started.
    #[inline]
    pub const fn span<'a>(&self, name: &'a str) -> SpanBuilder<'a> {
        SpanBuilder {
            tracer: *self,
            name,
            kind: SpanKind::Internal,
            is_contextual: true,
            parent: None,
            carried: None,
            details: SpanDetails {
                attributes: &[],
                links: &[],
                trace_state: "",
                start_time: None,
                told: None,
                carried: None,
            },
            has_details: false,
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tracer").field("records", &self.pipeline().is_some()).finish_non_exhaustive()
    }
}

/// A span to be started: call [`start`](Self::start).
#[derive(Clone, Debug)]
#[must_use = "nothing is recorded until `start` is called"]
pub struct SpanBuilder<'a> {
    tracer: Tracer,
    name: &'a str,
    kind: SpanKind,
    /// The parent is the current span.
    is_contextual: bool,
    parent: Option<SpanContext>,
    carried: Shared,
    details: SpanDetails<'a>,
    has_details: bool,
}

/// What a span can be made a child of.
pub trait Parent {
    /// The parent's context; `None` starts a new trace.
    fn parent_context(&self) -> Option<SpanContext>;

    /// What the parent hands on: its context and, where it has them, the lists.
    fn parent(&self) -> Context {
        Context::new(self.parent_context())
    }
}

impl Parent for SpanContext {
    fn parent_context(&self) -> Option<SpanContext> {
        Some(*self)
    }
}

impl Parent for Span {
    fn parent_context(&self) -> Option<SpanContext> {
        Span::context(self)
    }

    fn parent(&self) -> Context {
        self.hand_on()
    }
}

impl<P: Parent> Parent for Option<P> {
    fn parent_context(&self) -> Option<SpanContext> {
        self.as_ref().and_then(P::parent_context)
    }

    fn parent(&self) -> Context {
        self.as_ref().map(P::parent).unwrap_or_default()
    }
}

impl<P: Parent + ?Sized> Parent for &P {
    fn parent_context(&self) -> Option<SpanContext> {
        (**self).parent_context()
    }

    fn parent(&self) -> Context {
        (**self).parent()
    }
}

impl<'a> SpanBuilder<'a> {
    /// The role in a call.
    #[inline]
    pub const fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// Makes it a child of a span, or of a context that came from elsewhere; `None` starts a new trace. Without this call it
    /// is a child of the [current span](crate::current_span), whichever door that came through.
    #[inline]
    pub fn child_of(mut self, parent: impl Parent) -> Self {
        let (context, carried) = parent.parent().into_parts();
        self.parent = context;
        self.carried = carried;
        self.is_contextual = false;
        self
    }

    /// Starts a new trace, whatever is current. The baggage stays.
    #[inline]
    pub fn root(mut self) -> Self {
        let (_, carried) = current::context().into_parts();
        self.parent = None;
        self.carried = Carried::into_new_trace(carried);
        self.is_contextual = false;
        self
    }

    /// The tracestate list of the trace, if it is not the parent's. One that breaks a rule is none.
    pub const fn trace_state(mut self, trace_state: &'a str) -> Self {
        self.details.trace_state = trace_state;
        self.has_details = true;
        self
    }

    /// Attributes from the start: better than setting them later, as samplers see no others.
    pub const fn attributes(mut self, attributes: &'a [Attribute<'a>]) -> Self {
        self.details.attributes = attributes;
        self.has_details = true;
        self
    }

    /// Relations from the start: better than adding them later, as samplers see no others.
    pub const fn links(mut self, links: &'a [Link<'a>]) -> Self {
        self.details.links = links;
        self.has_details = true;
        self
    }

    /// When it began, if not now: nanoseconds since the Unix epoch.
    pub const fn start_time(mut self, unix_nanos: u64) -> Self {
        self.details.start_time = Some(unix_nanos);
        self.has_details = true;
        self
    }

    /// Starts it. A span that the sampler drops records nothing but still has a context.
    // A builder that is not taken apart by the compiler goes through memory.
    #[inline(always)]
    #[must_use = "a span that is not kept ends at once"]
    pub fn start(self) -> Span {
        let Self { tracer, name, kind, is_contextual, parent, carried, details, has_details } = self;
        let details = if has_details { Some(&details) } else { None };
        // Neither is common, and what they need must not cost the others anything.
        let has_list = details.is_some_and(|details| !details.trace_state.is_empty());
        if current::is_anything() || carried.is_some() || has_list {
            let parent = if is_contextual { None } else { Some(parent.as_ref()) };
            return tracer.start_within(name, kind, parent, carried, details);
        }
        let Some((pipeline, scope)) = tracer.pipeline() else {
            return Span::passing(parent, None);
        };
        pipeline.start_span(scope, name, kind, parent.as_ref(), details)
    }
}

impl Tracer {
    /// Starts a span where something is current, or where more is to be handed on than the parent's context.
    #[cold]
    #[inline(never)]
    fn start_within(
        self,
        name: &str,
        kind: SpanKind,
        parent: Option<Option<&SpanContext>>,
        carried: Shared,
        details: Option<&SpanDetails<'_>>,
    ) -> Span {
        let (parent, mut carried) = match parent {
            Some(parent) => (parent.copied(), carried),
            None => current::context().into_parts(),
        };
        let SpanDetails { attributes, links, trace_state, start_time, .. } = details.copied().unwrap_or_default();
        if !trace_state.is_empty() {
            Carried::set_trace_state(&mut carried, trace_state);
        }
        let pipeline = match self.known {
            Some(scope) => Self::of_process(scope, parent.as_ref()),
            None => self.pipeline(),
        };
        let Some((pipeline, scope)) = pipeline.filter(|_| !current::is_suppressed()) else {
            return Span::passing(parent, carried);
        };
        let handed_on = carried.as_ref().map(Carried::details).unwrap_or_default();
        let details = SpanDetails { attributes, links, start_time, ..handed_on };
        pipeline.start_span(scope, name, kind, parent.as_ref(), Some(&details))
    }
}
