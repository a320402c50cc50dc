//! Records a span in compact form.

use super::read::{Item, Items};
use super::value::{self, Measure, symbol_len, write_counted, write_symbol};
use super::{Compact, head, item, link_flags};
use crate::error::CapacityError;
use crate::form::otlp::count;
use crate::form::value::fit;
use crate::form::{EntryKind, OpenEntry, Sealed};
use crate::intern::{StringTable, Symbol};
use crate::postcard::{Reader, write_varint, write_varint_u32, zigzag};
use crate::storage::{self, StorageView, append};
use crate::wire::varint_len;
use crate::{Attribute, Header, MAX_VALUE_DEPTH, SpanContext, Status, StatusCode, Value};

/// What an open entry may still need when it ends: its dropped count with a head.
const ENTRY_TAIL: usize = 1 + 5;
/// A reference to a key with the bits of an attribute: an id has at most 13 bits.
const MOST_OF_REFERENCE: usize = 3;
/// Everything of a span but its body: head, three ids, start, duration, status code and three counts, end mark; and the two
/// bytes of a name if the body is empty.
const MOST_AROUND_BODY: usize = 1 + 16 + 8 + 8 + 10 + 10 + (1 + 3 * 5) + 1 + 2;

impl<T: StringTable> Sealed for Compact<T> {
    #[inline]
    fn begin<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
        if !append_name(body, &Symbol::of::<T>(name)) {
            append_cut_name(header, body, name);
        }
    }

    fn set_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
        let symbol = Symbol::of::<T>(name);
        let old = name_len(body.as_slice());
        let new = symbol_len(&symbol);
        if new > body.room() + old {
            count(&mut header.counts.truncated_values, true);
            return;
        }
        storage::remove(body, 0, old);
        if append_name(body, &symbol) {
            body.as_mut_slice().rotate_right(new);
        }
    }

    fn set_trace_state<V: StorageView + ?Sized>(body: &mut V, trace_state: &str) -> bool {
        append_text_item(body, item::TRACE_STATE, trace_state)
    }

    fn set_status<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, status: Status<'_>) {
        if header.status == StatusCode::Ok || status.code == StatusCode::Unset {
            return;
        }
        if header.status_in_body
            && let Some((start, end)) = find(body.as_slice(), |item| matches!(item, Item::StatusMessage(_)))
        {
            storage::remove(body, start, end);
        }
        header.status = status.code;
        header.status_in_body = false;
        let message = if status.code == StatusCode::Error { status.message } else { "" };
        if message.is_empty() {
            return;
        }
        let room = body.room().saturating_sub(1 + varint_len(body.room() as u64));
        let fitting = fit(message, room);
        count(&mut header.counts.truncated_values, fitting.len() < message.len());
        header.status_in_body = append_text_item(body, item::STATUS_MESSAGE, fitting);
    }

    #[inline]
    fn set_attribute<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, value: &Value<'_>) {
        let symbol = Symbol::of::<T>(key);
        let bit = key_bit(&symbol);
        if header.seen_keys & bit == 0 && header.counts.attributes < header.limits.attributes {
            match append_attribute::<T, V>(body, header.limits.value_length, &symbol, value, 0) {
                Ok(clipped) => {
                    header.seen_keys |= bit;
                    header.counts.attributes += 1;
                    count(&mut header.counts.truncated_values, clipped);
                }
                Err(Refused) => count(&mut header.counts.dropped_attributes, true),
            }
        } else {
            replace_attribute::<T, V>(header, body, &symbol, value);
        }
    }

    fn begin_event<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        name: &str,
        time: u64,
    ) -> Option<OpenEntry> {
        let symbol = Symbol::of::<T>(name);
        let start = body.as_slice().len();
        let delta = zigzag(time.wrapping_sub(header.start_time).cast_signed());
        let length = varint_len(u64::from(symbol.reference) << 2) + symbol.literal_len() + varint_len(delta) + 1;
        let fits = header.counts.events < header.limits.events
            && body.room() >= length + ENTRY_TAIL
            && append(body, length, |cursor| {
                write_symbol(cursor, &symbol, 2, 1);
                write_varint(cursor, delta);
                cursor.byte(item::END);
            });
        if !fits {
            count(&mut header.counts.dropped_events, true);
            return None;
        }
        header.counts.events += 1;
        Some(OpenEntry::new(EntryKind::Event, start, 0))
    }

    fn begin_link<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        context: &SpanContext,
        trace_state: &str,
    ) -> Option<OpenEntry> {
        let start = body.as_slice().len();
        let length = 1 + 16 + 8 + 1 + varint_len(trace_state.len() as u64) + trace_state.len() + 1;
        let fits = header.counts.links < header.limits.links
            && body.room() >= length + ENTRY_TAIL
            && append(body, length, |cursor| {
                cursor.byte(item::LINK);
                cursor.bytes(&context.trace_id().to_bytes());
                cursor.bytes(&context.span_id().to_bytes());
                cursor.byte(context.flags().bits() | if context.is_remote() { link_flags::IS_REMOTE } else { 0 });
                write_counted(cursor, trace_state.as_bytes());
                cursor.byte(item::END);
            });
        if !fits {
            count(&mut header.counts.dropped_links, true);
            return None;
        }
        header.counts.links += 1;
        Some(OpenEntry::new(EntryKind::Link, start, 0))
    }

    fn set_entry_attribute<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        entry: &mut OpenEntry,
        key: &str,
        value: &Value<'_>,
    ) {
        let limit = match entry.kind {
            EntryKind::Event => header.limits.event_attributes,
            EntryKind::Link => header.limits.link_attributes,
        };
        let symbol = Symbol::of::<T>(key);
        let old =
            if entry.attributes == 0 { None } else { find_entry_attribute(body.as_slice(), entry.start, &symbol) };
        if old.is_none() && entry.attributes >= limit {
            count(&mut entry.dropped_attributes, true);
            return;
        }
        // The end mark stands behind each attribute, so that the span can be read whatever becomes of the entry's builder.
        let end = body.as_slice().len().saturating_sub(1);
        body.truncate(end);
        match append_attribute::<T, V>(body, header.limits.value_length, &symbol, value, 1 + ENTRY_TAIL) {
            Ok(clipped) => {
                count(&mut header.counts.truncated_values, clipped);
                match old {
                    Some((start, end)) => storage::remove(body, start, end),
                    None => entry.attributes += 1,
                }
            }
            Err(Refused) => count(&mut entry.dropped_attributes, true),
        }
        append(body, 1, |cursor| cursor.byte(item::END));
    }

    fn end_entry<V: StorageView + ?Sized>(body: &mut V, entry: &mut OpenEntry) {
        if entry.dropped_attributes == 0 {
            return;
        }
        let end = body.as_slice().len().saturating_sub(1);
        body.truncate(end);
        // The room was kept free since the entry began.
        append(body, ENTRY_TAIL + 1, |cursor| {
            cursor.byte(item::DROPPED_ATTRIBUTES);
            write_varint_u32(cursor, entry.dropped_attributes);
            cursor.byte(item::END);
        });
    }

    fn move_start<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, start_time: u64) {
        let by = start_time.wrapping_sub(header.start_time).cast_signed();
        // Events hold their distance to the start, so those that are there must learn of the move.
        let is_written = header.counts.events == 0
            || append(body, 1 + varint_len(zigzag(by)), |cursor| {
                cursor.byte(item::START_MOVED);
                write_varint(cursor, zigzag(by));
            });
        if is_written {
            header.start_time = start_time;
        } else {
            count(&mut header.counts.truncated_values, true);
        }
    }

    #[inline]
    fn most_encoded(_: &Header, body: &[u8]) -> usize {
        MOST_AROUND_BODY.saturating_add(body.len())
    }

    #[inline]
    fn encode<V: StorageView + ?Sized>(header: &Header, body: &[u8], end_time: u64, out: &mut V) -> bool {
        // A body without room for two bytes holds no name, and nothing else either.
        let body = if body.is_empty() { &[0, 0] } else { body };
        let has_outcome = header.status != StatusCode::Unset || header.has_rare_fields();
        let duration = zigzag(end_time.wrapping_sub(header.start_time).cast_signed());
        let mut most = Self::most_encoded(header, body);
        if out.room() < most {
            most = exact_len(header, body, duration, has_outcome);
        }
        append(out, most, |cursor| {
            let flags = header.context.flags().bits() << 5;
            let mut first = header.kind as u8 | flags | if has_outcome { head::HAS_OUTCOME } else { 0 };
            if header.parent.is_some() {
                first |= head::HAS_PARENT | if header.is_parent_remote() { head::PARENT_IS_REMOTE } else { 0 };
            }
            cursor.byte(first);
            cursor.bytes(&header.context.trace_id().to_bytes());
            cursor.bytes(&header.context.span_id().to_bytes());
            if let Some(parent) = &header.parent {
                cursor.bytes(&parent.span_id().to_bytes());
            }
            write_varint(cursor, header.start_time);
            write_varint(cursor, duration);
            if has_outcome {
                cursor.byte(header.status as u8);
                outcome(header).into_iter().for_each(|count| write_varint_u32(cursor, count));
            }
            cursor.bytes(body);
            cursor.byte(item::END);
        })
    }
}

fn outcome(header: &Header) -> [u32; 3] {
    let counts = &header.counts;
    [counts.dropped_attributes, counts.dropped_events, counts.dropped_links]
}

#[cold]
fn exact_len(header: &Header, body: &[u8], duration: u64, has_outcome: bool) -> usize {
    let ids = if header.parent.is_some() { 16 + 8 + 8 } else { 16 + 8 };
    let times = varint_len(header.start_time) + varint_len(duration);
    let counts: usize = outcome(header).iter().map(|&count| varint_len(count.into())).sum();
    1 + ids + times + if has_outcome { 1 + counts } else { 0 } + body.len() + 1
}

fn append_name<V: StorageView + ?Sized>(body: &mut V, symbol: &Symbol<'_>) -> bool {
    append(body, symbol_len(symbol), |cursor| write_symbol(cursor, symbol, 0, 0))
}

#[cold]
fn append_cut_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
    let fitting = fit(name, body.room().saturating_sub(1 + varint_len(body.room() as u64)));
    count(&mut header.counts.truncated_values, true);
    append_name(body, &Symbol { reference: 0, text: fitting });
}

fn append_text_item<V: StorageView + ?Sized>(body: &mut V, head: u8, text: &str) -> bool {
    append(body, 1 + varint_len(text.len() as u64) + text.len(), |cursor| {
        cursor.byte(head);
        write_counted(cursor, text.as_bytes());
    })
}

/// The attribute could not be recorded.
struct Refused;

/// Appends one attribute; answers whether the value was cut. `tail` bytes must stay free behind it.
#[inline]
fn append_attribute<T: StringTable, V: StorageView + ?Sized>(
    body: &mut V,
    value_length: u32,
    key: &Symbol<'_>,
    value: &Value<'_>,
    tail: usize,
) -> Result<bool, Refused> {
    if key.text.is_empty() {
        return Err(Refused);
    }
    let mut measure = Measure { value_length, clipped: false };
    let Some(bound) = measure.bound::<T>(value) else { return Err(Refused) };
    let mut length = MOST_OF_REFERENCE + key.literal_len() + bound;
    if body.room() < length + tail {
        length = attribute_len::<T>(&mut measure, key, value).ok_or(Refused)?;
        if body.room() < length + tail {
            return Err(Refused);
        }
    }
    let written = append(body, length, |cursor| {
        write_symbol(cursor, key, 1, 0);
        value::write::<T>(cursor, value, value_length);
    });
    if written { Ok(measure.clipped) } else { Err(Refused) }
}

fn attribute_len<T: StringTable>(measure: &mut Measure, key: &Symbol<'_>, value: &Value<'_>) -> Option<usize> {
    let reference = varint_len(u64::from(key.reference) << 1);
    Some(reference + key.literal_len() + measure.exact::<T>(value, MAX_VALUE_DEPTH)?)
}

/// The way of keys that may be there already, and of spans that hold as many attributes as they may.
#[inline(never)]
fn replace_attribute<T: StringTable, V: StorageView + ?Sized>(
    header: &mut Header,
    body: &mut V,
    key: &Symbol<'_>,
    value: &Value<'_>,
) {
    let old = find(body.as_slice(), |item| matches!(item, Item::Attribute(found, _) if found.is(key)));
    if old.is_none() && header.counts.attributes >= header.limits.attributes {
        count(&mut header.counts.dropped_attributes, true);
        return;
    }
    if let Some((start, end)) = old {
        let mut measure = Measure { value_length: header.limits.value_length, clipped: false };
        let room = body.room() + (end - start);
        if attribute_len::<T>(&mut measure, key, value).is_none_or(|length| length > room) {
            count(&mut header.counts.dropped_attributes, true);
            return;
        }
        storage::remove(body, start, end);
    }
    match append_attribute::<T, V>(body, header.limits.value_length, key, value, 0) {
        Ok(clipped) => {
            header.counts.attributes += u16::from(old.is_none());
            count(&mut header.counts.truncated_values, clipped);
            header.seen_keys |= key_bit(key);
        }
        Err(Refused) => count(&mut header.counts.dropped_attributes, true),
    }
}

/// One of 32 bits for a key: a clear bit proves that the key is new, without looking at the body.
#[inline]
fn key_bit(key: &Symbol<'_>) -> u64 {
    let mix = if key.reference == 0 {
        let last = key.text.as_bytes().last().copied().unwrap_or(0);
        key.text.len() ^ usize::from(last)
    } else {
        key.reference as usize
    };
    (1_u32 << (mix & 31)).into()
}

/// How long the name in front of the items is.
fn name_len(body: &[u8]) -> usize {
    let mut reader = Reader::new(body);
    let is_literal = matches!(reader.varint(), Ok(0));
    if is_literal && reader.bytes().is_err() {
        return body.len();
    }
    body.len() - reader.rest().len()
}

/// Start and end of the first item that is wanted.
fn find(body: &[u8], wanted: impl Fn(&Item<'_>) -> bool) -> Option<(usize, usize)> {
    find_from(body, name_len(body), wanted)
}

fn find_entry_attribute(body: &[u8], start: usize, key: &Symbol<'_>) -> Option<(usize, usize)> {
    let mut items = Items::new(body.get(start..)?);
    items.enter().ok()?;
    let first = body.len() - items.rest().len();
    find_from(body, first, |item| matches!(item, Item::Attribute(found, _) if found.is(key)))
}

fn find_from(body: &[u8], from: usize, wanted: impl Fn(&Item<'_>) -> bool) -> Option<(usize, usize)> {
    let mut items = Items::new(body.get(from..)?);
    let mut start = from;
    while let Some(Ok(item)) = items.next() {
        let end = body.len() - items.rest().len();
        if wanted(&item) {
            return Some((start, end));
        }
        start = end;
    }
    None
}

/// Writes attributes outside a span, such as a resource's, all texts written out.
///
/// # Errors
/// They do not fit, or a value nests deeper than [`MAX_VALUE_DEPTH`]; `out` holds those before it.
pub fn write_attributes<V: StorageView + ?Sized>(
    attributes: &[Attribute<'_>],
    out: &mut V,
) -> Result<(), CapacityError> {
    for (key, value) in attributes {
        append_attribute::<(), V>(out, u32::MAX, &Symbol { reference: 0, text: key }, value, 0)
            .map_err(|Refused| CapacityError)?;
    }
    Ok(())
}
