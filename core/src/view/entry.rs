//! Views over the events and links of a span.

use super::value::{DEPTH, check_attribute};
use super::{Attributes, fields_of, last_bytes, last_count, last_text};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::Field;
use crate::{SpanId, TraceId};

/// One event of a span.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    message: &'a [u8],
}

impl<'a> EventView<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { message }
    }

    pub(super) fn check(field: &Field<'_>) -> Result<(), DecodeError> {
        for field in field.message()? {
            let field = field?;
            match field.number {
                1 => drop(field.fixed64()?),
                2 => drop(field.text()?),
                3 => check_attribute(&field, DEPTH)?,
                4 => drop(field.varint()?),
                _ => {}
            }
        }
        Ok(())
    }

    /// When it happened: nanoseconds since the Unix epoch.
    #[must_use]
    pub fn time_unix_nano(&self) -> u64 {
        fields_of(self.message, 1).filter_map(|field| field.fixed64().ok()).last().unwrap_or(0)
    }

    /// What happened.
    #[must_use]
    pub fn name(&self) -> &'a str {
        last_text(self.message, 2)
    }

    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 3)
    }

    /// How many attributes were refused while it was recorded.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_count(self.message, 4)
    }
}

/// One link of a span to another.
#[derive(Clone, Copy, Debug)]
pub struct LinkView<'a> {
    message: &'a [u8],
    trace_id: TraceId,
    span_id: SpanId,
}

impl<'a> LinkView<'a> {
    /// Reads a `Link` message that was checked before.
    pub(super) fn new(message: &'a [u8]) -> Option<Self> {
        let trace_id = TraceId::from_slice(last_bytes(message, 1))?;
        let span_id = SpanId::from_slice(last_bytes(message, 2))?;
        Some(Self { message, trace_id, span_id })
    }

    pub(super) fn check(field: &Field<'_>) -> Result<(), DecodeError> {
        let message = field.bytes()?;
        for field in field.message()? {
            let field = field?;
            match field.number {
                1 | 2 => drop(field.bytes()?),
                3 => drop(field.text()?),
                4 => check_attribute(&field, DEPTH)?,
                5 => drop(field.varint()?),
                6 => drop(field.fixed32()?),
                _ => {}
            }
        }
        let wrong = |kind| Err(DecodeError { kind, offset: field.offset });
        if TraceId::from_slice(last_bytes(message, 1)).is_none() {
            return wrong(DecodeErrorKind::InvalidTraceId);
        }
        if SpanId::from_slice(last_bytes(message, 2)).is_none() {
            return wrong(DecodeErrorKind::InvalidSpanId);
        }
        Ok(())
    }

    /// The linked span's trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The linked span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The linked span's tracestate list; empty if none.
    #[must_use]
    pub fn trace_state(&self) -> &'a str {
        last_text(self.message, 3)
    }

    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 4)
    }

    /// How many attributes were refused while it was recorded.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_count(self.message, 5)
    }

    /// Bits 0–7 the W3C flags, bit 8 whether bit 9 is known, bit 9 whether the linked context is remote.
    #[must_use]
    pub fn flags(&self) -> u32 {
        fields_of(self.message, 6).filter_map(|field| field.fixed32().ok()).last().unwrap_or(0)
    }
}
