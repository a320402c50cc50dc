//! The messages of a request as they stand in protobuf, untyped enough that nothing is lost on the way to JSON: ids of a
//! wrong width and numbers that no enum names come out as they came in.

use crate::wire::{Field, Fields, Wire, plain_key_value, plain_text};
use crate::{SpanId, SpanView, StatusCode};

/// A span's ids, if they come from a typed view and not from a message.
pub(super) struct Ids {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_span_id: Option<[u8; 8]>,
}

impl Ids {
    pub(super) fn of(view: &SpanView<'_>) -> Self {
        Self {
            trace_id: view.trace_id().to_bytes(),
            span_id: view.span_id().to_bytes(),
            parent_span_id: view.parent_span_id().map(SpanId::to_bytes),
        }
    }
}

/// The fields of a span, with the places where its three lists begin.
#[derive(Default)]
pub(super) struct Span<'a> {
    pub(super) trace_id: &'a [u8],
    pub(super) span_id: &'a [u8],
    pub(super) trace_state: &'a [u8],
    pub(super) parent_span_id: &'a [u8],
    pub(super) flags: u32,
    pub(super) name: &'a [u8],
    pub(super) kind: i32,
    pub(super) start_time: u64,
    pub(super) end_time: u64,
    pub(super) status: Option<Status<'a>>,
    pub(super) dropped_attributes: u32,
    pub(super) dropped_events: u32,
    pub(super) dropped_links: u32,
    pub(super) attributes: Option<List<'a>>,
    pub(super) events: Option<List<'a>>,
    pub(super) links: Option<List<'a>>,
}

impl<'a> Span<'a> {
    /// Reads a `Span` message.
    pub(super) fn read(message: &'a [u8]) -> Self {
        let mut span = Self::default();
        span.read_fields(message);
        span
    }

    /// Takes what the view holds typed; of a live span its fields hold nothing but texts and lists.
    pub(super) fn of(view: &SpanView<'a>, ids: &'a Ids) -> Self {
        let mut span = Self::default();
        span.read_fields(view.fields().rest());
        let status = view.status();
        let is_judged = status.code != StatusCode::Unset || !status.message.is_empty();
        Self {
            trace_id: &ids.trace_id,
            span_id: &ids.span_id,
            parent_span_id: ids.parent_span_id.as_ref().map_or(&[], |id| id),
            flags: view.flags(),
            kind: view.kind() as i32,
            start_time: view.start_time_unix_nano(),
            end_time: view.end_time_unix_nano(),
            status: is_judged.then_some(Status { message: status.message.as_bytes(), code: status.code as i32 }),
            dropped_attributes: view.dropped_attributes_count(),
            dropped_events: view.dropped_events_count(),
            dropped_links: view.dropped_links_count(),
            ..span
        }
    }

    fn read_fields(&mut self, message: &'a [u8]) {
        let mut fields = Fields::new(message);
        loop {
            // A number that stays in a register, where a copy of `fields` would go through memory.
            let left = fields.rest().len();
            let Some(Ok(field)) = fields.next() else { break };
            match (field.number, field.wire) {
                (1, Wire::Bytes(id)) => self.trace_id = id,
                (2, Wire::Bytes(id)) => self.span_id = id,
                (3, Wire::Bytes(text)) => self.trace_state = text,
                (4, Wire::Bytes(id)) => self.parent_span_id = id,
                (5, Wire::Bytes(text)) => self.name = text,
                (6, _) => self.kind = enum_number(&field),
                (7, Wire::Fixed64(time)) => self.start_time = time,
                (8, Wire::Fixed64(time)) => self.end_time = time,
                (9, _) => note(&mut self.attributes, message, left, 9),
                (10, _) => self.dropped_attributes = field.uint32().unwrap_or(0),
                (11, _) => note(&mut self.events, message, left, 11),
                (12, _) => self.dropped_events = field.uint32().unwrap_or(0),
                (13, _) => note(&mut self.links, message, left, 13),
                (14, _) => self.dropped_links = field.uint32().unwrap_or(0),
                (15, Wire::Bytes(status)) => self.status = Some(Status::read(status)),
                (16, Wire::Fixed32(flags)) => self.flags = flags,
                _ => {}
            }
        }
    }
}

/// Notes where a list begins: with the last `left` bytes of the message.
#[inline]
fn note<'a>(list: &mut Option<List<'a>>, message: &'a [u8], left: usize, number: u32) {
    if list.is_none() {
        let from = message.get(message.len().saturating_sub(left)..).unwrap_or_default();
        *list = Some(List::or_empty(from, number));
    }
}

/// The outcome of a span.
#[derive(Clone, Copy)]
pub(super) struct Status<'a> {
    pub(super) message: &'a [u8],
    pub(super) code: i32,
}

impl<'a> Status<'a> {
    fn read(message: &'a [u8]) -> Self {
        Self { message: last_bytes(message, 2), code: last(message, 3).map_or(0, |field| enum_number(&field)) }
    }
}

/// The elements of a repeated field.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    fields: Fields<'a>,
    number: u32,
}

impl<'a> List<'a> {
    /// The elements with this field number; `None` if there are none.
    pub(super) fn of(message: &'a [u8], number: u32) -> Option<Self> {
        let list = Self { fields: Fields::new(message), number };
        list.elements().next().map(|_| list)
    }

    /// The elements with this field number, or an empty list.
    pub(super) fn or_empty(message: &'a [u8], number: u32) -> Self {
        Self { fields: Fields::new(message), number }
    }

    /// The bytes of each.
    #[inline]
    pub(super) fn elements(self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.map_while(Result::ok).filter_map(move |field| match field.wire {
            Wire::Bytes(bytes) if field.number == self.number => Some(bytes),
            _ => None,
        })
    }
}

/// Key and value of an attribute. There may be no value.
#[inline]
pub(super) fn key_value(message: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some((key, value)) = plain_key_value(message) {
        return (key, Some(value));
    }
    (last_bytes(message, 1), last(message, 2).and_then(|field| field.bytes().ok()))
}

/// The member of an `AnyValue` that is set: the last one, as they form a oneof.
#[inline]
pub(super) fn any_value(message: &[u8]) -> Option<(u32, Wire<'_>)> {
    if let Some(text) = plain_text(message) {
        return Some((1, Wire::Bytes(text)));
    }
    let members = Fields::new(message).map_while(Result::ok).filter(|field| (1..=7).contains(&field.number));
    members.last().map(|field| (field.number, field.wire))
}

/// The last field with this number: in protobuf, the last one counts.
pub(super) fn last(message: &[u8], number: u32) -> Option<Field<'_>> {
    Fields::new(message).map_while(Result::ok).filter(|field| field.number == number).last()
}

/// The content of the last field with this number; empty if there is none.
pub(super) fn last_bytes(message: &[u8], number: u32) -> &[u8] {
    last(message, number).and_then(|field| field.bytes().ok()).unwrap_or_default()
}

/// The last field with this number as a count; 0 if there is none.
pub(super) fn last_count(message: &[u8], number: u32) -> u32 {
    last(message, number).and_then(|field| field.uint32().ok()).unwrap_or(0)
}

/// Enums travel as varints, of which 32 bits count.
fn enum_number(field: &Field<'_>) -> i32 {
    field.uint32().unwrap_or(0).cast_signed()
}
