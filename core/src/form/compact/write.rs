//! Records a span in compact form.

use super::value::{self, Writing, write_counted, write_symbol};
use super::walk::{has_attribute, has_entry_attribute};
use super::{Compact, head, item, link_flags, short, tag};
use crate::error::CapacityError;
use crate::form::otlp::count;
use crate::form::value::fit;
use crate::form::{EntryKind, OpenEntry, Sealed};
use crate::intern::{StringTable, Symbol};
use crate::postcard::{write_varint, write_varint_u32, zigzag};
use crate::storage::{Cursor, Output, Storage, StorageView, append};
use crate::wire::varint_len;
use crate::{Attribute, Header, Span, SpanContext, Status, StatusCode, Value};

/// What an open entry may still need when it ends: its dropped count with a head.
const ENTRY_TAIL: usize = 1 + 5;
/// Everything of a span but its body: head, three ids, start, duration, status code and three counts, end mark; and the two
/// bytes of a name if the body is empty.
const MOST_AROUND_BODY: usize = 1 + 16 + 8 + 8 + 10 + 10 + (1 + 3 * 5) + 1 + 2;
/// How much room is tried first: all that a chip has, and little enough for a body that grows.
const FIRST_RESERVE: usize = 1 << 12;

impl<T: StringTable> Sealed for Compact<T> {
    #[inline(always)]
    fn begin<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
        let symbol = Symbol::of::<T>(name);
        if !short::append_name(body, symbol.reference) {
            append_long_name(header, body, &symbol);
        }
    }

    fn set_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str) {
        let symbol = Symbol::of::<T>(name);
        let is_written = append_whole(body, 0, |cursor| {
            cursor.byte(item::RENAMED);
            write_symbol(cursor, &symbol, 0, 0);
        });
        count(&mut header.dropped.texts, !is_written);
    }

    fn set_trace_state<V: StorageView + ?Sized>(body: &mut V, trace_state: &str) -> bool {
        append_text_item(body, item::TRACE_STATE, trace_state)
    }

    fn set_status<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, status: Status<'_>) {
        if header.status == StatusCode::Ok || status.code == StatusCode::Unset {
            return;
        }
        header.status = status.code;
        let message = if status.code == StatusCode::Error { status.message } else { "" };
        if message.is_empty() && !header.status_in_body {
            return;
        }
        let room = body.room().saturating_sub(1 + varint_len(body.room() as u64));
        let fitting = fit(message, room);
        count(&mut header.dropped.texts, fitting.len() < message.len());
        header.status_in_body |= append_text_item(body, item::STATUS_MESSAGE, fitting);
    }

    #[inline(never)]
    fn set_attribute<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, value: &Value<'_>) {
        let symbol = Symbol::of::<T>(key);
        let (own_bit, shared_bit) = key_bits(&symbol);
        let is_new = header.own_keys & own_bit == 0
            && (header.seen_keys & shared_bit == 0 || !has_attribute(body.as_slice(), &symbol));
        let is_allowed = !is_new || header.recorded.attributes < header.limits.attributes;
        let mut writing = Writing::new(header.limits.value_length);
        if is_allowed && append_attribute::<T, V>(body, &symbol, value, 0, &mut writing) {
            header.own_keys |= own_bit;
            header.seen_keys |= shared_bit;
            header.recorded.attributes += u16::from(is_new);
            count(&mut header.dropped.texts, writing.clipped);
        } else {
            count(&mut header.dropped.attributes, true);
        }
    }

    #[inline(always)]
    fn set<S: Storage>(span: &mut Span<S, Self>, key: &str, value: &Value<'_>) {
        let reference = Symbol::of::<T>(key).reference;
        if has_own_bit(reference) {
            match *value {
                Value::Bool(truth) => return short::set_bool(span, reference, truth),
                Value::I64(number) => {
                    if let Ok(number) = i32::try_from(number) {
                        return short::set_number(span, reference, tag::I64, short::zigzag(number));
                    }
                }
                Value::F64(number) => return short::set_double(span, reference, number),
                Value::Str(text) => {
                    // Where the compiler knows the text, it knows this.
                    let interned = Symbol::of::<T>(text).reference;
                    if interned != 0 {
                        return short::set_interned(span, reference, interned, text);
                    }
                    return short::set_text(span, reference, text);
                }
                _ => {}
            }
        }
        let (header, body) = span.header_and_body();
        Self::set_attribute(header, body, key, value);
    }

    #[inline(always)]
    fn begin_event<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        name: &str,
        time: u64,
    ) -> Option<OpenEntry> {
        let symbol = Symbol::of::<T>(name);
        let start = body.as_slice().len();
        let delta = zigzag(time.wrapping_sub(header.start_time).cast_signed());
        let fits = header.recorded.events < header.limits.events
            && if has_own_bit(symbol.reference) {
                short::append_event(body, symbol.reference.to_le_bytes()[0] << 2 | 1, delta, ENTRY_TAIL)
            } else {
                append_long_event(body, &symbol, delta)
            };
        if !fits {
            count(&mut header.dropped.events, true);
            return None;
        }
        header.recorded.events += 1;
        Some(OpenEntry::new(EntryKind::Event, start, 0))
    }

    fn begin_link<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        context: &SpanContext,
        trace_state: &str,
    ) -> Option<OpenEntry> {
        let start = body.as_slice().len();
        let fits = header.recorded.links < header.limits.links
            && append_whole(body, ENTRY_TAIL, |cursor| {
                cursor.byte(item::LINK);
                cursor.bytes(&context.trace_id().to_bytes());
                cursor.bytes(&context.span_id().to_bytes());
                cursor.byte(context.flags().bits() | if context.is_remote() { link_flags::IS_REMOTE } else { 0 });
                write_counted(cursor, trace_state.as_bytes());
                cursor.byte(item::END);
            });
        if !fits {
            count(&mut header.dropped.links, true);
            return None;
        }
        header.recorded.links += 1;
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
        let is_new = entry.attributes == 0 || !has_entry_attribute(body.as_slice(), entry.start, &symbol);
        if is_new && entry.attributes >= limit {
            count(&mut entry.dropped_attributes, true);
            return;
        }
        // The end mark stands behind each attribute, so that the span can be read whatever becomes of the entry's builder.
        let end = body.as_slice().len().saturating_sub(1);
        body.truncate(end);
        let mut writing = Writing::new(header.limits.value_length);
        if append_attribute::<T, V>(body, &symbol, value, 1 + ENTRY_TAIL, &mut writing) {
            count(&mut header.dropped.texts, writing.clipped);
            entry.attributes += u16::from(is_new);
        } else {
            count(&mut entry.dropped_attributes, true);
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
        let is_written = header.recorded.events == 0
            || append_whole(body, 0, |cursor| {
                cursor.byte(item::START_MOVED);
                write_varint(cursor, zigzag(by));
            });
        if is_written {
            header.start_time = start_time;
        } else {
            count(&mut header.dropped.texts, true);
        }
    }

    #[inline]
    fn most_encoded(_: &Header, body: &[u8]) -> usize {
        MOST_AROUND_BODY.saturating_add(body.len())
    }

    #[inline]
    fn encode<V: StorageView + ?Sized>(header: &Header, body: &[u8], end_time: u64, out: &mut V) -> bool {
        let most = Self::most_encoded(header, body).min(out.room());
        append(out, most, |cursor| Self::stream(header, body, end_time, cursor))
    }

    const IS_OTLP: bool = false;

    #[inline]
    fn stream<O: Output>(header: &Header, body: &[u8], end_time: u64, out: &mut O) {
        let has_outcome = header.status != StatusCode::Unset || header.has_rare_fields();
        let flags = header.context.flags().bits() << 5;
        let mut first = header.kind as u8 | flags | if has_outcome { head::HAS_OUTCOME } else { 0 };
        if header.parent.is_some() {
            first |= head::HAS_PARENT | if header.is_parent_remote() { head::PARENT_IS_REMOTE } else { 0 };
        }
        out.bytes(&[first]);
        out.bytes(&header.context.trace_id().to_bytes());
        out.bytes(&header.context.span_id().to_bytes());
        if let Some(parent) = &header.parent {
            out.bytes(&parent.span_id().to_bytes());
        }
        out.varint(header.start_time);
        out.varint(zigzag(end_time.wrapping_sub(header.start_time).cast_signed()));
        if has_outcome {
            out.bytes(&[header.status as u8]);
            outcome(header).into_iter().for_each(|count| out.varint(count.into()));
        }
        // A body without room for two bytes holds no name, and nothing else either.
        out.bytes(if body.is_empty() { &[0, 0] } else { body });
        out.bytes(&[item::END]);
    }
}

fn outcome(header: &Header) -> [u32; 3] {
    [header.dropped.attributes, header.dropped.events, header.dropped.links]
}

/// Appends all that is written, leaving `tail` bytes free behind it, or nothing. How much that is shows only in writing, so
/// storage that can grow is asked for more when it was not enough.
#[inline]
fn append_whole<V: StorageView + ?Sized>(body: &mut V, tail: usize, mut write: impl FnMut(&mut Cursor<'_>)) -> bool {
    let Some(room) = body.room().checked_sub(tail) else { return false };
    let mut reserve = FIRST_RESERVE.min(room);
    while !append(body, reserve, &mut write) {
        if reserve == room {
            return false;
        }
        reserve = reserve.saturating_mul(8).min(room);
    }
    true
}

/// Appends a name that takes more than a byte, cut if it must be.
#[inline(never)]
fn append_long_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &Symbol<'_>) {
    let append = |body: &mut V, name: &Symbol<'_>| append_whole(body, 0, |cursor| write_symbol(cursor, name, 0, 0));
    if !append(body, name) {
        let fitting = fit(name.text, body.room().saturating_sub(1 + varint_len(body.room() as u64)));
        count(&mut header.dropped.texts, true);
        append(body, &Symbol { reference: 0, text: fitting });
    }
}

/// Appends an event whose name takes more than a byte.
#[inline(never)]
fn append_long_event<V: StorageView + ?Sized>(body: &mut V, name: &Symbol<'_>, delta: u64) -> bool {
    append_whole(body, ENTRY_TAIL, |cursor| {
        write_symbol(cursor, name, 2, 1);
        write_varint(cursor, delta);
        cursor.byte(item::END);
    })
}

fn append_text_item<V: StorageView + ?Sized>(body: &mut V, head: u8, text: &str) -> bool {
    append_whole(body, 0, |cursor| {
        cursor.byte(head);
        write_counted(cursor, text.as_bytes());
    })
}

/// Appends one attribute, or nothing. `tail` bytes stay free behind it.
#[inline]
fn append_attribute<T: StringTable, V: StorageView + ?Sized>(
    body: &mut V,
    key: &Symbol<'_>,
    value: &Value<'_>,
    tail: usize,
    writing: &mut Writing,
) -> bool {
    !key.text.is_empty()
        && append_whole(body, tail, |cursor| {
            write_symbol(cursor, key, 1, 0);
            value::write::<T>(cursor, value, writing);
            if writing.too_deep {
                cursor.overflow();
            }
        })
}

/// Whether the key with this reference has a bit that no other key has.
#[inline(always)]
const fn has_own_bit(reference: u32) -> bool {
    0 < reference && reference < 32
}

/// The bit of a key among those seen: its own, which the first 31 keys of the table have, or one that it shares with others.
/// A clear one proves that the key is new, without looking at the body.
#[inline]
fn key_bits(key: &Symbol<'_>) -> (u32, u64) {
    if has_own_bit(key.reference) {
        return (short::own_bit(key.reference), 0);
    }
    let mix = if key.reference == 0 {
        let last = key.text.as_bytes().last().copied().unwrap_or(0);
        key.text.len() ^ usize::from(last)
    } else {
        key.reference as usize
    };
    (0, 1 << (mix & 63))
}

/// Writes attributes outside a span, such as a resource's, all texts written out.
///
/// # Errors
/// They do not fit, or a value nests deeper than [`MAX_VALUE_DEPTH`](crate::MAX_VALUE_DEPTH); `out` holds those before it.
pub fn write_attributes<V: StorageView + ?Sized>(
    attributes: &[Attribute<'_>],
    out: &mut V,
) -> Result<(), CapacityError> {
    for (key, value) in attributes {
        let key = Symbol { reference: 0, text: key };
        if !append_attribute::<(), V>(out, &key, value, 0, &mut Writing::new(u32::MAX)) {
            return Err(CapacityError);
        }
    }
    Ok(())
}
