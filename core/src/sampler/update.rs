//! `TraceStateUpdate`: what a sampler changes in the tracestate list that a span passes on.

use crate::header::ot::{self, OtError, OtState};
use crate::header::tracestate::{InlineTraceState, TraceState, members};
use crate::storage::Storage;

/// What a sampler changes in the tracestate list (OpenTelemetry trace SDK, "ShouldSample": "A Tracestate that will be
/// associated with the Span"). It goes no further than the sampling threshold, `th` in the member `ot`: explicit randomness,
/// other sub-keys and other vendors' members stay as they came (OpenTelemetry, "TraceState: Probability Sampling").
///
/// ```
/// use clewline_core::TraceStateUpdate;
/// let list = TraceStateUpdate::SetThreshold(0xc0_0000_0000_0000).apply("congo=t61rcWkgMzE,ot=rv:6e6d1a75832a2f");
/// assert_eq!(list.as_str(), "ot=th:c;rv:6e6d1a75832a2f,congo=t61rcWkgMzE");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceStateUpdate {
    /// Nothing: the list goes on as it came.
    #[default]
    Keep,
    /// The span was sampled by this rejection threshold, 0 to 2^56 - 1.
    SetThreshold(u64),
    /// The span was not sampled, or with a probability that nobody knows: a threshold that came with the list is removed.
    EraseThreshold,
}

impl TraceStateUpdate {
    /// The list of the new span, made of `list`, the one that its parent's context came with.
    ///
    /// A list that has to be changed is read strictly: one that breaks a rule is invalid as a whole and replaced (W3C Trace
    /// Context level 2, section 3.3.2). It keeps at most 512 bytes; [`apply_in`](Self::apply_in) has room for more.
    #[must_use]
    pub fn apply(self, list: &str) -> UpdatedTraceState<'_> {
        match self.change(list) {
            None => UpdatedTraceState { content: Content::Same(list) },
            Some(state) => {
                UpdatedTraceState { content: Content::Changed(changed(InlineTraceState::default(), list, &state)) }
            }
        }
    }

    /// Like [`apply`](Self::apply), into storage of the caller's; `None` if the list stays as it is.
    pub fn apply_in<S: Storage>(self, storage: S, list: &str) -> Option<TraceState<S>> {
        self.change(list).map(|state| changed(TraceState::new(storage), list, &state))
    }

    /// What the member `ot` has to say; `None` if that is what it says already.
    fn change(self, list: &str) -> Option<OtState<'_>> {
        let threshold = match self {
            Self::Keep => return None,
            Self::SetThreshold(threshold) => Some(threshold),
            Self::EraseThreshold => None,
        };
        let stated = read_ot(list);
        let is_said = stated.is_ok_and(|state| state.says(threshold));
        (!is_said).then(|| stated.unwrap_or_default().with_threshold(threshold))
    }
}

/// What the member `ot` of a list says. A list that breaks a rule says nothing.
///
/// # Errors
/// The rule that the member breaks.
pub(super) fn read_ot(list: &str) -> Result<OtState<'_>, OtError> {
    let mut value = None;
    for member in members([list.as_bytes()]) {
        let (key, content) = member.map_err(OtError::TraceState)?;
        if key == ot::KEY && value.is_none() {
            value = Some(content);
        }
    }
    value.map_or(Ok(OtState::default()), OtState::parse)
}

fn changed<S: Storage>(empty: TraceState<S>, list: &str, state: &OtState<'_>) -> TraceState<S> {
    if list.is_empty()
        && let Some(threshold) = state.threshold()
    {
        // What nearly every root begins with.
        return empty.of_threshold(threshold);
    }
    let mut changed = empty.read_again([list.as_bytes()]);
    // Too long for its 256 bytes, the member goes as a whole, and the list then says nothing that is not true.
    if changed.set_ot(state).is_err() {
        changed.count_dropped();
    }
    changed
}

/// A tracestate list as a sampler left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedTraceState<'l> {
    content: Content<'l>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is no heap to put it on, and it lives for the length of a call")]
enum Content<'l> {
    Same(&'l str),
    Changed(InlineTraceState),
}

impl UpdatedTraceState<'_> {
    /// The list as it leaves; empty if there are no members, and then no header should be sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.content {
            Content::Same(list) => list,
            Content::Changed(list) => list.as_str(),
        }
    }

    /// How many members had to go: those of other vendors because the changed list would have exceeded 512 bytes or 32 members,
    /// `ot` itself because with the threshold it would have exceeded 256 bytes.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        match &self.content {
            Content::Same(_) => 0,
            Content::Changed(list) => list.dropped(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// A list, the change, the list after it.
    #[test]
    fn update_table() {
        use TraceStateUpdate::{EraseThreshold as Erase, Keep, SetThreshold as Set};
        const HALF: u64 = 1 << 55;
        let table = [
            // The list goes on as it came, whatever it is.
            ("", Keep, ""),
            ("a=1,ot=th:8", Keep, "a=1,ot=th:8"),
            ("No list", Keep, "No list"),
            // "Rejection Threshold": trailing zeros are removed; 0 is all traces.
            ("", Set(0), "ot=th:0"),
            ("", Set(HALF), "ot=th:8"),
            ("", Set(0xfd_70a4_0000_0000), "ot=th:fd70a4"),
            ("", Set(ot::MAX_VALUE), "ot=th:ffffffffffffff"),
            // Beside others, whose order stays; a changed member comes first (W3C, section 3.5).
            ("a=1,b=2", Set(HALF), "ot=th:8,a=1,b=2"),
            ("a=1,ot=th:c,b=2", Set(HALF), "ot=th:8,a=1,b=2"),
            // What is said already stays where it is.
            ("a=1,ot=th:8,b=2", Set(HALF), "a=1,ot=th:8,b=2"),
            ("a=1,ot=th:8000", Set(HALF), "a=1,ot=th:8000"),
            // Of members that should not be there twice, the youngest counts.
            ("ot=th:8,ot=th:c", Set(HALF), "ot=th:8,ot=th:c"),
            ("ot=th:c,ot=th:8", Set(HALF), "ot=th:8"),
            // "Explicit randomness values … propagate … unmodified"; unknown sub-keys are kept.
            ("ot=rv:6e6d1a75832a2f", Set(HALF), "ot=th:8;rv:6e6d1a75832a2f"),
            ("ot=p:8;th:c;rv:6e6d1a75832a2f;r:62", Set(HALF), "ot=th:8;rv:6e6d1a75832a2f;p:8;r:62"),
            ("ot=p:8;th:c;rv:6e6d1a75832a2f;r:62", Erase, "ot=rv:6e6d1a75832a2f;p:8;r:62"),
            // "must erase the OpenTelemetry threshold value".
            ("", Erase, ""),
            ("a=1", Erase, "a=1"),
            ("ot=th:8", Erase, ""),
            ("a=1,ot=th:8,b=2", Erase, "a=1,b=2"),
            ("ot=rv:6e6d1a75832a2f,a=1", Erase, "ot=rv:6e6d1a75832a2f,a=1"),
            // A threshold or a member that breaks its rule is none, and not passed on.
            ("ot=th:xyz;p:8", Erase, "ot=p:8"),
            ("ot=th:0;p:8;p:9,a=1", Erase, "a=1"),
            ("ot=th:0;p:8;p:9,a=1", Set(0), "ot=th:0,a=1"),
            // A list that breaks a rule is invalid as a whole.
            ("a=1,B=2,ot=rv:6e6d1a75832a2f", Set(0), "ot=th:0"),
            ("a=1,ot=th:0,B=2", Erase, ""),
        ];
        for (list, update, after) in table {
            assert_eq!((update.apply(list).as_str(), update.apply(list).dropped()), (after, 0), "{list:?} {update:?}");
            let larger = update.apply_in(heapless::Vec::<u8, 1024>::new(), list);
            assert_eq!(larger.as_ref().map_or(list, TraceState::as_str), after, "{list:?} {update:?}");
        }
    }

    #[test]
    fn what_has_to_go_is_counted() {
        let list = format!("a={},b={}", "v".repeat(250), "w".repeat(200));
        let updated = TraceStateUpdate::SetThreshold(ot::MAX_VALUE).apply(&list);
        assert_eq!((updated.as_str().len(), updated.dropped()), (21 + 455, 0));
        let list = format!("a={},b={}", "v".repeat(253), "w".repeat(254));
        let updated = TraceStateUpdate::SetThreshold(0).apply(&list);
        assert_eq!((&updated.as_str()[..10], updated.dropped()), ("ot=th:0,a=", 1));
        let list = format!("a=1,ot=k:{}", "v".repeat(254));
        let updated = TraceStateUpdate::SetThreshold(0).apply(&list);
        assert_eq!((updated.as_str(), updated.dropped()), ("a=1", 1), "with th:0 it would be too long");
        let list = format!("a={},b={}", "v".repeat(253), "w".repeat(254));
        let roomy = TraceStateUpdate::SetThreshold(0).apply_in(heapless::Vec::<u8, 1024>::new(), &list).unwrap();
        assert_eq!((String::from(roomy.as_str()), roomy.dropped()), (format!("ot=th:0,{list}"), 0));
    }
}
