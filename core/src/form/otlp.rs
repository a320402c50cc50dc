//! Records a span as fields of OTLP's `Span` message (opentelemetry-proto, `trace/v1/trace.proto`).

use super::value::{self, Measure};
use super::{EntryKind, OpenEntry, Otlp, Sealed};
use crate::bytes::slide;
use crate::storage::{self, Cursor, Output, Storage, StorageView, append};
use crate::wire::{self, LENGTH_DELIMITED, VARINT, field_len, tag, varint_len};
use crate::{Header, Span, SpanContext, SpanView, Status, StatusCode, Value};

pub(crate) const TRACE_STATE: u8 = tag(3, LENGTH_DELIMITED);
pub(crate) const NAME: u8 = tag(5, LENGTH_DELIMITED);
pub(crate) const ATTRIBUTE: u8 = tag(9, LENGTH_DELIMITED);
pub(crate) const EVENT: u8 = tag(11, LENGTH_DELIMITED);
pub(crate) const LINK: u8 = tag(13, LENGTH_DELIMITED);
pub(crate) const STATUS: u8 = tag(15, LENGTH_DELIMITED);
const DROPPED_ATTRIBUTES: u8 = tag(10, VARINT);
const DROPPED_EVENTS: u8 = tag(12, VARINT);
const DROPPED_LINKS: u8 = tag(14, VARINT);
/// Field 2 of `ScopeSpans`, in which a batch holds each span.
pub(crate) const SPAN: u8 = tag(2, LENGTH_DELIMITED);

const STATUS_MESSAGE: u8 = tag(2, LENGTH_DELIMITED);
const STATUS_CODE: u8 = tag(3, VARINT);
/// The code within a status: tag and number.
const STATUS_CODE_FIELD: usize = 2;

const EVENT_TIME: u8 = tag(1, wire::FIXED64);
const EVENT_TIME_LEN: usize = 9;
const EVENT_NAME: u8 = tag(2, LENGTH_DELIMITED);
/// What an event without a name takes before its attributes.
pub(crate) const NAMELESS_EVENT: usize = EVENT_TIME_LEN + field_len(0);
pub(crate) const EVENT_ATTRIBUTE: u8 = tag(3, LENGTH_DELIMITED);
const EVENT_DROPPED: u8 = tag(4, VARINT);
pub(crate) const LINK_ATTRIBUTE: u8 = tag(4, LENGTH_DELIMITED);
const LINK_DROPPED: u8 = tag(5, VARINT);
pub(crate) const KEY: u8 = tag(1, LENGTH_DELIMITED);
pub(crate) const VALUE: u8 = tag(2, LENGTH_DELIMITED);

/// What an open entry may still need when it ends: four more bytes of length and its dropped count.
const ENTRY_TAIL: usize = 4 + 6;

/// The header's fields, all of fixed size: trace id, span id, kind, start, end, flags, and last, as roots have none, the parent.
const FIXED_FIELDS: usize = 18 + 10 + 2 + 9 + 9 + 6;
const PARENT_FIELD: usize = 10;
/// All that stands around the body: tag and length, fixed fields, three counts and a status.
const MOST_AROUND_BODY: usize = 6 + FIXED_FIELDS + PARENT_FIELD + 3 * 6 + 4;

impl Sealed for Otlp {
    #[inline]
    fn begin<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
        if !append(body, field_len(name.len()), |cursor| cursor.field(NAME, name.as_bytes())) {
            append_cut_name(header, body, name);
        }
    }

    fn set_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
        if let Some((start, end)) = find_field(body.as_slice(), NAME) {
            if field_len(name.len()) > body.room() + (end - start) {
                count(&mut header.dropped.texts, true);
                return;
            }
            storage::remove(body, start, end);
        }
        Self::begin(header, body, name);
    }

    fn set_trace_state<V: StorageView + ?Sized>(body: &mut V, trace_state: &str) -> bool {
        append(body, field_len(trace_state.len()), |cursor| cursor.field(TRACE_STATE, trace_state.as_bytes()))
    }

    fn set_status<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, status: Status<'_>) {
        if header.status == StatusCode::Ok || status.code == StatusCode::Unset {
            return;
        }
        if let Some((start, end)) = find_field(body.as_slice(), STATUS) {
            storage::remove(body, start, end);
        }
        header.status = status.code;
        header.status_in_body = false;
        let message = if status.code == StatusCode::Error { status.message } else { "" };
        if message.is_empty() {
            return;
        }
        let room = wire::content_within(wire::content_within(body.room()).saturating_sub(STATUS_CODE_FIELD));
        let fitting = value::fit(message, room);
        count(&mut header.dropped.texts, fitting.len() < message.len());
        if fitting.is_empty() {
            return;
        }
        let content = field_len(fitting.len()) + STATUS_CODE_FIELD;
        header.status_in_body = append(body, field_len(content), |cursor| {
            cursor.field_header(STATUS, content);
            cursor.field(STATUS_MESSAGE, fitting.as_bytes());
            cursor.bytes(&[STATUS_CODE, status.code as u8]);
        });
    }

    #[inline]
    fn set_attribute<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, value: &Value<'_>) {
        let mut measure = Measure { value_length: header.limits.value_length, clipped: false };
        let value_length = measure.value_length;
        match measure.value(value) {
            Some(length) => set_measured(header, body, key, length, measure.clipped, |cursor| {
                value::write_field(cursor, (VALUE, length), value, value_length);
            }),
            None => count(&mut header.dropped.attributes, true),
        }
    }

    #[inline(always)]
    fn set<S: Storage>(span: &mut Span<S, Self>, key: &str, value: &Value<'_>) {
        let (header, body) = span.header_and_body();
        match *value {
            Value::Bool(truth) => set_bool(header, body, key, truth),
            Value::I64(number) => set_int(header, body, key, number),
            Value::F64(number) => set_double(header, body, key, number),
            Value::Str(text) => set_text(header, body, key, text),
            _ => Self::set_attribute(header, body, key, value),
        }
    }

    fn begin_event<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        name: &str,
        time: u64,
    ) -> Option<OpenEntry> {
        let entry = append_event(header, body, name, time, &[]);
        if entry.is_none() {
            count(&mut header.dropped.events, true);
        }
        entry
    }

    fn begin_link<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        context: &SpanContext,
        trace_state: &str,
    ) -> Option<OpenEntry> {
        let start = body.as_slice().len();
        let state = if trace_state.is_empty() { 0 } else { field_len(trace_state.len()) };
        let content = 18 + 10 + state + 5;
        let fits = header.recorded.links < header.limits.links
            && body.room() >= field_len(content) + ENTRY_TAIL
            && append(body, field_len(content), |cursor| {
                cursor.field_header(LINK, content);
                cursor.field(tag(1, LENGTH_DELIMITED), &context.trace_id().to_bytes());
                cursor.field(tag(2, LENGTH_DELIMITED), &context.span_id().to_bytes());
                if !trace_state.is_empty() {
                    cursor.field(tag(3, LENGTH_DELIMITED), trace_state.as_bytes());
                }
                cursor.byte(tag(6, wire::FIXED32));
                cursor.bytes(&otlp_flags(context, context.is_remote()).to_le_bytes());
            });
        if !fits {
            count(&mut header.dropped.links, true);
            return None;
        }
        header.recorded.links += 1;
        Some(OpenEntry::new(EntryKind::Link, start, content))
    }

    fn set_entry_attribute<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        entry: &mut OpenEntry,
        key: &str,
        value: &Value<'_>,
    ) {
        let mut measure = Measure { value_length: header.limits.value_length, clipped: false };
        let value_length = measure.value_length;
        match measure.value(value) {
            Some(length) => set_entry_measured(header, body, entry, key, length, measure.clipped, |cursor| {
                value::write_field(cursor, (VALUE, length), value, value_length);
            }),
            None => count(&mut entry.dropped_attributes, true),
        }
    }

    fn end_entry<V: StorageView + ?Sized>(body: &mut V, entry: &mut OpenEntry) {
        if entry.dropped_attributes > 0 {
            let count_tag = match entry.kind {
                EntryKind::Event => EVENT_DROPPED,
                EntryKind::Link => LINK_DROPPED,
            };
            append(body, 1 + varint_len(entry.dropped_attributes.into()), |cursor| {
                cursor.byte(count_tag);
                cursor.varint(entry.dropped_attributes.into());
            });
            set_length(body, entry);
        }
    }

    fn live_view<'a>(header: &'a Header, body: &'a [u8]) -> Option<SpanView<'a>> {
        Some(SpanView::of_live(header, body, 0))
    }

    #[inline]
    fn most_encoded(_: &Header, body: &[u8]) -> usize {
        MOST_AROUND_BODY.saturating_add(body.len())
    }

    #[inline]
    fn encode<V: StorageView + ?Sized>(header: &Header, body: &[u8], end_time: u64, out: &mut V) -> bool {
        let mut fixed = [0; FIXED_FIELDS + PARENT_FIELD];
        write_fixed(header, end_time, &mut fixed);
        let fixed_len = FIXED_FIELDS + if header.parent.is_some() { PARENT_FIELD } else { 0 };
        let rare = if header.has_rare_fields() { rare_len(header) } else { 0 };
        let content = fixed_len + rare + body.len();
        append(out, field_len(content), |cursor| {
            cursor.field_header(SPAN, content);
            // Two copies of constant length are quicker than one whose length is known only at run time.
            if header.parent.is_some() {
                cursor.bytes(&fixed);
            } else if let Some(fixed) = fixed.first_chunk::<FIXED_FIELDS>() {
                cursor.bytes(fixed);
            }
            cursor.bytes(body);
            if rare > 0 {
                write_rare(header, cursor);
            }
        })
    }

    const IS_OTLP: bool = true;

    #[inline]
    fn stream<O: Output>(header: &Header, body: &[u8], end_time: u64, out: &mut O) {
        let mut fixed = [0; FIXED_FIELDS + PARENT_FIELD];
        write_fixed(header, end_time, &mut fixed);
        let fixed = if header.parent.is_some() { &fixed } else { fixed.get(..FIXED_FIELDS).unwrap_or_default() };
        let rare = if header.has_rare_fields() { rare_len(header) } else { 0 };
        out.bytes(&[SPAN]);
        out.varint((fixed.len() + rare + body.len()) as u64);
        out.bytes(fixed);
        out.bytes(body);
        if rare > 0 {
            write_rare(header, out);
        }
    }
}

/// Appends an event that begins with attributes that are encoded already, if there is room for all of it.
#[inline(always)]
pub(crate) fn append_event<V: StorageView + ?Sized>(
    header: &mut Header,
    body: &mut V,
    name: &str,
    time: u64,
    attributes: &[u8],
) -> Option<OpenEntry> {
    let start = body.as_slice().len();
    let content = EVENT_TIME_LEN + field_len(name.len()) + attributes.len();
    let fits = header.recorded.events < header.limits.events
        && body.room() >= field_len(content) + ENTRY_TAIL
        && append(body, field_len(content), |cursor| {
            cursor.field_header(EVENT, content);
            cursor.byte(EVENT_TIME);
            cursor.bytes(&time.to_le_bytes());
            cursor.field(EVENT_NAME, name.as_bytes());
            cursor.bytes(attributes);
        });
    if !fits {
        return None;
    }
    header.recorded.events += 1;
    Some(OpenEntry::new(EntryKind::Event, start, content))
}

#[inline]
fn write_fixed(header: &Header, end_time: u64, out: &mut [u8; FIXED_FIELDS + PARENT_FIELD]) {
    out[0..2].copy_from_slice(&[tag(1, LENGTH_DELIMITED), 16]);
    out[2..18].copy_from_slice(&header.context.trace_id().to_bytes());
    out[18..20].copy_from_slice(&[tag(2, LENGTH_DELIMITED), 8]);
    out[20..28].copy_from_slice(&header.context.span_id().to_bytes());
    out[28..31].copy_from_slice(&[tag(6, VARINT), header.kind as u8, tag(7, wire::FIXED64)]);
    out[31..39].copy_from_slice(&header.start_time.to_le_bytes());
    out[39] = tag(8, wire::FIXED64);
    out[40..48].copy_from_slice(&end_time.to_le_bytes());
    // Field 16 is the first whose tag takes two bytes.
    out[48..50].copy_from_slice(&[0x85, 0x01]);
    out[50..54].copy_from_slice(&otlp_flags(&header.context, header.is_parent_remote()).to_le_bytes());
    if let Some(parent) = &header.parent {
        out[54..56].copy_from_slice(&[tag(4, LENGTH_DELIMITED), 8]);
        out[56..64].copy_from_slice(&parent.span_id().to_bytes());
    }
}

/// Bits 0–7 the W3C flags, bit 8 "is_remote is known", bit 9 whether the parent (of a span) or the target (of a link) is remote.
#[inline]
pub(crate) fn otlp_flags(context: &SpanContext, is_remote: bool) -> u32 {
    u32::from(context.flags().bits()) | 0x100 | (u32::from(is_remote) << 9)
}

/// The dropped counts and the status code: absent from most spans.
fn rare_fields(header: &Header) -> [(u8, u32); 3] {
    [
        (DROPPED_ATTRIBUTES, header.dropped.attributes),
        (DROPPED_EVENTS, header.dropped.events),
        (DROPPED_LINKS, header.dropped.links),
    ]
}

fn rare_len(header: &Header) -> usize {
    let counts: usize = rare_fields(header)
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(_, count)| 1 + varint_len((*count).into()))
        .sum();
    counts + if header.has_bare_status() { 4 } else { 0 }
}

#[cold]
fn write_rare(header: &Header, out: &mut impl Output) {
    for (count_tag, count) in rare_fields(header) {
        if count > 0 {
            out.bytes(&[count_tag]);
            out.varint(count.into());
        }
    }
    if header.has_bare_status() {
        out.bytes(&[STATUS, 2, STATUS_CODE, header.status as u8]);
    }
}

#[cold]
fn append_cut_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
    let fitting = value::fit(name, wire::content_within(body.room()));
    count(&mut header.dropped.texts, true);
    append(body, field_len(fitting.len()), |cursor| cursor.field(NAME, fitting.as_bytes()));
}

/// Counts once more if `happened`, up to the greatest number there is: a span may live as long as its process.
#[inline]
pub(crate) fn count(counter: &mut u32, happened: bool) {
    *counter = counter.saturating_add(happened.into());
}

#[inline]
fn set_bool<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, truth: bool) {
    set_measured(header, body, key, value::BOOL_LEN, false, |cursor| {
        cursor.field_header(VALUE, value::BOOL_LEN);
        value::write_bool(cursor, truth);
    });
}

#[inline]
fn set_int<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, number: i64) {
    let length = value::int_len(number);
    set_measured(header, body, key, length, false, |cursor| {
        cursor.field_header(VALUE, length);
        value::write_int(cursor, number);
    });
}

#[inline]
fn set_double<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, number: f64) {
    set_measured(header, body, key, value::DOUBLE_LEN, false, |cursor| {
        cursor.field_header(VALUE, value::DOUBLE_LEN);
        value::write_double(cursor, number);
    });
}

#[inline]
fn set_text<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, text: &str) {
    let clipped = value::clip(text, header.limits.value_length);
    let is_clipped = clipped.len() < text.len();
    let length = field_len(clipped.len());
    set_measured(header, body, key, length, is_clipped, |cursor| {
        value::write_text_field(cursor, (VALUE, length), clipped);
    });
}

/// Sets an attribute whose value takes `length` bytes; `write` writes them behind their tag and length.
#[inline(always)]
fn set_measured<V: StorageView + ?Sized>(
    header: &mut Header,
    body: &mut V,
    key: &str,
    length: usize,
    is_clipped: bool,
    write: impl FnOnce(&mut Cursor<'_>),
) {
    let bit = key_bit(key);
    let is_new = header.seen_keys & bit == 0 && header.recorded.attributes < header.limits.attributes;
    // The way of keys that may be there already, and of spans that hold as many attributes as they may.
    let is_added = if is_new { Some(true) } else { make_room(header, body, key, length) };
    if let Some(is_added) = is_added
        && append_attribute(body, ATTRIBUTE, key, length, 0, write)
    {
        header.recorded.attributes += u16::from(is_added);
        header.seen_keys |= bit;
        count(&mut header.dropped.texts, is_clipped);
    } else {
        count(&mut header.dropped.attributes, true);
    }
}

/// Removes what a key has as its value, if the new one fits in its place; answers whether it is another attribute, or `None`
/// if it cannot be had.
#[inline(never)]
fn make_room<V: StorageView + ?Sized>(header: &Header, body: &mut V, key: &str, length: usize) -> Option<bool> {
    match find_attribute(body.as_slice(), 0, ATTRIBUTE, key) {
        None => (header.recorded.attributes < header.limits.attributes).then_some(true),
        Some((start, end)) => {
            let room = body.room() + end.saturating_sub(start);
            if attribute_len(key, length) > room {
                return None;
            }
            storage::remove(body, start, end);
            Some(false)
        }
    }
}

/// Sets an attribute of an event or link; as [`set_measured`].
#[inline(always)]
fn set_entry_measured<V: StorageView + ?Sized>(
    header: &mut Header,
    body: &mut V,
    entry: &mut OpenEntry,
    key: &str,
    length: usize,
    is_clipped: bool,
    write: impl FnOnce(&mut Cursor<'_>),
) {
    let (attribute_tag, limit) = match entry.kind {
        EntryKind::Event => (EVENT_ATTRIBUTE, header.limits.event_attributes),
        EntryKind::Link => (LINK_ATTRIBUTE, header.limits.link_attributes),
    };
    let bit = key_bit(key);
    let old = if entry.seen_keys & bit == 0 {
        None
    } else {
        find_attribute(body.as_slice(), entry.content_start(), attribute_tag, key)
    };
    if old.is_none() && entry.attributes >= limit
        || !append_attribute(body, attribute_tag, key, length, ENTRY_TAIL, write)
    {
        count(&mut entry.dropped_attributes, true);
        return;
    }
    count(&mut header.dropped.texts, is_clipped);
    match old {
        Some((start, end)) => storage::remove(body, start, end),
        None => entry.attributes += 1,
    }
    entry.seen_keys |= bit;
    set_length(body, entry);
}

/// How long a `KeyValue` is as a field, whose value takes `length` bytes.
#[inline]
fn attribute_len(key: &str, length: usize) -> usize {
    field_len(field_len(key.len()).saturating_add(field_len(length)))
}

/// Appends one `KeyValue`, or nothing. `tail` bytes must stay free behind it.
#[inline(always)]
fn append_attribute<V: StorageView + ?Sized>(
    body: &mut V,
    attribute_tag: u8,
    key: &str,
    length: usize,
    tail: usize,
    write: impl FnOnce(&mut Cursor<'_>),
) -> bool {
    let content = field_len(key.len()).saturating_add(field_len(length));
    let total = field_len(content);
    if key.is_empty() || (tail > 0 && body.room() < total.saturating_add(tail)) {
        return false;
    }
    append(body, total, |cursor| {
        cursor.field_headers((attribute_tag, content), (KEY, key.len()));
        cursor.bytes(key.as_bytes());
        write(cursor);
    })
}

/// One of 64 bits for a key: a clear bit proves that the key is new, without looking at the body.
///
/// Inlined into every call with a literal, where the compiler turns it into a constant. There is no type of keys encoded
/// beforehand: tag and length of the key leave in one store with those of the attribute, so such a type came out no quicker.
#[inline]
pub(crate) fn key_bit(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let length = bytes.len();
    let at = |index: usize| usize::from(bytes.get(index).copied().unwrap_or(0));
    // Keys share their beginnings (`http.request.`), so the bits come from the length, the end and the middle.
    let mix = (at(length.wrapping_sub(1)) << 16 | at(length.wrapping_sub(3)) << 8 | at(length / 2)) ^ length;
    1 << ((mix as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}

/// Where the field of this tag stands in the body: start of its tag, end of its content.
fn find_field(body: &[u8], wanted: u8) -> Option<(usize, usize)> {
    Positions { body, at: 0 }.find(|position| position.tag == wanted).map(|position| (position.start, position.end))
}

pub(crate) fn find_attribute(body: &[u8], from: usize, attribute_tag: u8, key: &str) -> Option<(usize, usize)> {
    Positions { body, at: from }
        .find(|position| {
            position.tag == attribute_tag && {
                // The key is the first field of a `KeyValue`.
                let pair = body.get(..position.end).unwrap_or_default();
                let first = Positions { body: pair, at: position.content }.next();
                first.is_some_and(|first| pair.get(first.content..first.end) == Some(key.as_bytes()))
            }
        })
        .map(|position| (position.start, position.end))
}

/// Where one field stands in the body, counted from its begin.
struct Position {
    tag: u8,
    start: usize,
    content: usize,
    end: usize,
}

/// The fields of a body, or of an entry that ends it: bytes that were written here, with tags of one byte, so nothing is
/// checked but that nothing is out of bounds.
struct Positions<'a> {
    body: &'a [u8],
    at: usize,
}

impl Iterator for Positions<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        let start = self.at;
        let tag = *self.body.get(start)?;
        let mut content = start + 1;
        let length = match tag & 7 {
            wire::FIXED64 => 8,
            wire::FIXED32 => 4,
            wire_type => {
                let number = self.varint(&mut content)?;
                if wire_type == LENGTH_DELIMITED { number } else { 0 }
            }
        };
        let end = content.checked_add(length).filter(|&end| end <= self.body.len())?;
        self.at = end;
        Some(Position { tag, start, content, end })
    }
}

impl Positions<'_> {
    fn varint(&self, at: &mut usize) -> Option<usize> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = *self.body.get(*at)?;
            *at += 1;
            value |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                return Some(value);
            }
        }
    }
}

/// Corrects the length of the entry that ends the body, making room if it needs more bytes than before. Done after every
/// change, so that the span can be read at any time, whatever becomes of the entry's builder. False if there is no room.
pub(crate) fn set_length<V: StorageView + ?Sized>(body: &mut V, entry: &mut OpenEntry) -> bool {
    let from = entry.content_start();
    let content = body.as_slice().len().saturating_sub(from);
    let width = varint_len(content as u64);
    let extra = width.saturating_sub(entry.length_width);
    if extra > 0 {
        if !append(body, extra, |cursor| (0..extra).for_each(|_| cursor.byte(0))) {
            return false;
        }
        slide(body.as_mut_slice(), from, from + content, from + extra);
        entry.length_width = width;
    }
    let mut rest = content as u64;
    for index in 0..entry.length_width {
        let more = if index + 1 < entry.length_width { 0x80 } else { 0 };
        if let Some(byte) = body.as_mut_slice().get_mut(entry.start + 1 + index) {
            *byte = (rest.to_le_bytes()[0] & 0x7f) | more;
        }
        rest >>= 7;
    }
    true
}
