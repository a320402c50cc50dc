//! Records a span as fields of OTLP's `Span` message (opentelemetry-proto, `trace/v1/trace.proto`).

use super::value::{self, Measure};
use super::{EntryKind, OpenEntry, Otlp, Sealed};
use crate::storage::{self, StorageView, append};
use crate::wire::{self, Fields, LENGTH_DELIMITED, VARINT, Wire, field_len, tag, varint_len};
use crate::{Header, SpanContext, SpanView, Status, StatusCode, Value};

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
const EVENT_NAME: u8 = tag(2, LENGTH_DELIMITED);
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
                count(&mut header.counts.truncated_values, true);
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
        count(&mut header.counts.truncated_values, fitting.len() < message.len());
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
        let bit = key_bit(key);
        if header.seen_keys & bit == 0 && header.counts.attributes < header.limits.attributes {
            match append_attribute(body, ATTRIBUTE, header.limits.value_length, key, value, 0) {
                Ok(clipped) => {
                    header.seen_keys |= bit;
                    header.counts.attributes += 1;
                    count(&mut header.counts.truncated_values, clipped);
                }
                Err(Refused) => count(&mut header.counts.dropped_attributes, true),
            }
        } else {
            replace_attribute(header, body, key, value);
        }
    }

    fn begin_event<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        name: &str,
        time: u64,
    ) -> Option<OpenEntry> {
        let start = body.as_slice().len();
        let content = 9 + field_len(name.len());
        let fits = header.counts.events < header.limits.events
            && body.room() >= field_len(content) + ENTRY_TAIL
            && append(body, field_len(content), |cursor| {
                cursor.field_header(EVENT, content);
                cursor.byte(EVENT_TIME);
                cursor.bytes(&time.to_le_bytes());
                cursor.field(EVENT_NAME, name.as_bytes());
            });
        if !fits {
            count(&mut header.counts.dropped_events, true);
            return None;
        }
        header.counts.events += 1;
        Some(OpenEntry::new(EntryKind::Event, start, content))
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
        let fits = header.counts.links < header.limits.links
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
            count(&mut header.counts.dropped_links, true);
            return None;
        }
        header.counts.links += 1;
        Some(OpenEntry::new(EntryKind::Link, start, content))
    }

    fn set_entry_attribute<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        entry: &mut OpenEntry,
        key: &str,
        value: &Value<'_>,
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
        if old.is_none() && entry.attributes >= limit {
            count(&mut entry.dropped_attributes, true);
            return;
        }
        match append_attribute(body, attribute_tag, header.limits.value_length, key, value, ENTRY_TAIL) {
            Ok(clipped) => {
                count(&mut header.counts.truncated_values, clipped);
                match old {
                    Some((start, end)) => storage::remove(body, start, end),
                    None => entry.attributes += 1,
                }
                entry.seen_keys |= bit;
                set_length(body, entry);
            }
            Err(Refused) => count(&mut entry.dropped_attributes, true),
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
        (DROPPED_ATTRIBUTES, header.counts.dropped_attributes),
        (DROPPED_EVENTS, header.counts.dropped_events),
        (DROPPED_LINKS, header.counts.dropped_links),
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
fn write_rare(header: &Header, cursor: &mut storage::Cursor<'_>) {
    for (count_tag, count) in rare_fields(header) {
        if count > 0 {
            cursor.byte(count_tag);
            cursor.varint(count.into());
        }
    }
    if header.has_bare_status() {
        cursor.bytes(&[STATUS, 2, STATUS_CODE, header.status as u8]);
    }
}

#[cold]
fn append_cut_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
    let fitting = value::fit(name, wire::content_within(body.room()));
    count(&mut header.counts.truncated_values, true);
    append(body, field_len(fitting.len()), |cursor| cursor.field(NAME, fitting.as_bytes()));
}

/// Counts once more if `happened`, up to the greatest number there is: a span may live as long as its process.
#[inline]
pub(crate) fn count(counter: &mut u32, happened: bool) {
    *counter = counter.saturating_add(happened.into());
}

/// The attribute could not be recorded.
struct Refused;

/// Appends one `KeyValue`; answers whether the value was cut. `tail` bytes must stay free behind it.
#[inline]
fn append_attribute<V: StorageView + ?Sized>(
    body: &mut V,
    attribute_tag: u8,
    value_length: u32,
    key: &str,
    value: &Value<'_>,
    tail: usize,
) -> Result<bool, Refused> {
    let mut measure = Measure { value_length, clipped: false };
    let Some(value_len) = measure.value(value) else { return Err(Refused) };
    let content = field_len(key.len()) + field_len(value_len);
    let total = field_len(content);
    if key.is_empty() || (tail > 0 && body.room() < total + tail) {
        return Err(Refused);
    }
    let written = append(body, total, |cursor| {
        cursor.field_headers((attribute_tag, content), (KEY, key.len()));
        cursor.bytes(key.as_bytes());
        value::write_field(cursor, (VALUE, value_len), value, value_length);
    });
    if written { Ok(measure.clipped) } else { Err(Refused) }
}

/// The way of keys that may be there already, and of spans that hold as many attributes as they may.
#[inline(never)]
fn replace_attribute<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, value: &Value<'_>) {
    let old = find_attribute(body.as_slice(), 0, ATTRIBUTE, key);
    if old.is_none() && header.counts.attributes >= header.limits.attributes {
        count(&mut header.counts.dropped_attributes, true);
        return;
    }
    if let Some((start, end)) = old {
        // The old value goes only once the new one is known to fit where it stood.
        let room = body.room() + end.saturating_sub(start);
        let mut measure = Measure { value_length: header.limits.value_length, clipped: false };
        let fits = measure.value(value).is_some_and(|value| field_len(field_len(key.len()) + field_len(value)) <= room);
        if !fits {
            count(&mut header.counts.dropped_attributes, true);
            return;
        }
        storage::remove(body, start, end);
    }
    match append_attribute(body, ATTRIBUTE, header.limits.value_length, key, value, 0) {
        Ok(clipped) => {
            header.counts.attributes += u16::from(old.is_none());
            count(&mut header.counts.truncated_values, clipped);
            header.seen_keys |= key_bit(key);
        }
        Err(Refused) => count(&mut header.counts.dropped_attributes, true),
    }
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
    positions(body, 0).find(|&(start, _, _)| body.get(start) == Some(&wanted)).map(|(start, end, _)| (start, end))
}

pub(crate) fn find_attribute(body: &[u8], from: usize, attribute_tag: u8, key: &str) -> Option<(usize, usize)> {
    positions(body, from)
        .find(|&(start, _, content)| {
            body.get(start) == Some(&attribute_tag)
                && matches!(Fields::new(content).next(), Some(Ok(field)) if field.wire == Wire::Bytes(key.as_bytes()))
        })
        .map(|(start, end, _)| (start, end))
}

/// The length-delimited fields from `from` on: start, end and content of each.
fn positions(body: &[u8], from: usize) -> impl Iterator<Item = (usize, usize, &[u8])> {
    let rest = body.get(from..).unwrap_or_default();
    let mut fields = Fields::new(rest);
    let mut start = from;
    core::iter::from_fn(move || {
        let field = fields.next()?.ok()?;
        let content = if let Wire::Bytes(content) = field.wire { content } else { &[] };
        let end = body.len() - fields.rest().len();
        let position = (start, end, content);
        start = end;
        Some(position)
    })
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
        let bytes = body.as_mut_slice();
        // Written so that the compiler sees that no range is out of bounds: a panic here would link formatting into every
        // chip.
        if let Some(to) = bytes.len().checked_sub(extra)
            && from <= to
        {
            bytes.copy_within(from..to, from + extra);
        }
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
