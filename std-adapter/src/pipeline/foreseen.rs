//! `Foreseen`: what a pipeline's sampler says of itself, at hand for every thread without asking it.

use std::sync::atomic::{AtomicU8, Ordering};

use clewline_core::{IdSource as _, Sampler, SamplingDecision, SpanContext, TraceFlags};

use super::Pipeline;
use super::thread::with_local;

/// One bit for each of the five parents that it drops spans of for certain, and one for attributes.
#[derive(Debug)]
pub(super) struct Foreseen(AtomicU8);

#[cfg(feature = "tracing")]
const EVERY_PARENT: u8 = 0b1_1111;
const SEES_ATTRIBUTES: u8 = 1 << 7;

impl Foreseen {
    pub(super) fn new(sampler: &dyn Sampler) -> Self {
        Self(AtomicU8::new(bits(sampler)))
    }

    /// Takes another sampler's word.
    pub(super) fn set(&self, sampler: &dyn Sampler) {
        self.0.store(bits(sampler), Ordering::Relaxed);
    }

    #[inline]
    fn drops(&self, parent: Option<&SpanContext>) -> bool {
        let index = parent.map_or(0, |parent| 1 + u8::from(!parent.is_sampled()) + 2 * u8::from(!parent.is_remote()));
        self.0.load(Ordering::Relaxed) & (1 << index) != 0
    }
}

fn bits(sampler: &dyn Sampler) -> u8 {
    let attributes = if sampler.sees_attributes() { SEES_ATTRIBUTES } else { 0 };
    let drops = sampler.by_parent().map_or([false; 5], |known| {
        [
            known.root,
            known.remote_parent_sampled,
            known.remote_parent_not_sampled,
            known.local_parent_sampled,
            known.local_parent_not_sampled,
        ]
        .map(|decision| decision == SamplingDecision::Drop)
    });
    drops.iter().enumerate().fold(attributes, |bits, (index, drops)| bits | u8::from(*drops) << index)
}

impl Pipeline {
    /// The context of a new span with this parent, if it is known without asking the sampler that the span is dropped.
    ///
    /// Not inlined: the answer is to stand in one place, where callers look at it.
    #[inline(never)]
    pub(crate) fn dropped_at_once(&'static self, parent: Option<&SpanContext>) -> Option<SpanContext> {
        if !self.foreseen.drops(parent) {
            return None;
        }
        let mut context = None;
        with_local(self, |local| {
            let (trace_id, is_random) = match parent {
                Some(parent) => (parent.trace_id(), parent.flags().is_random()),
                None => (local.ids.trace_id(), local.ids.is_random()),
            };
            let flags = TraceFlags::NONE.with_random(is_random);
            context = Some(SpanContext::new(trace_id, local.ids.span_id(), flags));
        });
        context
    }

    /// Whether the sampler drops every span for certain, whatever its parent is.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn drops_everything(&self) -> bool {
        self.foreseen.0.load(Ordering::Relaxed) & EVERY_PARENT == EVERY_PARENT
    }

    /// Whether the sampler wants to see attributes.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn sampler_sees_attributes(&self) -> bool {
        self.foreseen.0.load(Ordering::Relaxed) & SEES_ATTRIBUTES != 0
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{AlwaysOff, AlwaysOn, ParentBased, SpanId, TraceId, TraceIdRatio};

    use super::*;

    #[test]
    fn every_parent_has_its_bit() {
        let trace_id = TraceId::from_bytes([1; 16]).unwrap();
        let context = |flags| SpanContext::new(trace_id, SpanId::from_bytes([1; 8]).unwrap(), flags);
        let (on, off) = (context(TraceFlags::SAMPLED), context(TraceFlags::NONE));
        let parents = [None, Some(on.into_remote()), Some(off.into_remote()), Some(on), Some(off)];
        let drops = |foreseen: &Foreseen| parents.map(|parent| foreseen.drops(parent.as_ref()));
        let foreseen = Foreseen::new(&ParentBased::new(AlwaysOff));
        assert_eq!(drops(&foreseen), [true, false, true, false, true]);
        let of_elsewhere = ParentBased {
            root: AlwaysOn,
            remote_parent_sampled: AlwaysOn,
            remote_parent_not_sampled: AlwaysOff,
            local_parent_sampled: AlwaysOff,
            local_parent_not_sampled: AlwaysOff,
        };
        foreseen.set(&of_elsewhere);
        assert_eq!(drops(&foreseen), [false, false, true, true, true]);
        foreseen.set(&AlwaysOff);
        assert_eq!(drops(&foreseen), [true; 5]);
        foreseen.set(&ParentBased::new(TraceIdRatio::new(0.1).unwrap()));
        assert_eq!(drops(&foreseen), [false; 5]);
    }
}
