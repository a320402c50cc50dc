//! `DirectSpan`: a live span that is its own OTLP message.

use super::buffer::{DirectBuffer, RESERVED, field_at};
use super::{LIMITS, NAME_LENGTH};
use crate::bytes::begins_with;
use crate::form::otlp::{
    ATTRIBUTE, EVENT, EVENT_ATTRIBUTE, LINK, LINK_ATTRIBUTE, NAME, STATUS, TRACE_STATE, otlp_flags,
};
use crate::wire::{FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, tag};
use crate::{IdSource, SpanContext, SpanKind, StatusCode, TraceFlags, TraceIdRatio};

/// Where the two times stand: behind the ids, which every span has.
const TIMES_AT: usize = 18 + 10;
/// From here on, behind kind and flags, all fields are length-delimited.
const REST_AT: usize = TIMES_AT + 9 + 9 + 2 + 6;

/// The first of the three fields with counts of what was dropped, and the way from one to the next.
const DROPPED: u8 = tag(10, VARINT);
const DROPPED_STEP: u8 = tag(2, VARINT);

/// A live span, or the memory for one.
///
/// The host keeps the context and the times: they are arguments. Whatever does not fit into its `N` bytes is counted, and the
/// counts travel in OTLP's `dropped_*` fields.
// In this order, which leaves a page the fewest bytes when compressed.
#[derive(Debug)]
#[repr(C)]
pub struct DirectSpan<const N: usize> {
    buffer: DirectBuffer<N>,
    dropped: [u32; 3],
    seen_keys: Keys,
    recorded: [u16; 3],
    status: StatusCode,
}

/// A bit for each key, or for some: as many as a chip has in a register, or a page.
#[cfg(target_os = "none")]
type Keys = u32;
#[cfg(not(target_os = "none"))]
type Keys = u64;

/// The places in `recorded` and `dropped`.
const ATTRIBUTES: usize = 0;
const EVENTS: usize = 1;
const LINKS: usize = 2;

impl<const N: usize> DirectSpan<N> {
    /// Memory without a span; all zero. `N` is 86 at least, which is compiled or not: ids, times, kind, flags and outcome have
    /// their room.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N >= REST_AT + 2 + 8 + RESERVED, "room for what every span has") };
        Self { seen_keys: 0, dropped: [0; 3], recorded: [0; 3], status: StatusCode::Unset, buffer: DirectBuffer::new() }
    }
}

impl<const N: usize> Default for DirectSpan<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> DirectSpan<N> {
    /// Starts a span in place of the one that was here. `parent` is of the same trace; `None` for a root.
    pub fn start(&mut self, context: &SpanContext, parent: Option<&SpanContext>, kind: SpanKind, name: &[u8]) {
        self.dropped = [0; 3];
        let buffer = &mut self.buffer;
        buffer.seek(0);
        buffer.short(tag(1, LENGTH_DELIMITED), context.trace_id().to_bytes());
        buffer.short(tag(2, LENGTH_DELIMITED), context.span_id().to_bytes());
        self.write_times(0, 0);
        let buffer = &mut self.buffer;
        let [flags, known, ..] = otlp_flags(context, parent.is_some_and(SpanContext::is_remote)).to_le_bytes();
        // Field 16 is the first whose tag takes two bytes.
        buffer.put([tag(6, VARINT), kind as u8, 0x85, 0x01, flags, known, 0, 0]);
        if let Some(parent) = parent {
            buffer.short(tag(4, LENGTH_DELIMITED), parent.span_id().to_bytes());
        }
        // Where there is no room for the name, what came before it is a whole span.
        let mark = buffer.len();
        buffer.text(NAME, name, NAME_LENGTH);
        buffer.commit(mark);
        // Not at once with what is beside it: a chip calls a function to clear more than 16 bytes.
        self.seen_keys = 0;
        self.recorded = [0; 3];
        self.status = StatusCode::Unset;
    }

    /// Renames the span (OpenTelemetry trace API, "UpdateName").
    pub fn set_name(&mut self, name: &[u8]) {
        let old = self.find(NAME, b"");
        let mark = self.buffer.len();
        self.buffer.text(NAME, name, NAME_LENGTH);
        match old {
            Some(old) if self.buffer.commit(mark) => self.buffer.remove(old),
            _ => self.buffer.count_truncated(),
        }
    }

    /// Records the tracestate of the span's context, once. If it does not fit, nothing of it is recorded, as half a list would be
    /// another one, and [`take_truncated`](Self::take_truncated) counts it.
    #[inline]
    pub fn set_trace_state(&mut self, list: &[u8]) {
        let mark = self.buffer.len();
        self.buffer.field(TRACE_STATE, list);
        if !self.buffer.commit(mark) {
            self.buffer.count_truncated();
        }
    }

    /// Sets an attribute, which `write` writes by [`DirectBuffer::attribute`] with the tag it is given and the same key; what
    /// that answers, it answers. A key that is there already gets the new value.
    #[inline]
    pub fn set(&mut self, key: &[u8], write: impl FnOnce(&mut DirectBuffer<N>, u8) -> bool) {
        let old = self.admit(key);
        let is_written = old.is_some() && write(&mut self.buffer, ATTRIBUTE);
        self.settle(old.flatten(), is_written);
    }

    /// Where the attribute is that has the key already, if there is one; `None` if no more is allowed.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn admit(&mut self, key: &[u8]) -> Option<Option<usize>> {
        let bit = key_bit(key);
        let seen = self.seen_keys;
        self.seen_keys = seen | bit;
        let old = if seen & bit == 0 { None } else { self.find(ATTRIBUTE, key) };
        let [recorded, ..] = self.recorded;
        match old {
            None if key.is_empty() || recorded >= LIMITS.attributes => None,
            _ => Some(old),
        }
    }

    /// Puts a new attribute in the place of an old one, and counts.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn settle(&mut self, old: Option<usize>, is_written: bool) {
        let [recorded, ..] = &mut self.recorded;
        match old {
            Some(old) if is_written => self.buffer.remove(old),
            None if is_written => *recorded += 1,
            _ => count(&mut self.dropped, ATTRIBUTES),
        }
    }

    /// Judges the outcome. `Ok` is final; `Unset` changes nothing; a message is kept with `Error` only
    /// (OpenTelemetry trace API, "Set Status").
    pub fn set_status(&mut self, code: StatusCode, message: &[u8]) {
        if code == StatusCode::Unset || self.status == StatusCode::Ok {
            return;
        }
        self.status = code;
        if let Some(old) = self.find(STATUS, b"") {
            self.buffer.remove(old);
        }
        if code == StatusCode::Error && !message.is_empty() {
            let mark = self.buffer.len();
            let start = self.buffer.open(STATUS);
            self.buffer.bytes(&[tag(3, VARINT), code as u8]);
            self.buffer.text(tag(2, LENGTH_DELIMITED), message, LIMITS.value_length);
            self.buffer.close(start);
            if self.buffer.commit(mark) {
                return;
            }
            self.buffer.count_truncated();
        }
        self.buffer.bytes(&[STATUS, 2, tag(3, VARINT), code as u8]);
    }

    /// Records that something happened at `time`, Unix nanoseconds. `attributes` writes them, each by
    /// [`DirectBuffer::attribute`] with the tag it is given, and answers how many it left out.
    #[inline]
    pub fn event(&mut self, name: &[u8], time: u64, attributes: impl FnOnce(&mut DirectBuffer<N>, u8) -> u32) {
        let buffer = &mut self.buffer;
        let mark = buffer.len();
        let start = buffer.open(EVENT);
        buffer.fixed64(tag(1, FIXED64), time);
        buffer.text(tag(2, LENGTH_DELIMITED), name, NAME_LENGTH);
        let dropped = attributes(buffer, EVENT_ATTRIBUTE);
        if dropped > 0 {
            buffer.count(tag(4, VARINT), dropped);
        }
        self.close_entry(EVENTS, mark, start);
    }

    /// Records a relation to another span, of any trace; its attributes like those of an [`event`](Self::event).
    #[inline]
    pub fn link(&mut self, context: &SpanContext, attributes: impl FnOnce(&mut DirectBuffer<N>, u8) -> u32) {
        let buffer = &mut self.buffer;
        let mark = buffer.len();
        let start = buffer.open(LINK);
        buffer.field(tag(1, LENGTH_DELIMITED), &context.trace_id().to_bytes());
        buffer.field(tag(2, LENGTH_DELIMITED), &context.span_id().to_bytes());
        let [flags, known, ..] = otlp_flags(context, context.is_remote()).to_le_bytes();
        buffer.bytes(&[tag(6, FIXED32), flags, known, 0, 0]);
        let dropped = attributes(buffer, LINK_ATTRIBUTE);
        buffer.count(tag(5, VARINT), dropped);
        self.close_entry(LINKS, mark, start);
    }

    /// Completes the span and answers its message, for a batch. Times are Unix nanoseconds, 0 if unknown.
    #[inline]
    pub fn end(&mut self, start_time: u64, end_time: u64) -> &[u8] {
        let mut tag = DROPPED;
        for dropped in &self.dropped {
            self.buffer.count(tag, *dropped);
            tag += DROPPED_STEP;
        }
        let length = self.buffer.len();
        self.buffer.seek(TIMES_AT);
        self.write_times(start_time, end_time);
        self.buffer.seek(length);
        self.buffer.as_slice()
    }

    /// How many texts were cut, and lists left out, since this was asked last. OTLP has no field for it; the host's ledger may.
    #[must_use]
    pub fn take_truncated(&mut self) -> u32 {
        self.buffer.take_truncated()
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn write_times(&mut self, start_time: u64, end_time: u64) {
        self.buffer.time(tag(7, FIXED64), start_time);
        self.buffer.time(tag(8, FIXED64), end_time);
    }

    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn close_entry(&mut self, kind: usize, mark: usize, start: usize) {
        self.buffer.close(start);
        let Some(recorded) = self.recorded.get_mut(kind) else { return };
        const { assert!(LIMITS.events == LIMITS.links, "one limit for both") };
        if *recorded >= LIMITS.events {
            self.buffer.refuse();
        }
        if self.buffer.commit(mark) {
            *recorded += 1;
        } else {
            count(&mut self.dropped, kind);
        }
    }

    /// Where the field of this tag and, unless that is empty, of this key is.
    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn find(&self, wanted: u8, key: &[u8]) -> Option<usize> {
        let bytes = self.buffer.memory();
        let mut at = REST_AT;
        while at < self.buffer.len() {
            let (start, end) = field_at(bytes, at);
            if bytes.get(at) == Some(&wanted) && (key.is_empty() || is_of_key(bytes, start, key)) {
                return Some(at);
            }
            at = end;
        }
        None
    }
}

/// Whether the field at `start`, which in an attribute is the key, holds this one.
#[inline]
fn is_of_key(bytes: &[u8], start: usize, key: &[u8]) -> bool {
    let (start, end) = field_at(bytes, start);
    bytes.get(start..end).is_some_and(|found| found.len() == key.len() && begins_with(found, key))
}

/// The bit of a key: a clear bit proves that the key is new, without looking at the message. From its end, its middle and
/// its length, because keys share their beginnings.
#[inline]
fn key_bit(key: &[u8]) -> Keys {
    let Some((last, before)) = key.split_last() else { return 0 };
    let middle = before.get(key.len() / 2).unwrap_or(last);
    Keys::from(1_u8)
        .wrapping_shl(u32::from(*last) ^ u32::from(*middle) << 1 ^ u32::from(key.len().to_le_bytes()[0]) << 3)
}

fn count(dropped: &mut [u32; 3], kind: usize) {
    if let Some(count) = dropped.get_mut(kind) {
        *count = count.saturating_add(1);
    }
}

/// The context of a new span: a child does what its parent did (OpenTelemetry trace SDK, "ParentBased"), a root is sampled by
/// the ratio. The random flag of a parent is passed on; a root has it if `ids` are random.
#[inline]
pub fn child_of(parent: Option<&SpanContext>, ids: &impl IdSource, root: TraceIdRatio) -> SpanContext {
    let (trace_id, flags) = match parent {
        Some(parent) => (parent.trace_id(), parent.flags()),
        None => {
            let trace_id = ids.trace_id();
            (trace_id, TraceFlags::NONE.with_random(ids.is_random()).with_sampled(root.keeps(trace_id)))
        }
    };
    SpanContext::new(trace_id, ids.span_id(), flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CountingIds, RandomIds, SpanView};

    fn span<const N: usize>(name: &[u8], check: impl FnOnce(&mut DirectSpan<N>)) {
        let context = child_of(None, &CountingIds::new(), TraceIdRatio::ALL);
        let mut span = DirectSpan::new();
        span.start(&context, None, SpanKind::Client, name);
        check(&mut span);
    }

    fn set<const N: usize>(span: &mut DirectSpan<N>, key: &str, text: &str) {
        span.set(key.as_bytes(), |buffer, tag| {
            buffer.attribute(tag, key.as_bytes(), |value| value.string(text.as_bytes()))
        });
    }

    #[test]
    fn a_child_does_what_its_parent_did() {
        let ids = RandomIds::from_seed([1, 2]);
        let none = TraceIdRatio::new(0.0).unwrap();
        let root = child_of(None, &ids, TraceIdRatio::ALL);
        assert!(root.is_sampled() && root.flags().is_random() && !root.is_remote());
        assert!(!child_of(None, &ids, none).is_sampled());
        let child = child_of(Some(&root.into_remote()), &ids, none);
        assert_eq!((child.trace_id(), child.flags()), (root.trace_id(), root.flags()));
        assert!(child.span_id() != root.span_id() && !child.is_remote());
        assert!(!child_of(None, &CountingIds::new(), none).flags().is_random());
    }

    #[test]
    fn a_new_value_takes_the_place_of_the_old_and_a_refused_one_leaves_it() {
        span::<200>(b"n", |span| {
            for (key, text) in [("a", "1"), ("b", "2"), ("a", "3")] {
                set(span, key, text);
            }
            set(span, "b", core::str::from_utf8(&[b'x'; 150]).unwrap());
            set(span, "", "no key");
            let view = SpanView::parse(span.end(1, 2)).unwrap();
            let text = |key| view.attributes().get(key).and_then(|value| value.as_str());
            assert_eq!((view.attributes().count(), text("a"), text("b")), (2, Some("3"), Some("2")));
            assert_eq!(view.dropped_attributes_count(), 2);
        });
    }

    #[test]
    fn a_tracestate_is_said_if_there_is_room() {
        span::<200>(b"n", |span| {
            span.set_trace_state(&[b'x'; 200]);
            assert_eq!(span.take_truncated(), 1);
            span.set_trace_state(b"a=1,b=2");
            assert_eq!(span.take_truncated(), 0);
            set(span, "key", "text");
            let view = SpanView::parse(span.end(1, 2)).unwrap();
            assert_eq!((view.trace_state(), view.name(), view.attributes().count()), ("a=1,b=2", "n", 1));
        });
    }

    #[test]
    fn ok_is_final_and_a_name_may_change() {
        span::<200>(b"first", |span| {
            span.set_status(StatusCode::Error, b"bad");
            span.set_status(StatusCode::Unset, b"ignored");
            span.set_name(b"second");
            let view = SpanView::parse(span.end(3, 4)).unwrap();
            assert_eq!((view.name(), view.status().code, view.status().message), ("second", StatusCode::Error, "bad"));
            span.set_status(StatusCode::Ok, b"ignored");
            span.set_status(StatusCode::Error, b"too late");
            let view = SpanView::parse(span.end(3, 4)).unwrap();
            assert_eq!((view.status().code, view.status().message), (StatusCode::Ok, ""));
            assert_eq!((view.start_time_unix_nano(), view.end_time_unix_nano()), (3, 4));
        });
    }

    #[test]
    fn whatever_has_no_room_is_left_out_and_what_is_there_stays_whole() {
        span::<86>(&[b'n'; 100], |span| {
            span.event(b"no room for this", 5, |_, _| 0);
            set(span, "key", "nor for this");
            let view = SpanView::parse(span.end(1, 2)).unwrap();
            assert_eq!((view.name(), view.kind()), ("", SpanKind::Client));
            assert_eq!((view.dropped_events_count(), view.dropped_attributes_count()), (1, 1));
        });
        // Also where nothing else has any: the smallest span there can be, of a remote parent.
        let parent = child_of(None, &CountingIds::new(), TraceIdRatio::ALL).into_remote();
        let mut smallest = DirectSpan::<86>::new();
        smallest.start(&parent, Some(&parent), SpanKind::Server, b"name");
        set(&mut smallest, "key", "text");
        smallest.event(b"e", 5, |_, _| 0);
        smallest.link(&parent, |_, _| 0);
        smallest.set_status(StatusCode::Error, b"message");
        let view = SpanView::parse(smallest.end(1, 2)).unwrap();
        assert_eq!((view.parent_span_id(), view.status().code), (Some(parent.span_id()), StatusCode::Error));
        let dropped = [view.dropped_attributes_count(), view.dropped_events_count(), view.dropped_links_count()];
        assert_eq!((view.name(), dropped), ("", [1, 1, 1]));
        // The outcome and the counts have their room, whatever took the rest.
        span::<250>(b"name", |span| {
            (0..20).for_each(|index: u8| set(span, core::str::from_utf8(&[b'a' + index]).unwrap(), "some text"));
            span.set_status(StatusCode::Error, &[b'm'; 100]);
            span.set_name(&[b'n'; 100]);
            (0..1000).for_each(|_| span.event(b"e", 5, |_, _| 0));
            let view = SpanView::parse(span.end(1, 2)).unwrap();
            assert_eq!((view.name(), view.status().code, view.status().message), ("name", StatusCode::Error, ""));
            assert_eq!(view.attributes().count() + view.dropped_attributes_count() as usize, 20);
            assert_eq!(view.events().count() + view.dropped_events_count() as usize, 1000);
            assert_eq!(span.take_truncated(), 2);
        });
    }
}
