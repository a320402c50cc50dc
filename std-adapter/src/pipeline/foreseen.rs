//! `Foreseen`: what a pipeline's sampler says of itself, at hand for every thread without asking it.

use std::sync::atomic::{AtomicU16, Ordering};

use clewline_core::{IdSource as _, Sampler, SamplingDecision, SpanContext, TraceFlags};

use super::Pipeline;
use super::ids::with_ids;

/// Bits for each of the five parents whose spans it drops or samples for certain, and one for attributes.
#[derive(Debug)]
pub(super) struct Foreseen {
    bits: AtomicU16,
    /// Processors are told of what is sampled, so that this is not all there is to say.
    has_processors: bool,
}

/// The lowest of five bits, one for each parent.
const DROPS: u16 = 1;
const SAMPLES: u16 = 1 << 8;
#[cfg(feature = "tracing")]
const EVERY_PARENT: u16 = 0b1_1111;
const SEES_ATTRIBUTES: u16 = 1 << 15;

/// What is known beforehand about a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is not recorded.
    Drop,
    /// It is recorded and sampled, and nobody has anything to add.
    Sample,
    /// The sampler is to be asked, or a processor to be told.
    Open,
}

impl Foreseen {
    pub(super) fn new(sampler: &dyn Sampler, has_processors: bool) -> Self {
        let foreseen = Self { bits: AtomicU16::new(0), has_processors };
        foreseen.set(sampler);
        foreseen
    }

    /// Takes another sampler's word.
    pub(super) fn set(&self, sampler: &dyn Sampler) {
        let attributes = if sampler.sees_attributes() { SEES_ATTRIBUTES } else { 0 };
        let known = sampler.by_parent();
        let known = [
            known.root,
            known.remote_parent_sampled,
            known.remote_parent_not_sampled,
            known.local_parent_sampled,
            known.local_parent_not_sampled,
        ];
        let bit = |decision| match decision {
            Some(SamplingDecision::Drop) => DROPS,
            Some(SamplingDecision::RecordAndSample) if !self.has_processors => SAMPLES,
            Some(SamplingDecision::RecordAndSample | SamplingDecision::RecordOnly) | None => 0,
        };
        let known = known.into_iter().enumerate();
        let bits = known.fold(attributes, |bits, (parent, decision)| bits | bit(decision) << parent);
        self.bits.store(bits, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn decision(&self, parent: Option<&SpanContext>) -> Decision {
        let index = parent.map_or(0, |parent| 1 + u8::from(!parent.is_sampled()) + 2 * u8::from(!parent.is_remote()));
        let bits = self.bits.load(Ordering::Relaxed) >> index;
        if bits & SAMPLES != 0 {
            Decision::Sample
        } else if bits & DROPS != 0 {
            Decision::Drop
        } else {
            Decision::Open
        }
    }
}

/// The context of a new span: in its parent's trace, or in one of its own.
#[inline]
pub(super) fn new_context(parent: Option<&SpanContext>, flags: TraceFlags) -> SpanContext {
    with_ids(|ids| {
        let (trace_id, is_random) = match parent {
            Some(parent) => (parent.trace_id(), parent.flags().is_random()),
            None => (ids.trace_id(), ids.is_random()),
        };
        SpanContext::new(trace_id, ids.span_id(), flags.with_random(is_random))
    })
}

impl Pipeline {
    /// The context of a new span with this parent, if it is known without asking the sampler that the span is dropped.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn dropped_at_once(&self, parent: Option<&SpanContext>) -> Option<SpanContext> {
        (self.foreseen.decision(parent) == Decision::Drop).then(|| new_context(parent, TraceFlags::NONE))
    }

    /// Whether the sampler drops every span for certain, whatever its parent is.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn drops_everything(&self) -> bool {
        self.foreseen.bits.load(Ordering::Relaxed) & EVERY_PARENT == EVERY_PARENT
    }

    /// Whether the sampler wants to see attributes.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn sampler_sees_attributes(&self) -> bool {
        self.foreseen.bits.load(Ordering::Relaxed) & SEES_ATTRIBUTES != 0
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{AlwaysOff, AlwaysOn, ParentBased, RecordOnly, SpanId, TraceId, TraceIdRatio};

    use super::*;

    #[test]
    fn every_parent_has_its_bit() {
        let trace_id = TraceId::from_bytes([1; 16]).unwrap();
        let context = |flags| SpanContext::new(trace_id, SpanId::from_bytes([1; 8]).unwrap(), flags);
        let (on, off) = (context(TraceFlags::SAMPLED), context(TraceFlags::NONE));
        let parents = [None, Some(on.into_remote()), Some(off.into_remote()), Some(on), Some(off)];
        let decisions = |foreseen: &Foreseen| parents.map(|parent| foreseen.decision(parent.as_ref()));
        use Decision::{Drop, Open, Sample};
        let foreseen = Foreseen::new(&ParentBased::new(AlwaysOff), false);
        assert_eq!(decisions(&foreseen), [Drop, Sample, Drop, Sample, Drop]);
        let of_elsewhere = ParentBased {
            root: AlwaysOn,
            remote_parent_sampled: RecordOnly,
            remote_parent_not_sampled: AlwaysOff,
            local_parent_sampled: AlwaysOff,
            local_parent_not_sampled: AlwaysOn,
        };
        foreseen.set(&of_elsewhere);
        assert_eq!(decisions(&foreseen), [Sample, Open, Drop, Drop, Sample]);
        foreseen.set(&AlwaysOff);
        assert_eq!(decisions(&foreseen), [Drop; 5]);
        foreseen.set(&ParentBased::new(TraceIdRatio::new(0.1).unwrap()));
        assert_eq!(decisions(&foreseen), [Open, Sample, Drop, Sample, Drop]);
        foreseen.set(&TraceIdRatio::new(0.1).unwrap());
        assert_eq!(decisions(&foreseen), [Open; 5]);
        let told = Foreseen::new(&of_elsewhere, true);
        assert_eq!(decisions(&told), [Open, Open, Drop, Drop, Open], "processors are told of what is recorded");
    }
}
