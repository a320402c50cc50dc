//! The sizes of the types that travel through hot code. Making one larger is a decision: change the number here, say why.

#![cfg(target_pointer_width = "64")]

use core::mem::size_of;

use clewline_core::traceparent::{Traceparent, TraceparentError};
use clewline_core::{
    Attribute, Batch, CapacityError, DecodeError, DecodeErrorKind, EventView, Header, InlineSpan, LinkView,
    SamplingResult, SpanContext, SpanCounts, SpanId, SpanKind, SpanLimits, SpanStart, SpanView, Status, TraceFlags,
    TraceId, Value, ValueView,
};

#[test]
fn sizes_are_pinned() {
    let table: &[(&str, usize, usize)] = &[
        // Ids are their bytes, nothing more.
        ("TraceId", size_of::<TraceId>(), 16),
        ("SpanId", size_of::<SpanId>(), 8),
        // The W3C byte.
        ("TraceFlags", size_of::<TraceFlags>(), 1),
        // Two ids and the flags in whole words, 26 bytes of content: copied with every child, and copies of words stay in
        // registers, which is worth six bytes. Four words is the most.
        ("SpanContext", size_of::<SpanContext>(), 32),
        // "No parent" costs nothing: the flags are never zero.
        ("Option<SpanContext>", size_of::<Option<SpanContext>>(), 32),
        // A number that OTLP knows.
        ("SpanKind", size_of::<SpanKind>(), 1),
        // A code and a borrowed text.
        ("Status", size_of::<Status<'_>>(), 24),
        // Five counts of 16 bits and a length of 32, copied into every span.
        ("SpanLimits", size_of::<SpanLimits>(), 16),
        // Three counts of 16 bits, padded, and four of 32, inside every span.
        ("SpanCounts", size_of::<SpanCounts>(), 24),
        // A slice and a type: moved for every attribute that is set.
        ("Value", size_of::<Value<'_>>(), 24),
        // The value and its key.
        ("Attribute", size_of::<Attribute<'_>>(), 40),
        // What an idle span costs beside its body: below two cache lines.
        ("Header", size_of::<Header>(), 112),
        // Header, body and the body's length: nothing else lives in a span.
        ("InlineSpan<256>", size_of::<InlineSpan<256>>(), 112 + 256 + 8),
        // Two borrowed texts, two contexts, limits and time: built on the stack for each start, passed by reference.
        ("SpanStart", size_of::<SpanStart<'_>>(), 128),
        // A decision and a slice, returned for each start.
        ("SamplingResult", size_of::<SamplingResult<'_>>(), 40),
        // Two counts beside the storage.
        ("Batch", size_of::<Batch<heapless::Vec<u8, 64>>>(), 64 + 8 + 8),
        // The header as text, returned by value.
        ("Traceparent", size_of::<Traceparent>(), 55),
        // Which rule was broken, nothing more: it is returned for every bad header of an attack.
        ("TraceparentError", size_of::<TraceparentError>(), 1),
        // A context or a broken rule: what parsing returns for each request.
        ("Result<SpanContext, TraceparentError>", size_of::<Result<SpanContext, TraceparentError>>(), 32),
        // No payload: a push into a batch answers with one bit.
        ("Result<(), CapacityError>", size_of::<Result<(), CapacityError>>(), 1),
        // A kind with a field number.
        ("DecodeErrorKind", size_of::<DecodeErrorKind>(), 8),
        // And the place: travels through every level of parsing.
        ("DecodeError", size_of::<DecodeError>(), 16),
        // A slice and a type, like `Value`.
        ("ValueView", size_of::<ValueView<'_>>(), 32),
        // Slices into the message, and for a link its ids.
        ("EventView", size_of::<EventView<'_>>(), 16),
        ("LinkView", size_of::<LinkView<'_>>(), 40),
        // A finished span as processors see it: built once per span, passed by reference.
        ("SpanView", size_of::<SpanView<'_>>(), 152),
    ];
    let wrong: Vec<String> = table
        .iter()
        .filter(|(_, actual, pinned)| actual != pinned)
        .map(|(name, actual, pinned)| format!("{name} has {actual} bytes, not {pinned}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
