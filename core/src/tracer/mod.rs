//! `Tracer`: starts spans with what the host lends: clock, ids, sampler, and a sink for what is finished.

mod active;
mod builder;
mod local;
mod sink;

pub use active::ActiveSpan;
pub use builder::SpanBuilder;
pub use local::{LocalSink, LocalSpan};
pub use sink::SpanSink;

use core::mem::ManuallyDrop;

use crate::start;
use crate::storage::Storage;
use crate::{
    Clock, Form, IdSource, Sampler, SamplingDecision, SamplingParameters, SamplingResult, Span, SpanContext, SpanKind,
    SpanLimits, SpanStart,
};
use active::State;
use builder::Extras;

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
        SpanBuilder {
            tracer: self,
            name,
            kind: SpanKind::Internal,
            parent: None,
            extras: Extras::NONE,
            has_extras: false,
        }
    }

    /// Decides, and finds a place for a span that the sampler wants. `also` sees what the sampler said.
    ///
    /// What every span has comes in registers, the rest behind one pointer.
    fn start<'t>(
        &'t self,
        name: &str,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        extras: Option<&Extras<'_, K>>,
        also: impl FnOnce(&SamplingResult<'_>),
    ) -> ActiveSpan<'t, C, K> {
        let Self { clock, ids, sampler, sink, limits } = self;
        let (trace_state, attributes, links) =
            extras.map_or(("", &[][..], &[][..]), |extras| (extras.trace_state, extras.attributes, extras.links));
        // A chip copies what it needs of the parent once, to its place, if nothing that could change it comes in between:
        // so the id, which takes a critical section, comes before, and the parent is read by reference.
        let span_id = ids.span_id();
        let begun;
        let origin = match parent {
            Some(parent) => parent,
            None => {
                begun =
                    SpanContext::new(ids.trace_id(), span_id, start::flags(SamplingDecision::Drop, ids.is_random()));
                &begun
            }
        };
        let sampling = sampler.should_sample(&SamplingParameters {
            parent,
            trace_state,
            trace_id: origin.trace_id(),
            name,
            kind,
            attributes,
            links,
        });
        also(&sampling);
        let context = || {
            let flags = start::flags(sampling.decision, origin.flags().is_random());
            SpanContext::new(origin.trace_id(), span_id, flags)
        };
        let place = match sampling.decision {
            SamplingDecision::Drop => None,
            SamplingDecision::RecordOnly | SamplingDecision::RecordAndSample => sink.begin(|| {
                let given = extras.and_then(|extras| extras.start_time);
                let start_time = given.or_else(|| clock.unix_nanos()).unwrap_or(0);
                let (context, parent) = (context(), parent.copied());
                SpanStart { context, parent, name, kind, start_time, trace_state: "", limits: *limits }
            }),
        };
        let state = match place {
            Some(mut place) => {
                if !sampling.is_plain() {
                    add_sampling(&mut *place, name, trace_state, &sampling);
                }
                State::Recording(ManuallyDrop::new(place))
            }
            None => State::NotRecording(context()),
        };
        ActiveSpan { state, clock, sink }
    }
}

/// Begins a span with what the sampler adds to it.
#[cold]
#[inline(never)]
fn add_sampling<S: Storage, F: Form>(
    span: &mut Span<S, F>,
    name: &str,
    trace_state: &str,
    sampling: &SamplingResult<'_>,
) {
    span.begin_with_name(name);
    let list = sampling.trace_state.apply(trace_state);
    span.begin_trace_state(list.as_str());
    span.count_truncated(list.dropped());
    span.set_all(sampling.attributes);
}
