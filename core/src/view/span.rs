//! `SpanView`: one encoded OTLP `Span` message, typed.

use super::value::{DEPTH, check_attribute};
use super::{Attributes, EventView, LinkView, fields_of, is_identity};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Field, Fields};
use crate::{Header, SpanId, SpanKind, Status, StatusCode, TraceId};

/// A span, finished or live, of any origin.
#[derive(Clone, Copy, Debug)]
pub struct SpanView<'a> {
    /// The message or, of a live span, its body: only the repeated fields and texts are looked up in here.
    message: &'a [u8],
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    name: &'a str,
    trace_state: &'a str,
    kind: SpanKind,
    flags: u32,
    start_time: u64,
    end_time: u64,
    status: Status<'a>,
    dropped: [u32; 3],
}

impl<'a> SpanView<'a> {
    /// Reads and checks one `opentelemetry.proto.trace.v1.Span` message.
    ///
    /// # Errors
    /// What is wrong with the bytes, and where.
    pub fn parse(message: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(Fields::new(message), message, 0)
    }

    /// Reads and checks a length-delimited field that holds a span.
    pub(super) fn parse_field(field: &Field<'a>) -> Result<Self, DecodeError> {
        Self::read(field.message()?, field.bytes()?, field.offset)
    }

    fn read(fields: Fields<'a>, message: &'a [u8], offset: usize) -> Result<Self, DecodeError> {
        let mut trace_id: &[u8] = &[];
        let mut span_id: &[u8] = &[];
        let mut parent: &[u8] = &[];
        let mut view = Parts::UNSET;
        let mut invalid_link = None;
        for field in fields {
            let field = field?;
            match field.number {
                1 => trace_id = field.bytes()?,
                2 => span_id = field.bytes()?,
                3 => view.trace_state = field.text()?,
                4 => parent = field.bytes()?,
                5 => view.name = field.text()?,
                6 => view.kind = SpanKind::from_number(field.uint32()?.into()),
                7 => view.start_time = field.fixed64()?,
                8 => view.end_time = field.fixed64()?,
                9 => check_attribute(&field, DEPTH)?,
                10 => view.dropped[0] = field.uint32()?,
                11 => EventView::check(&field)?,
                12 => view.dropped[1] = field.uint32()?,
                13 => match LinkView::check(&field) {
                    // Kept for the end: an invalid id must not hide that the rest is no protobuf.
                    Err(error) if is_identity(error.kind) => invalid_link = invalid_link.or(Some(error)),
                    verdict => verdict?,
                },
                14 => view.dropped[2] = field.uint32()?,
                15 => read_status(&field, &mut view.status)?,
                16 => view.flags = field.fixed32()?,
                _ => {}
            }
        }
        if let Some(error) = invalid_link {
            return Err(error);
        }
        let wrong = |kind| DecodeError { kind, offset };
        let parent_span_id = match parent {
            // Some encoders write a root's parent as zeros instead of leaving it out.
            [] | [0, 0, 0, 0, 0, 0, 0, 0] => None,
            bytes => Some(SpanId::from_slice(bytes).ok_or(wrong(DecodeErrorKind::InvalidParentSpanId))?),
        };
        Ok(Self {
            message,
            trace_id: TraceId::from_slice(trace_id).ok_or(wrong(DecodeErrorKind::InvalidTraceId))?,
            span_id: SpanId::from_slice(span_id).ok_or(wrong(DecodeErrorKind::InvalidSpanId))?,
            parent_span_id,
            name: view.name,
            trace_state: view.trace_state,
            kind: view.kind,
            flags: view.flags,
            start_time: view.start_time,
            end_time: view.end_time,
            status: view.status,
            dropped: view.dropped,
        })
    }

    /// Reads a live span: what is typed from its header, the rest from its body.
    pub(crate) fn of_live(header: &Header, body: &'a [u8], end_time: u64) -> Self {
        let mut view = Parts::UNSET;
        for field in Fields::new(body).map_while(Result::ok) {
            match field.number {
                3 => view.trace_state = field.text().unwrap_or_default(),
                5 => view.name = field.text().unwrap_or_default(),
                15 if read_status(&field, &mut view.status).is_ok() => {}
                _ => {}
            }
        }
        Self {
            message: body,
            trace_id: header.context.trace_id(),
            span_id: header.context.span_id(),
            parent_span_id: header.parent.map(|parent| parent.span_id()),
            name: view.name,
            trace_state: view.trace_state,
            kind: header.kind,
            flags: crate::form::otlp::otlp_flags(&header.context, header.is_parent_remote()),
            start_time: header.start_time,
            end_time,
            status: Status { code: header.status, message: view.status.message },
            dropped: [header.dropped.attributes, header.dropped.events, header.dropped.links],
        }
    }

    /// The fields behind the typed ones: attributes, events and links.
    #[cfg(feature = "serde")]
    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields::new(self.message)
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The parent, `None` for a root.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.parent_span_id
    }

    /// What happened.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The tracestate list; empty if none.
    #[must_use]
    pub fn trace_state(&self) -> &'a str {
        self.trace_state
    }

    /// The role in a call.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// Bits 0–7 the W3C flags, bit 8 whether bit 9 is known, bit 9 whether the parent is remote.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// When it began: nanoseconds since the Unix epoch, 0 if unknown.
    #[must_use]
    pub fn start_time_unix_nano(&self) -> u64 {
        self.start_time
    }

    /// When it ended: nanoseconds since the Unix epoch, 0 if unknown.
    #[must_use]
    pub fn end_time_unix_nano(&self) -> u64 {
        self.end_time
    }

    /// How long it took, in nanoseconds; 0 if it ended before it began.
    #[must_use]
    pub fn duration_nanos(&self) -> u64 {
        self.end_time.saturating_sub(self.start_time)
    }

    /// The outcome.
    #[must_use]
    pub fn status(&self) -> Status<'a> {
        self.status
    }

    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 9)
    }

    /// Its events, in the order in which they were recorded.
    pub fn events(&self) -> impl Iterator<Item = EventView<'a>> + use<'a> {
        fields_of(self.message, 11).filter_map(|field| field.bytes().ok()).map(EventView::new)
    }

    /// Its links, in the order in which they were recorded.
    pub fn links(&self) -> impl Iterator<Item = LinkView<'a>> + use<'a> {
        fields_of(self.message, 13).filter_map(|field| LinkView::new(field.bytes().ok()?))
    }

    /// How many attributes were refused while it was recorded.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        self.dropped[0]
    }

    /// How many events were refused while it was recorded.
    #[must_use]
    pub fn dropped_events_count(&self) -> u32 {
        self.dropped[1]
    }

    /// How many links were refused while it was recorded.
    #[must_use]
    pub fn dropped_links_count(&self) -> u32 {
        self.dropped[2]
    }
}

/// The fields that are neither ids nor repeated.
struct Parts<'a> {
    name: &'a str,
    trace_state: &'a str,
    kind: SpanKind,
    flags: u32,
    start_time: u64,
    end_time: u64,
    status: Status<'a>,
    dropped: [u32; 3],
}

impl Parts<'_> {
    const UNSET: Self = Self {
        name: "",
        trace_state: "",
        kind: SpanKind::Unspecified,
        flags: 0,
        start_time: 0,
        end_time: 0,
        status: Status { code: StatusCode::Unset, message: "" },
        dropped: [0; 3],
    };
}

fn read_status<'a>(field: &Field<'a>, status: &mut Status<'a>) -> Result<(), DecodeError> {
    for field in field.message()? {
        let field = field?;
        match field.number {
            2 => status.message = field.text()?,
            3 => {
                status.code = match field.uint32()? {
                    1 => StatusCode::Ok,
                    2 => StatusCode::Error,
                    _ => StatusCode::Unset,
                }
            }
            _ => {}
        }
    }
    Ok(())
}
