//! Reads spans in compact form, never panicking.

use super::{head, item, tag};
use crate::postcard::{CompactError, Reader};
use crate::{MAX_VALUE_DEPTH, SpanContext, SpanId, SpanKind, StatusCode, TraceFlags, TraceId};

/// One span in compact form, checked to its end.
#[derive(Clone, Copy, Debug)]
pub struct CompactSpan<'a> {
    pub(super) context: SpanContext,
    pub(super) parent: Option<SpanContext>,
    pub(super) kind: SpanKind,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) status: StatusCode,
    /// Attributes, events, links.
    pub(super) dropped: [u32; 3],
    pub(super) name: Text<'a>,
    pub(super) items: &'a [u8],
}

impl<'a> CompactSpan<'a> {
    /// Reads and checks the span at the front; what follows it stays in the reader.
    fn read(reader: &mut Reader<'a>) -> Result<Self, CompactError> {
        let first = reader.byte()?;
        let trace_id = TraceId::from_bytes(reader.array()?).ok_or(CompactError::InvalidId)?;
        let mut span_id = || SpanId::from_bytes(reader.array()?).ok_or(CompactError::InvalidId);
        let flags = TraceFlags::from_bits(first >> 5);
        let context = SpanContext::new(trace_id, span_id()?, flags);
        let parent = if first & head::HAS_PARENT == 0 {
            None
        } else {
            let parent = SpanContext::new(trace_id, span_id()?, flags);
            Some(if first & head::PARENT_IS_REMOTE == 0 { parent } else { parent.into_remote() })
        };
        let start = reader.varint()?;
        let end = start.wrapping_add_signed(reader.signed()?);
        let (status, dropped) = if first & head::HAS_OUTCOME == 0 {
            (StatusCode::Unset, [0; 3])
        } else {
            let status = match reader.byte()? {
                0 => StatusCode::Unset,
                1 => StatusCode::Ok,
                2 => StatusCode::Error,
                code => return Err(CompactError::InvalidStatus(code)),
            };
            (status, [reader.varint_u32()?, reader.varint_u32()?, reader.varint_u32()?])
        };
        let name = Text::read(reader)?;
        let from = reader.rest();
        let mut items = Items { reader: *reader };
        for item in items.by_ref() {
            item?;
        }
        let behind = items.rest();
        let length = from.len() - behind.len();
        // The end mark stays behind.
        let items = from.get(..length).ok_or(CompactError::Truncated)?;
        *reader = Reader::new(behind);
        if reader.byte()? != item::END {
            return Err(CompactError::Truncated);
        }
        let kind = SpanKind::from_number((first & head::KIND).into());
        Ok(Self { context, parent, kind, start, end, status, dropped, name, items })
    }

    /// The span's own context.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.context
    }

    /// The parent's context.
    #[must_use]
    pub fn parent(&self) -> Option<SpanContext> {
        self.parent
    }

    /// When it began, in ticks.
    #[must_use]
    pub fn start_ticks(&self) -> u64 {
        self.start
    }

    /// When it ended, in ticks.
    #[must_use]
    pub fn end_ticks(&self) -> u64 {
        self.end
    }
}

/// The spans of a `frame::Message::Spans`, or of a ring. Ends after the first error.
#[derive(Clone, Copy, Debug)]
pub struct CompactSpans<'a> {
    reader: Reader<'a>,
}

impl<'a> CompactSpans<'a> {
    /// Reads spans that stand one behind the other.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }
}

impl<'a> Iterator for CompactSpans<'a> {
    type Item = Result<CompactSpan<'a>, CompactError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let span = CompactSpan::read(&mut self.reader);
        if span.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(span)
    }
}

/// A text, written out or by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Text<'a> {
    Literal(&'a str),
    Interned(u32),
}

impl<'a> Text<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, CompactError> {
        let reference = reader.varint_u32()?;
        Self::behind(reference, reader)
    }

    fn behind(reference: u32, reader: &mut Reader<'a>) -> Result<Self, CompactError> {
        match reference.checked_sub(1) {
            Some(id) => Ok(Self::Interned(id)),
            None => reader.text().map(Self::Literal),
        }
    }

    /// The text itself.
    pub(super) fn resolve(self, strings: &impl Fn(u32) -> Option<&'a str>) -> Result<&'a str, CompactError> {
        match self {
            Self::Literal(text) => Ok(text),
            Self::Interned(id) => strings(id).ok_or(CompactError::UnknownString(id)),
        }
    }
}

/// One thing recorded in a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Attribute(Text<'a>, &'a [u8]),
    Event { name: Text<'a>, delta: i64, entry: Entry<'a> },
    Link { context: SpanContext, trace_state: &'a str, entry: Entry<'a> },
    StatusMessage(&'a str),
    TraceState(&'a str),
    StartMoved(i64),
    Renamed(Text<'a>),
}

/// The attributes of an event or link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry<'a> {
    pub(super) attributes: &'a [u8],
    pub(super) dropped: u32,
}

/// Items up to the end mark, which stays unread, or the end of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items<'a> {
    reader: Reader<'a>,
}

impl<'a> Items<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// What stands before the attributes of an event or link.
    fn front(&mut self, head: u32) -> Result<Front<'a>, CompactError> {
        let reader = &mut self.reader;
        if head & 3 == 1 {
            return Ok(Front::Event { name: Text::behind(head >> 2, reader)?, delta: reader.signed()? });
        }
        if head != u32::from(item::LINK) {
            return Err(CompactError::UnknownItem(head));
        }
        let trace_id = TraceId::from_bytes(reader.array()?).ok_or(CompactError::InvalidId)?;
        let span_id = SpanId::from_bytes(reader.array()?).ok_or(CompactError::InvalidId)?;
        let flags = reader.byte()?;
        let context = SpanContext::new(trace_id, span_id, TraceFlags::from_bits(flags & super::link_flags::W3C));
        let context = if flags & super::link_flags::IS_REMOTE == 0 { context } else { context.into_remote() };
        Ok(Front::Link { context, trace_state: reader.text()? })
    }

    /// Reads attributes, a dropped count and an end mark.
    fn entry(&mut self) -> Result<Entry<'a>, CompactError> {
        let from = self.rest();
        let mut dropped = 0;
        loop {
            let length = from.len() - self.rest().len();
            match self.reader.varint_u32()? {
                key if key & 1 == 0 => drop(self.attribute(key)?),
                head => {
                    if head == u32::from(item::DROPPED_ATTRIBUTES) {
                        dropped = self.reader.varint_u32()?;
                        if self.reader.byte()? != item::END {
                            return Err(CompactError::Truncated);
                        }
                    } else if head != u32::from(item::END) {
                        return Err(CompactError::UnknownItem(head));
                    }
                    return Ok(Entry { attributes: from.get(..length).unwrap_or_default(), dropped });
                }
            }
        }
    }

    fn attribute(&mut self, head: u32) -> Result<Item<'a>, CompactError> {
        let key = Text::behind(head >> 1, &mut self.reader)?;
        let from = self.rest();
        skip_value(&mut self.reader, MAX_VALUE_DEPTH)?;
        let length = from.len() - self.rest().len();
        Ok(Item::Attribute(key, from.get(..length).unwrap_or_default()))
    }

    fn read(&mut self) -> Result<Item<'a>, CompactError> {
        let head = self.reader.varint_u32()?;
        if head & 1 == 0 {
            return self.attribute(head);
        }
        Ok(match u8::try_from(head) {
            Ok(item::STATUS_MESSAGE) => Item::StatusMessage(self.reader.text()?),
            Ok(item::TRACE_STATE) => Item::TraceState(self.reader.text()?),
            Ok(item::START_MOVED) => Item::StartMoved(self.reader.signed()?),
            Ok(item::RENAMED) => Item::Renamed(Text::read(&mut self.reader)?),
            _ => match self.front(head)? {
                Front::Event { name, delta } => Item::Event { name, delta, entry: self.entry()? },
                Front::Link { context, trace_state } => Item::Link { context, trace_state, entry: self.entry()? },
            },
        })
    }
}

enum Front<'a> {
    Event { name: Text<'a>, delta: i64 },
    Link { context: SpanContext, trace_state: &'a str },
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, CompactError>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.rest().first(), None | Some(&item::END)) {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(item)
    }
}

/// Reads past one value, checking all of it.
fn skip_value(reader: &mut Reader<'_>, depth: usize) -> Result<(), CompactError> {
    let tag = reader.byte()?;
    match tag {
        tag::EMPTY | tag::FALSE | tag::TRUE => {}
        tag::I64 => drop(reader.varint()?),
        tag::F64 => drop(reader.take(8)?),
        tag::F32 => drop(reader.take(4)?),
        tag::TEXT => drop(reader.text()?),
        tag::INTERNED => {
            reader.varint_u32()?.checked_sub(1).ok_or(CompactError::UnknownString(0))?;
        }
        tag::INTERNED_START => {
            reader.varint_u32()?.checked_sub(1).ok_or(CompactError::UnknownString(0))?;
            reader.varint_u32()?;
        }
        tag::BYTES => drop(reader.bytes()?),
        tag::LIST | tag::MAP => {
            let depth = depth.checked_sub(1).ok_or(CompactError::TooDeep)?;
            for _ in 0..reader.count()? {
                if tag == tag::MAP {
                    map_key(reader)?;
                }
                skip_value(reader, depth)?;
            }
        }
        _ => return Err(CompactError::UnknownValue(tag.into())),
    }
    Ok(())
}

/// Reads the text before a value of a map.
pub(super) fn map_key<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, CompactError> {
    match reader.byte()? {
        tag::TEXT => reader.text().map(Text::Literal),
        tag::INTERNED => Text::read(reader),
        other => Err(CompactError::UnknownValue(other.into())),
    }
}

/// Reads attributes that [`write_attributes`](super::write_attributes) wrote, as far as their values are texts, integers and
/// truths; other values are read as [`Value::Empty`](crate::Value::Empty).
///
/// # Errors
/// The first attribute that is malformed; nothing comes behind it.
pub fn read_attributes(bytes: &[u8]) -> impl Iterator<Item = Result<crate::Attribute<'_>, CompactError>> {
    Items::new(bytes).map(|item| match item? {
        Item::Attribute(Text::Literal(key), value) => Ok((key, scalar(value)?)),
        Item::Attribute(Text::Interned(id), _) => Err(CompactError::UnknownString(id)),
        _ => Err(CompactError::UnknownItem(1)),
    })
}

fn scalar(bytes: &[u8]) -> Result<crate::Value<'_>, CompactError> {
    let mut reader = Reader::new(bytes);
    Ok(match reader.byte()? {
        tag::FALSE => false.into(),
        tag::TRUE => true.into(),
        tag::I64 => reader.signed()?.into(),
        tag::F64 => f64::from_le_bytes(reader.array()?).into(),
        tag::F32 => f32::from_le_bytes(reader.array()?).into(),
        tag::TEXT => reader.text()?.into(),
        tag::BYTES => reader.bytes()?.into(),
        _ => crate::Value::Empty,
    })
}
