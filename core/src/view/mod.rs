//! Typed views over encoded OTLP: parse, don't copy.
//!
//! A view is made by `parse`, which checks the whole structure once: wire types, UTF-8, ids, nesting depth. After that,
//! reading cannot fail. Unknown fields are skipped, as protobuf asks. No input makes a view panic.

mod entry;
mod request;
mod span;
mod value;

pub use entry::{EventView, LinkView};
pub use request::{RequestView, ResourceSpansView, ResourceView, ScopeSpansView, ScopeView};
pub use span::SpanView;
pub use value::{Attributes, ListView, ValueView};

use crate::error::DecodeErrorKind;
use crate::wire::{Field, Fields};

/// The fields with this number in a message that was checked before.
fn fields_of(message: &[u8], number: u32) -> impl Iterator<Item = Field<'_>> {
    Fields::new(message).map_while(Result::ok).filter(move |field| field.number == number)
}

/// The content of the last length-delimited field with this number: in protobuf, the last one counts.
fn last_bytes(message: &[u8], number: u32) -> &[u8] {
    fields_of(message, number).filter_map(|field| field.bytes().ok()).last().unwrap_or_default()
}

/// The last text with this number; empty if there is none.
fn last_text(message: &[u8], number: u32) -> &str {
    fields_of(message, number).filter_map(|field| field.text().ok()).last().unwrap_or_default()
}

/// The last varint with this number as a count; 0 if there is none.
fn last_count(message: &[u8], number: u32) -> u32 {
    fields_of(message, number).filter_map(|field| field.uint32().ok()).last().unwrap_or(0)
}

/// Whether the bytes are well-formed protobuf and only an id is invalid.
fn is_identity(kind: DecodeErrorKind) -> bool {
    matches!(
        kind,
        DecodeErrorKind::InvalidTraceId | DecodeErrorKind::InvalidSpanId | DecodeErrorKind::InvalidParentSpanId
    )
}
