//! Headers that are lists.

use clewline_core::baggage::{self, InlineBaggage};
use clewline_core::ot::OtState;
use clewline_core::tracestate::{self, InlineTraceState, TraceStateView};
use clewline_core::{
    CompositeSampler, ParentThreshold, ProbabilitySampler, Sampler, SamplingDecision, SamplingParameters, SpanContext,
    SpanId, SpanKind, TraceFlags, TraceId, TraceStateUpdate,
};

use super::lines;

/// A list that was accepted stays valid through every change, and reads back as what it says.
pub(super) fn tracestate(data: &[u8]) {
    let _ = tracestate::members(lines(data)).count();
    let Ok(mut list) = InlineTraceState::<512>::read(lines(data)) else { return };
    check_list(&list);
    let first = list.iter().next().map(|(key, _)| key.to_owned());
    assert_eq!(list.set("clewline", "1"), Ok(()));
    check_list(&list);
    assert_eq!(list.iter().next(), Some(("clewline", "1")), "what was changed last stands first");
    if let Some(first) = first.filter(|first| first != "clewline") {
        list.remove(&first);
        check_list(&list);
        assert!(
            TraceStateView::parse(list.as_str().as_bytes()).is_ok_and(|view| view.iter().all(|(key, _)| key != first))
                || list.get(&first).is_some()
        );
    }
    list.truncate(100);
    check_list(&list);
    assert!(list.as_str().len() <= 100 || list.iter().count() <= 1);
}

fn check_list<const N: usize>(list: &InlineTraceState<N>) {
    let again = InlineTraceState::<N>::read([list.as_str().as_bytes()]).expect("a list is valid at all times");
    assert_eq!(again.as_str(), list.as_str());
    assert_eq!(again.dropped(), 0);
    assert!(again.iter().eq(list.iter()));
}

/// A value of the `ot` member that was accepted is written, and read again as the same.
pub(super) fn ot(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Ok(state) = OtState::parse(text) else { return };
    if let Ok(written) = state.to_text() {
        let again = OtState::parse(written.as_str()).expect("it was written by us");
        assert_eq!((again.threshold(), again.randomness()), (state.threshold(), state.randomness()));
        assert_eq!(again.error(), None, "what was wrong is not written");
        assert!(again.others().eq(state.others()));
    }
}

/// A list on its way through the samplers that write into it: the first byte is the parent's flags, 15 more the trace id's end.
/// What comes out is a list, says what was decided, and keeps what samplers must not touch.
pub(super) fn sampling(data: &[u8]) {
    let Some((front, list)) = data.split_first_chunk::<16>() else { return };
    let (flags, mut id) = (front[0], *front);
    id[0] = 1;
    let (Some(trace_id), Some(span_id), Ok(list)) =
        (TraceId::from_bytes(id), SpanId::from_bytes([1; 8]), core::str::from_utf8(list))
    else {
        return;
    };
    let parent = SpanContext::new(trace_id, span_id, TraceFlags::from_bits(flags));
    let half = ProbabilitySampler::from_threshold(1 << 55);
    let samplers: [&dyn Sampler; 2] = [&half, &CompositeSampler::new(ParentThreshold::new(half.clone()))];
    for sampler in samplers {
        let result = sampler.should_sample(&SamplingParameters {
            parent: (flags & 4 == 0).then_some(&parent),
            trace_state: list,
            trace_id,
            name: "",
            kind: SpanKind::Internal,
            attributes: &[],
            links: &[],
        });
        let updated = result.trace_state.apply(list);
        if result.trace_state == TraceStateUpdate::Keep {
            assert_eq!(updated.as_str(), list);
        } else {
            check_list(&InlineTraceState::<512>::read([updated.as_str().as_bytes()]).expect("a list"));
            // Unless something had to go, and so has made room.
            let again = result.trace_state.apply(updated.as_str());
            assert!(again.as_str() == updated.as_str() || updated.dropped() > 0, "said once, it is said");
        }
        let ot = |list: &str| {
            let view = TraceStateView::parse(list.as_bytes()).unwrap_or_default();
            OtState::of(view).map(|state| (state.threshold(), state.randomness())).unwrap_or_default()
        };
        let ((_, randomness), (threshold, kept)) = (ot(list), ot(updated.as_str()));
        // A value of 256 bytes has no room for a threshold, and then goes as a whole.
        assert!(kept == randomness || kept.is_none() && threshold.is_none());
        if let Some(threshold) = threshold {
            assert_eq!(result.decision, SamplingDecision::RecordAndSample);
            assert!(kept.unwrap_or(trace_id.randomness()) >= threshold);
        }
    }
}

/// What was taken over from a list is well-formed, and reads back as what it says.
pub(super) fn baggage(data: &[u8]) {
    for member in baggage::members(lines(data)).flatten() {
        assert!(member.value().chars().count() <= member.value().as_encoded().len());
        let _ = member.properties().count();
    }
    let mut list = InlineBaggage::<1024>::read(lines(data));
    check_baggage(&list);
    if list.set("clewline", "ü %").is_ok() {
        assert_eq!(list.get("clewline").map(|value| value.to_string()).as_deref(), Some("ü %"));
        check_baggage(&list);
        assert!(list.remove("clewline"));
        assert!(list.get("clewline").is_none());
        check_baggage(&list);
    }
}

fn check_baggage<const N: usize>(list: &InlineBaggage<N>) {
    let again = InlineBaggage::<N>::read([list.as_str().as_bytes()]);
    assert_eq!((again.malformed(), again.dropped(), again.error()), (0, 0, None));
    assert_eq!(again.as_str(), list.as_str());
}
