//! Expands a span in compact form to OTLP, on the host's side.

use super::read::{CompactSpan, Entry, Item, Items, Text, map_key};
use super::tag;
use super::value::clip;
use crate::form::otlp::{ATTRIBUTE, EVENT_ATTRIBUTE, KEY, LINK_ATTRIBUTE, VALUE, find_attribute, key_bit, set_length};
use crate::form::value as otlp_value;
use crate::form::{EntryKind, OpenEntry, Otlp, Sealed};
use crate::postcard::{CompactError, Reader};
use crate::storage::{self, Storage, StorageView, append};
use crate::wire::field_len;
use crate::{Span, SpanLimits, SpanStart, SpanView, Status, Value};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// One moment in two clocks: the chip's ticks and the world's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeAnchor {
    /// The chip's clock.
    pub ticks: u64,
    /// The same moment, in nanoseconds since the Unix epoch.
    pub unix_nanos: u64,
    /// How fast the chip's clock runs.
    pub ticks_per_second: u32,
}

impl TimeAnchor {
    /// Ticks that are nanoseconds since the Unix epoch already.
    pub const NANOSECONDS: Self = Self { ticks: 0, unix_nanos: 0, ticks_per_second: 1_000_000_000 };

    /// The time of a tick, in nanoseconds since the Unix epoch. A chip without a clock says 0, which stays 0, OTLP's
    /// "unknown"; times that OTLP cannot express become the nearest that it can.
    #[must_use]
    pub fn unix_nanos(&self, ticks: u64) -> u64 {
        if ticks == 0 {
            return 0;
        }
        let distance = i128::from(ticks) - i128::from(self.ticks);
        let nanos = distance * NANOS_PER_SECOND / i128::from(self.ticks_per_second.max(1));
        let time = i128::from(self.unix_nanos) + nanos;
        u64::try_from(time).unwrap_or(if time < 0 { 0 } else { u64::MAX })
    }
}

/// A span of a chip as OTLP: to look at, to push into a [`Batch`](crate::Batch), or to add to.
#[derive(Debug)]
pub struct ExpandedSpan<S: Storage> {
    /// The span.
    pub span: Span<S>,
    /// When it ended, in nanoseconds since the Unix epoch.
    pub end_time: u64,
}

impl<S: Storage> ExpandedSpan<S> {
    /// Reads it.
    #[must_use]
    pub fn view(&self) -> SpanView<'_> {
        self.span.view(self.end_time)
    }
}

impl<'a> CompactSpan<'a> {
    /// Records the same span as OTLP into `body`, whose former content is forgotten. `strings` answers with the string of an
    /// id, from the chip's table; `anchor` says when its ticks were.
    ///
    /// # Errors
    /// A string that the table does not hold, or `body` is too small.
    pub fn expand<S: Storage>(
        &self,
        strings: &impl Fn(u32) -> Option<&'a str>,
        anchor: &TimeAnchor,
        body: S,
    ) -> Result<ExpandedSpan<S>, CompactError> {
        let items = || Items::new(self.items).map_while(Result::ok);
        // The last of what can be there once counts.
        let (mut name, mut message) = (self.name, "");
        for item in items() {
            match item {
                Item::Renamed(text) => name = text,
                Item::StatusMessage(text) => message = text,
                _ => {}
            }
        }
        let name = name.resolve(strings)?;
        let mut span = Span::<S, Otlp>::new(
            body,
            &SpanStart {
                context: self.context,
                parent: self.parent,
                name,
                kind: self.kind,
                start_time: anchor.unix_nanos(self.start),
                trace_state: "",
                // The chip has applied its own.
                limits: SpanLimits {
                    attributes: u16::MAX,
                    events: u16::MAX,
                    links: u16::MAX,
                    event_attributes: u16::MAX,
                    link_attributes: u16::MAX,
                    value_length: u32::MAX,
                },
            },
        );
        if span.counts().truncated_values > 0 {
            return Err(CompactError::Capacity);
        }
        let (header, body) = span.header_and_body();
        let moves = items().map(|item| if let Item::StartMoved(by) = item { by } else { 0 });
        // Events hold their distance to the start as it was when they were recorded.
        let mut first_start = self.start.wrapping_add_signed(moves.fold(0, i64::wrapping_add).wrapping_neg());
        for item in items() {
            match item {
                Item::StatusMessage(_) | Item::Renamed(_) => {}
                Item::StartMoved(by) => first_start = first_start.wrapping_add_signed(by),
                Item::TraceState(text) => {
                    if !Otlp::set_trace_state(body, text) {
                        return Err(CompactError::Capacity);
                    }
                }
                Item::Attribute(key, value) => {
                    let key = key.resolve(strings)?;
                    let bit = key_bit(key);
                    let is_replaced = header.seen_keys & bit != 0 && remove_attribute(body, 0, ATTRIBUTE, key);
                    attribute(body, ATTRIBUTE, key, value, strings)?;
                    header.recorded.attributes = header.recorded.attributes.saturating_add((!is_replaced).into());
                    header.seen_keys |= bit;
                }
                Item::Event { name, delta, entry } => {
                    let time = anchor.unix_nanos(first_start.wrapping_add_signed(delta));
                    let open = Otlp::begin_event(header, body, name.resolve(strings)?, time);
                    attributes(body, open, EVENT_ATTRIBUTE, &entry, strings)?;
                }
                Item::Link { context, trace_state, entry } => {
                    let open = Otlp::begin_link(header, body, &context, trace_state);
                    attributes(body, open, LINK_ATTRIBUTE, &entry, strings)?;
                }
            }
        }
        Otlp::set_status(header, body, Status { code: self.status, message });
        if header.dropped.texts > 0 {
            return Err(CompactError::Capacity);
        }
        let dropped = &mut header.dropped;
        [dropped.attributes, dropped.events, dropped.links] = self.dropped;
        Ok(ExpandedSpan { end_time: anchor.unix_nanos(self.end), span })
    }
}

/// Writes the attributes of an event or link, and closes it.
fn attributes<'s, V: StorageView + ?Sized>(
    out: &mut V,
    open: Option<OpenEntry>,
    attribute_tag: u8,
    entry: &Entry<'s>,
    strings: &impl Fn(u32) -> Option<&'s str>,
) -> Result<(), CompactError> {
    let mut open = open.ok_or(CompactError::Capacity)?;
    for item in Items::new(entry.attributes).map_while(Result::ok) {
        if let Item::Attribute(key, value) = item {
            let key = key.resolve(strings)?;
            remove_attribute(out, open.content_start(), attribute_tag, key);
            attribute(out, attribute_tag, key, value, strings)?;
        }
    }
    fits(set_length(out, &mut open))?;
    // What closing may need: four bytes more of length, and the count with its tag.
    fits(entry.dropped == 0 || out.room() >= 4 + 6)?;
    open.dropped_attributes = entry.dropped;
    Otlp::end_entry(out, &mut open);
    Ok(())
}

/// Removes what an attribute that comes again replaces; false if nothing.
fn remove_attribute<V: StorageView + ?Sized>(out: &mut V, from: usize, attribute_tag: u8, key: &str) -> bool {
    let old = find_attribute(out.as_slice(), from, attribute_tag, key);
    if let Some((start, end)) = old {
        storage::remove(out, start, end);
    }
    old.is_some()
}

/// Writes one `KeyValue`.
fn attribute<'s, V: StorageView + ?Sized>(
    out: &mut V,
    attribute_tag: u8,
    key: &str,
    value: &'s [u8],
    strings: &impl Fn(u32) -> Option<&'s str>,
) -> Result<(), CompactError> {
    nest(out, attribute_tag, |out| key_and_value(out, key, &mut Reader::new(value), strings))
}

fn key_and_value<'s, V: StorageView + ?Sized>(
    out: &mut V,
    key: &str,
    reader: &mut Reader<'s>,
    strings: &impl Fn(u32) -> Option<&'s str>,
) -> Result<(), CompactError> {
    fits(append(out, field_len(key.len()), |cursor| cursor.field(KEY, key.as_bytes())))?;
    nest(out, VALUE, |out| any_value(out, reader, strings))
}

/// Writes the content of one `AnyValue`. The depth was checked when the span was read.
fn any_value<'s, V: StorageView + ?Sized>(
    out: &mut V,
    reader: &mut Reader<'s>,
    strings: &impl Fn(u32) -> Option<&'s str>,
) -> Result<(), CompactError> {
    let scalar = match reader.byte()? {
        tag::EMPTY => Value::Empty,
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::I64 => Value::I64(reader.signed()?),
        tag::F64 => Value::F64(f64::from_le_bytes(reader.array()?)),
        tag::F32 => Value::F64(f32::from_le_bytes(reader.array()?).into()),
        tag::TEXT => Value::Str(reader.text()?),
        tag::INTERNED => Value::Str(Text::read(reader)?.resolve(strings)?),
        tag::INTERNED_START => {
            let text = Text::read(reader)?.resolve(strings)?;
            Value::Str(clip(text, reader.varint_u32()?))
        }
        tag::BYTES => Value::Bytes(reader.bytes()?),
        tag::MAP => {
            return nest(out, otlp_value::MAP, |out| {
                for _ in 0..reader.count()? {
                    let key = map_key(reader)?.resolve(strings)?;
                    nest(out, otlp_value::ELEMENT, |out| key_and_value(out, key, reader, strings))?;
                }
                Ok(())
            });
        }
        tag::LIST => {
            return nest(out, otlp_value::ARRAY, |out| {
                for _ in 0..reader.count()? {
                    nest(out, otlp_value::ELEMENT, |out| any_value(out, reader, strings))?;
                }
                Ok(())
            });
        }
        unknown => return Err(CompactError::UnknownValue(unknown.into())),
    };
    write_scalar(out, &scalar)
}

fn write_scalar<V: StorageView + ?Sized>(out: &mut V, value: &Value<'_>) -> Result<(), CompactError> {
    let mut measure = otlp_value::Measure { value_length: u32::MAX, clipped: false };
    let length = measure.value(value).ok_or(CompactError::TooDeep)?;
    fits(append(out, length, |cursor| otlp_value::write(cursor, value, u32::MAX)))
}

/// Writes a length-delimited field whose length is known when its content is written.
fn nest<V: StorageView + ?Sized>(
    out: &mut V,
    tag: u8,
    write: impl FnOnce(&mut V) -> Result<(), CompactError>,
) -> Result<(), CompactError> {
    // An entry that is empty so far; of its kind only its builder asks.
    let mut field = OpenEntry::new(EntryKind::Event, out.as_slice().len(), 0);
    fits(append(out, 2, |cursor| cursor.bytes(&[tag, 0])))?;
    write(out)?;
    fits(set_length(out, &mut field))
}

fn fits(done: bool) -> Result<(), CompactError> {
    if done { Ok(()) } else { Err(CompactError::Capacity) }
}

#[cfg(test)]
mod tests {
    use super::TimeAnchor;

    #[test]
    fn ticks_become_times_on_both_sides_of_the_anchor() {
        let anchor = TimeAnchor { ticks: 32_768, unix_nanos: 5_000_000_000, ticks_per_second: 32_768 };
        assert_eq!(anchor.unix_nanos(32_768 + 16_384), 5_500_000_000);
        assert_eq!(anchor.unix_nanos(16_384), 4_500_000_000);
        assert_eq!(anchor.unix_nanos(0), 0, "no clock");
        assert_eq!(anchor.unix_nanos(u64::MAX), u64::MAX, "beyond what OTLP can express");
        let early = TimeAnchor { ticks: u64::MAX, unix_nanos: 1, ticks_per_second: 1 };
        assert_eq!(early.unix_nanos(1), 0);
        let never = TimeAnchor { ticks_per_second: 0, ..anchor };
        assert_eq!(never.unix_nanos(32_769), 6_000_000_000, "a rate of nothing does not divide by zero");
    }
}
