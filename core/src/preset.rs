//! `EventPreset`: attributes that many events have in common, encoded once.

use core::fmt;

use crate::form::otlp;
use crate::storage::{Storage, StorageView as _};
use crate::{
    Attribute, EntryBuilder, Otlp, Span, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, TraceFlags, TraceId,
};

/// The first attributes of many events, such as the level and the target of those that one place in a program emits. An event
/// that begins with them costs one copy instead of encoding each.
///
/// ```
/// # use clewline_core::{CountingIds, IdSource, InlineSpan, SpanContext, SpanKind, SpanStart, TraceFlags};
/// use clewline_core::{EventPreset, SpanLimits};
/// let here = [("level", "INFO".into()), ("target", "shop::cart".into())];
/// let preset = EventPreset::new(heapless::Vec::<u8, 128>::new(), &SpanLimits::DEFAULT, &here);
/// # let ids = CountingIds::new();
/// # let context = SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED);
/// # let (kind, limits) = (SpanKind::Internal, SpanLimits::DEFAULT);
/// # let start = SpanStart { context, parent: None, name: "work", kind, start_time: 1, trace_state: "", limits };
/// # let mut span = InlineSpan::<512>::new(heapless::Vec::new(), &start);
/// span.event_with(&preset, "cache.miss", 1_700_000_000_000_000_000).set("cart.id", 7);
/// assert_eq!(span.view(2).events().next().unwrap().attributes().count(), 3);
/// ```
pub struct EventPreset<S> {
    body: S,
    /// Where the attributes begin in the body.
    from: usize,
    attributes: u16,
    seen_keys: u64,
    /// Attributes that were refused, and texts that were cut: counted in every event.
    dropped_attributes: u32,
    truncated_values: u32,
}

impl<S: Storage> EventPreset<S> {
    /// Encodes `attributes` into `body`, by the limits of the spans that will get them.
    #[must_use]
    pub fn new(body: S, limits: &SpanLimits, attributes: &[Attribute<'_>]) -> Self {
        let start = SpanStart {
            context: BLANK,
            parent: None,
            name: "",
            kind: SpanKind::Internal,
            start_time: 0,
            trace_state: "",
            limits: SpanLimits { events: 1, ..*limits },
        };
        let mut span = Span::<S, Otlp>::new(body, &start);
        let entry = {
            let mut event = span.event("", 0);
            event.set_all(attributes);
            // Not ended: what was refused is counted in the events, not here.
            event.take_entry()
        };
        let truncated_values = span.counts().truncated_values;
        let all = u32::try_from(attributes.len()).unwrap_or(u32::MAX);
        let (from, attributes, seen_keys, dropped_attributes) = entry.map_or((usize::MAX, 0, 0, all), |entry| {
            let from = entry.content_start() + otlp::NAMELESS_EVENT;
            (from, entry.attributes, entry.seen_keys, entry.dropped_attributes)
        });
        Self { body: span.into_storage(), from, attributes, seen_keys, dropped_attributes, truncated_values }
    }

    fn encoded(&self) -> &[u8] {
        self.body.view().as_slice().get(self.from..).unwrap_or_default()
    }
}

impl<S> fmt::Debug for EventPreset<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventPreset").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

impl<B: Storage> Span<B, Otlp> {
    /// Like [`event`](Self::event), for an event that begins with the attributes of a preset. Where they exceed the limit of
    /// this span or do not fit, they are refused together, and counted.
    pub fn event_with<P: Storage>(
        &mut self,
        preset: &EventPreset<P>,
        name: &str,
        time: u64,
    ) -> EntryBuilder<'_, B::View, Otlp> {
        let (header, body) = self.header_and_body();
        if preset.attributes <= header.limits.event_attributes
            && let Some(mut entry) = otlp::append_event(header, body, name, time, preset.encoded())
        {
            entry.attributes = preset.attributes;
            entry.seen_keys = preset.seen_keys;
            entry.dropped_attributes = preset.dropped_attributes;
            let truncated = &mut header.dropped.texts;
            *truncated = truncated.saturating_add(preset.truncated_values);
            let (header, body) = self.header_and_body();
            return EntryBuilder::new(header, body, Some(entry));
        }
        let mut event = self.event(name, time);
        event.refuse(preset.dropped_attributes.saturating_add(preset.attributes.into()));
        event
    }
}

/// Stands in a span that never leaves.
const BLANK: SpanContext = {
    let (Some(trace_id), Some(span_id)) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8])) else {
        panic!("ones are not zeros");
    };
    SpanContext::new(trace_id, span_id, TraceFlags::NONE)
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InlineSpan, Value};

    type Storage<const N: usize> = heapless::Vec<u8, N>;

    fn span<const N: usize>(limits: SpanLimits) -> InlineSpan<N> {
        let (kind, start_time) = (SpanKind::Internal, 1);
        let start = SpanStart { context: BLANK, parent: None, name: "s", kind, start_time, trace_state: "", limits };
        InlineSpan::new(Storage::new(), &start)
    }

    const ATTRIBUTES: [Attribute<'static>; 2] = [("level", Value::Str("INFO")), ("line", Value::I64(300))];

    #[test]
    fn an_event_is_the_same_with_a_preset_and_without() {
        let preset = EventPreset::new(Storage::<64>::new(), &SpanLimits::DEFAULT, &ATTRIBUTES);
        let (mut with, mut without) = (span::<512>(SpanLimits::DEFAULT), span::<512>(SpanLimits::DEFAULT));
        for name in ["", "short", core::str::from_utf8(&[b'x'; 200]).unwrap()] {
            with.event_with(&preset, name, 7).set("own", true);
            without.event(name, 7).set_all(&ATTRIBUTES).set("own", true);
        }
        // A key of the preset is replaced, and so is one that the preset was given twice.
        with.event_with(&preset, "replaced", 7).set("level", "WARN");
        without.event("replaced", 7).set_all(&ATTRIBUTES).set("level", "WARN");
        let twice = [("a", Value::I64(1)), ("b", Value::I64(2)), ("a", Value::I64(3))];
        let preset = EventPreset::new(Storage::<64>::new(), &SpanLimits::DEFAULT, &twice);
        with.event_with(&preset, "twice", 7);
        without.event("twice", 7).set_all(&twice);
        assert_eq!(with.into_storage(), without.into_storage());
    }

    #[test]
    fn what_does_not_fit_is_counted_in_every_event() {
        // The limit by number, in the preset and in a span of a lower one.
        let limits = SpanLimits { event_attributes: 1, ..SpanLimits::DEFAULT };
        for of in [limits, SpanLimits::DEFAULT] {
            let preset = EventPreset::new(Storage::<64>::new(), &of, &ATTRIBUTES);
            let mut span = span::<256>(limits);
            span.event_with(&preset, "first", 7);
            span.event_with(&preset, "second", 7);
            let view = span.view(9);
            for event in view.events() {
                assert_eq!(event.attributes().count() + event.dropped_attributes_count() as usize, 2);
            }
            assert_eq!(view.events().count(), 2);
        }
        // The preset's own memory, and the span's.
        let preset = EventPreset::new(Storage::<40>::new(), &SpanLimits::DEFAULT, &ATTRIBUTES);
        let mut small = span::<256>(SpanLimits::DEFAULT);
        small.event_with(&preset, "event", 7);
        let view = small.view(9);
        let event = view.events().next().unwrap();
        assert_eq!((event.attributes().count(), event.dropped_attributes_count()), (1, 1));
        let preset = EventPreset::new(Storage::<64>::new(), &SpanLimits::DEFAULT, &ATTRIBUTES);
        let mut small = span::<44>(SpanLimits::DEFAULT);
        small.event_with(&preset, "event", 7);
        small.event_with(&preset, "none", 7);
        assert_eq!(small.counts().dropped_events, 1);
        let view = small.view(9);
        let event = view.events().next().unwrap();
        assert_eq!((event.attributes().count(), event.dropped_attributes_count()), (0, 2));
        // Nothing at all fits.
        let preset = EventPreset::new(Storage::<8>::new(), &SpanLimits::DEFAULT, &ATTRIBUTES);
        let mut span = span::<256>(SpanLimits::DEFAULT);
        span.event_with(&preset, "event", 7).set("own", 1);
        let view = span.view(9);
        let event = view.events().next().unwrap();
        assert_eq!((event.attributes().count(), event.dropped_attributes_count()), (1, 2));
    }

    #[test]
    fn texts_that_are_cut_are_counted_each_time() {
        let limits = SpanLimits { value_length: 3, ..SpanLimits::DEFAULT };
        let preset = EventPreset::new(Storage::<64>::new(), &limits, &ATTRIBUTES);
        let mut span = span::<256>(limits);
        span.event_with(&preset, "first", 7);
        span.event_with(&preset, "second", 7);
        assert_eq!(span.counts().truncated_values, 2);
    }
}
