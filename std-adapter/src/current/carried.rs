//! `Carried`: what few contexts have beside the ids, shared by all spans of a trace in this process.

use std::sync::Arc;

use clewline_core::TraceStateUpdate;
use clewline_core::b3::SamplingState;
use clewline_core::tracestate::TraceState;

use crate::pipeline::GrowingBuffer;
use crate::pipeline::SpanDetails;

/// A `baggage` list on the heap.
pub type Baggage = clewline_core::baggage::Baggage<GrowingBuffer>;

/// Tracestate list, baggage, and a decision about recording that the sampled flag cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) trace_state: Box<str>,
    pub(crate) baggage: Baggage,
    /// `Debug` or `Defer` beside a span, anything beside none; `None` is what the sampled flag says.
    pub(crate) sampling: Option<SamplingState>,
}

/// `None`, as for almost every span, costs nothing.
pub(crate) type Shared = Option<Arc<Carried>>;

impl Carried {
    fn is_empty(&self) -> bool {
        self.trace_state.is_empty() && self.baggage.is_empty() && self.sampling.is_none()
    }

    /// Changes a copy, if others have it too. What is empty then is dropped.
    pub(crate) fn change(shared: &mut Shared, change: impl FnOnce(&mut Self)) {
        let carried = Arc::make_mut(shared.get_or_insert_default());
        change(carried);
        if carried.is_empty() {
            *shared = None;
        }
    }

    /// Sets the tracestate list. One that breaks a rule is none (W3C Trace Context level 2, section 3.3).
    pub(crate) fn set_trace_state(shared: &mut Shared, list: &str) {
        let list: TraceState<GrowingBuffer> = TraceState::read([list.as_bytes()]).unwrap_or_default();
        if shared.is_some() || !list.is_empty() {
            Self::change(shared, |carried| carried.trace_state = list.as_str().into());
        }
    }

    /// What a span begins with of it.
    pub(crate) fn details(carried: &Arc<Self>) -> SpanDetails<'_> {
        let Self { trace_state, sampling, .. } = &**carried;
        SpanDetails { trace_state, told: *sampling, carried: Some(carried), ..SpanDetails::default() }
    }

    /// What a span hands on of what it was given: the list as the sampler left it; a decision that was left open has been made.
    pub(crate) fn into_span(mut shared: Shared, update: TraceStateUpdate) -> Shared {
        if update != TraceStateUpdate::Keep {
            let list = shared.as_ref().map_or("", |carried| &carried.trace_state);
            if let Some(updated) = update.apply_in(GrowingBuffer::default(), list) {
                Self::change(&mut shared, |carried| carried.trace_state = updated.as_str().into());
            }
        }
        if shared.as_ref().is_some_and(|carried| carried.sampling.is_some_and(|state| state != SamplingState::Debug)) {
            Self::change(&mut shared, |carried| carried.sampling = None);
        }
        shared
    }

    /// What a new trace takes along: the baggage.
    pub(crate) fn into_new_trace(mut shared: Shared) -> Shared {
        if shared.is_some() {
            Self::change(&mut shared, |carried| {
                carried.trace_state = Box::default();
                carried.sampling = None;
            });
        }
        shared
    }
}
