//! Writes requests and spans as OTLP/JSON behind the end of any storage.
//!
//! By hand, because this is the way of every span of a JSON exporter: the same through [`serde::Serialize`] takes
//! `serde_json_core` four times and `serde_json` more than twice as long (`tests/bench/benches/json.rs`). A test holds the ways
//! against each other.

use super::Request;
use super::message::{self, Ids, List, Span, Status};
use super::text::{Base64, Decimal};
use crate::storage::{Cursor, Storage, StorageView, append};
use crate::wire::Wire;
use crate::{CapacityError, RequestView, SpanView, hex};

/// What OTLP/JSON can be written of: a whole [`RequestView`], a [`Request`] of envelope and batch, one [`SpanView`].
pub trait WriteJson: Sealed {}

impl WriteJson for RequestView<'_> {}
impl WriteJson for Request<'_> {}
impl WriteJson for SpanView<'_> {}

/// Writes `value` as OTLP/JSON behind the content of `out`, without white space.
///
/// # Errors
/// `out` is full; nothing was added.
pub fn write<T: WriteJson + ?Sized, S: Storage>(value: &T, out: &mut S) -> Result<(), CapacityError> {
    let out = out.view_mut();
    // JSON takes three to four times the room of protobuf. A storage that grows must not grow to its limit for that.
    let mut reserved = 256 + 4 * value.protobuf_len();
    loop {
        let room = out.room();
        if append(out, reserved.min(room), |cursor| value.write(Target(cursor))) {
            return Ok(());
        }
        if reserved >= room {
            return Err(CapacityError);
        }
        reserved = reserved.saturating_mul(2);
    }
}

/// The writing side, not for use outside this crate.
#[doc(hidden)]
pub trait Sealed {
    fn protobuf_len(&self) -> usize;
    fn write(&self, target: Target<'_, '_>);
}

/// Where JSON goes.
#[doc(hidden)]
pub struct Target<'t, 'c>(&'t mut Cursor<'c>);

impl Sealed for RequestView<'_> {
    fn protobuf_len(&self) -> usize {
        self.as_bytes().len()
    }

    fn write(&self, Target(cursor): Target<'_, '_>) {
        let mut request = Object::new();
        if let Some(list) = List::of(self.as_bytes(), 1) {
            request.list(cursor, "\"resourceSpans\":", list, |cursor, bytes| {
                resource_spans(cursor, bytes, |cursor, object| {
                    if let Some(list) = List::of(bytes, 2) {
                        object.list(cursor, "\"scopeSpans\":", list, |cursor, bytes| scope_spans(cursor, bytes, bytes));
                    }
                });
            });
        }
        request.end(cursor);
    }
}

impl Sealed for Request<'_> {
    fn protobuf_len(&self) -> usize {
        self.resource.len() + self.scope.len() + self.spans.len()
    }

    fn write(&self, Target(cursor): Target<'_, '_>) {
        cursor.bytes(b"{\"resourceSpans\":[");
        resource_spans(cursor, self.resource, |cursor, object| {
            object.member(cursor, "\"scopeSpans\":[");
            scope_spans(cursor, self.scope, self.spans);
            cursor.byte(b']');
        });
        cursor.bytes(b"]}");
    }
}

impl Sealed for SpanView<'_> {
    fn protobuf_len(&self) -> usize {
        64 + self.fields().rest().len()
    }

    fn write(&self, Target(cursor): Target<'_, '_>) {
        span(cursor, &Span::of(self, &Ids::of(self)));
    }
}

/// An object that is being written.
struct Object {
    /// What stands before the next member.
    before: u8,
}

impl Object {
    fn new() -> Self {
        Self { before: b'{' }
    }

    /// Begins a member; `name` has its quotes and what follows up to the value.
    #[inline]
    fn member(&mut self, cursor: &mut Cursor<'_>, name: &'static str) {
        cursor.byte(self.before);
        cursor.bytes(name.as_bytes());
        self.before = b',';
    }

    #[inline]
    fn end(self, cursor: &mut Cursor<'_>) {
        cursor.bytes(if self.before == b'{' { b"{}" } else { b"}" });
    }

    #[inline]
    fn text(&mut self, cursor: &mut Cursor<'_>, name: &'static str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.member(cursor, name);
            text(cursor, bytes);
        }
    }

    fn count(&mut self, cursor: &mut Cursor<'_>, name: &'static str, count: u32) {
        if count != 0 {
            self.member(cursor, name);
            cursor.bytes(Decimal::unsigned(count.into()).as_bytes());
        }
    }

    fn enumeration(&mut self, cursor: &mut Cursor<'_>, name: &'static str, number: i32) {
        if number != 0 {
            self.member(cursor, name);
            cursor.bytes(Decimal::signed(number.into()).as_bytes());
        }
    }

    fn time(&mut self, cursor: &mut Cursor<'_>, name: &'static str, nanos: u64) {
        if nanos != 0 {
            self.member(cursor, name);
            quoted(cursor, Decimal::unsigned(nanos).as_bytes());
        }
    }

    #[inline]
    fn id(&mut self, cursor: &mut Cursor<'_>, name: &'static str, id: &[u8]) {
        if id.is_empty() {
            return;
        }
        self.member(cursor, name);
        cursor.byte(b'"');
        match id.len() {
            8 => digits::<8, 16>(cursor, id),
            16 => digits::<16, 32>(cursor, id),
            _ => id.iter().for_each(|byte| digits::<1, 2>(cursor, &[*byte])),
        }
        cursor.byte(b'"');
    }

    #[inline]
    fn list<'a>(
        &mut self,
        cursor: &mut Cursor<'_>,
        name: &'static str,
        list: List<'a>,
        element: impl FnMut(&mut Cursor<'_>, &'a [u8]),
    ) {
        self.member(cursor, name);
        array(cursor, list, element);
    }

    fn attributes(&mut self, cursor: &mut Cursor<'_>, list: Option<List<'_>>) {
        if let Some(list) = list {
            self.list(cursor, "\"attributes\":", list, key_value);
        }
    }
}

#[inline]
fn array<'a>(cursor: &mut Cursor<'_>, list: List<'a>, mut element: impl FnMut(&mut Cursor<'_>, &'a [u8])) {
    let mut before = b'[';
    for bytes in list.elements() {
        cursor.byte(before);
        before = b',';
        element(cursor, bytes);
    }
    cursor.bytes(if before == b'[' { b"[]" } else { b"]" });
}

fn resource_spans(cursor: &mut Cursor<'_>, fields: &[u8], scopes: impl FnOnce(&mut Cursor<'_>, &mut Object)) {
    let mut object = Object::new();
    if let Some(resource) = message::last(fields, 1).and_then(|field| field.bytes().ok()) {
        object.member(cursor, "\"resource\":");
        let mut object = Object::new();
        object.attributes(cursor, List::of(resource, 1));
        object.count(cursor, "\"droppedAttributesCount\":", message::last_count(resource, 2));
        if let Some(list) = List::of(resource, 3) {
            object.list(cursor, "\"entityRefs\":", list, entity_ref);
        }
        object.end(cursor);
    }
    scopes(cursor, &mut object);
    object.text(cursor, "\"schemaUrl\":", message::last_bytes(fields, 3));
    object.end(cursor);
}

fn entity_ref(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    let mut object = Object::new();
    object.text(cursor, "\"schemaUrl\":", message::last_bytes(bytes, 1));
    object.text(cursor, "\"type\":", message::last_bytes(bytes, 2));
    for (name, number) in [("\"idKeys\":", 3), ("\"descriptionKeys\":", 4)] {
        if let Some(list) = List::of(bytes, number) {
            object.list(cursor, name, list, text);
        }
    }
    object.end(cursor);
}

fn scope_spans(cursor: &mut Cursor<'_>, fields: &[u8], spans: &[u8]) {
    let mut object = Object::new();
    if let Some(scope) = message::last(fields, 1).and_then(|field| field.bytes().ok()) {
        object.member(cursor, "\"scope\":");
        let mut object = Object::new();
        object.text(cursor, "\"name\":", message::last_bytes(scope, 1));
        object.text(cursor, "\"version\":", message::last_bytes(scope, 2));
        object.attributes(cursor, List::of(scope, 3));
        object.count(cursor, "\"droppedAttributesCount\":", message::last_count(scope, 4));
        object.end(cursor);
    }
    if let Some(list) = List::of(spans, 2) {
        object.list(cursor, "\"spans\":", list, |cursor, bytes| span(cursor, &Span::read(bytes)));
    }
    object.text(cursor, "\"schemaUrl\":", message::last_bytes(fields, 3));
    object.end(cursor);
}

fn span(cursor: &mut Cursor<'_>, span: &Span<'_>) {
    let mut object = Object::new();
    object.id(cursor, "\"traceId\":", span.trace_id);
    object.id(cursor, "\"spanId\":", span.span_id);
    object.text(cursor, "\"traceState\":", span.trace_state);
    object.id(cursor, "\"parentSpanId\":", span.parent_span_id);
    object.count(cursor, "\"flags\":", span.flags);
    object.text(cursor, "\"name\":", span.name);
    object.enumeration(cursor, "\"kind\":", span.kind);
    object.time(cursor, "\"startTimeUnixNano\":", span.start_time);
    object.time(cursor, "\"endTimeUnixNano\":", span.end_time);
    object.attributes(cursor, span.attributes);
    object.count(cursor, "\"droppedAttributesCount\":", span.dropped_attributes);
    if let Some(list) = span.events {
        object.list(cursor, "\"events\":", list, event);
    }
    object.count(cursor, "\"droppedEventsCount\":", span.dropped_events);
    if let Some(list) = span.links {
        object.list(cursor, "\"links\":", list, link);
    }
    object.count(cursor, "\"droppedLinksCount\":", span.dropped_links);
    if let Some(Status { message, code }) = span.status {
        object.member(cursor, "\"status\":");
        let mut object = Object::new();
        object.text(cursor, "\"message\":", message);
        object.enumeration(cursor, "\"code\":", code);
        object.end(cursor);
    }
    object.end(cursor);
}

fn event(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    let mut object = Object::new();
    let time = message::last(bytes, 1).and_then(|field| field.fixed64().ok());
    object.time(cursor, "\"timeUnixNano\":", time.unwrap_or(0));
    object.text(cursor, "\"name\":", message::last_bytes(bytes, 2));
    object.attributes(cursor, List::of(bytes, 3));
    object.count(cursor, "\"droppedAttributesCount\":", message::last_count(bytes, 4));
    object.end(cursor);
}

fn link(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    let mut object = Object::new();
    object.id(cursor, "\"traceId\":", message::last_bytes(bytes, 1));
    object.id(cursor, "\"spanId\":", message::last_bytes(bytes, 2));
    object.text(cursor, "\"traceState\":", message::last_bytes(bytes, 3));
    object.attributes(cursor, List::of(bytes, 4));
    object.count(cursor, "\"droppedAttributesCount\":", message::last_count(bytes, 5));
    let flags = message::last(bytes, 6).and_then(|field| field.fixed32().ok());
    object.count(cursor, "\"flags\":", flags.unwrap_or(0));
    object.end(cursor);
}

fn key_value(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    let (key, value) = message::key_value(bytes);
    // The key is written even if it is empty, which none should be: receivers built on opentelemetry-proto's own serde types
    // refuse an attribute without one. Few, long pieces are quicker here than many short ones.
    if is_clean(key) {
        cursor.bytes(b"{\"key\":\"");
        cursor.bytes(key);
        cursor.byte(b'"');
    } else {
        cursor.bytes(b"{\"key\":");
        escaped(cursor, key);
    }
    if let Some(value) = value {
        cursor.bytes(b",\"value\":");
        any_value(cursor, value);
    }
    cursor.byte(b'}');
}

/// A value keeps its member even if that is empty, false or zero: its presence says which type it is.
fn any_value(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    match message::any_value(bytes) {
        Some((1, Wire::Bytes(bytes))) if is_clean(bytes) => {
            cursor.bytes(b"{\"stringValue\":\"");
            cursor.bytes(bytes);
            cursor.bytes(b"\"}");
            return;
        }
        Some((1, Wire::Bytes(bytes))) => {
            cursor.bytes(b"{\"stringValue\":");
            escaped(cursor, bytes);
        }
        Some((2, Wire::Varint(truth))) => {
            cursor.bytes(if truth == 0 { b"{\"boolValue\":false" } else { b"{\"boolValue\":true" });
        }
        Some((3, Wire::Varint(number))) => {
            cursor.bytes(b"{\"intValue\":");
            quoted(cursor, Decimal::signed(number.cast_signed()).as_bytes());
        }
        Some((4, Wire::Fixed64(bits))) => {
            cursor.bytes(b"{\"doubleValue\":");
            double(cursor, f64::from_bits(bits));
        }
        Some((5, Wire::Bytes(bytes))) => {
            cursor.bytes(b"{\"arrayValue\":{\"values\":");
            array(cursor, List::or_empty(bytes, 1), any_value);
            cursor.byte(b'}');
        }
        Some((6, Wire::Bytes(bytes))) => {
            cursor.bytes(b"{\"kvlistValue\":{\"values\":");
            array(cursor, List::or_empty(bytes, 1), key_value);
            cursor.byte(b'}');
        }
        Some((7, Wire::Bytes(bytes))) => {
            cursor.bytes(b"{\"bytesValue\":\"");
            Base64(bytes).groups().for_each(|group| cursor.bytes(&group));
            cursor.byte(b'"');
        }
        _ => cursor.byte(b'{'),
    }
    cursor.byte(b'}');
}

fn double(cursor: &mut Cursor<'_>, number: f64) {
    if let Some(name) = super::text::not_finite(number) {
        return quoted(cursor, name.as_bytes());
    }
    // The longest double, such as -2.2250738585072014e-308, takes 24 bytes, so this cannot fail.
    let mut text = [0; 24];
    let length = serde_json_core::to_slice(&number, &mut text).unwrap_or(0);
    cursor.bytes(text.get(..length).unwrap_or_default());
}

fn digits<const N: usize, const DIGITS: usize>(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    if let Some(bytes) = bytes.first_chunk::<N>() {
        let mut text = [0; DIGITS];
        hex::encode(bytes, &mut text);
        cursor.bytes(&text);
    }
}

/// A text that needs no escapes.
#[inline]
fn quoted(cursor: &mut Cursor<'_>, text: &[u8]) {
    cursor.byte(b'"');
    cursor.bytes(text);
    cursor.byte(b'"');
}

/// A text that may need escapes (RFC 8259, section 7). What arrives here was checked to be UTF-8 when it was recorded or
/// parsed.
#[inline]
fn text(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    if is_clean(bytes) { quoted(cursor, bytes) } else { escaped(cursor, bytes) }
}

/// Whether no byte needs an escape, eight bytes at a time.
#[inline]
fn is_clean(bytes: &[u8]) -> bool {
    let (words, _) = bytes.as_chunks::<8>();
    let last = match bytes.last_chunk::<8>() {
        Some(last) => *last,
        None => {
            let mut padded = [b' '; 8];
            for (to, from) in padded.iter_mut().zip(bytes) {
                *to = *from;
            }
            padded
        }
    };
    let found = words.iter().fold(0, |found, word| found | escapes_in(*word));
    (found | escapes_in(last)) == 0
}

/// A bit in the place of every byte that needs an escape, and perhaps in that of others above it.
#[inline]
fn escapes_in(word: [u8; 8]) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(word);
    let quote = word ^ (LOW * b'"' as u64);
    let backslash = word ^ (LOW * b'\\' as u64);
    // "Has a byte below n": subtract n from each and look for borrows (Hacker's Delight, section 6-1).
    let below = |word: u64, bound: u64| word.wrapping_sub(LOW * bound) & !word;
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGH
}

#[cold]
fn escaped(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    cursor.byte(b'"');
    for run in bytes.split_inclusive(|byte| matches!(byte, ..b' ' | b'"' | b'\\')) {
        let Some((last @ (..b' ' | b'"' | b'\\'), clean)) = run.split_last() else {
            cursor.bytes(run);
            continue;
        };
        cursor.bytes(clean);
        match last {
            b'"' | b'\\' => cursor.bytes(&[b'\\', *last]),
            0x08 => cursor.bytes(b"\\b"),
            0x0c => cursor.bytes(b"\\f"),
            b'\n' => cursor.bytes(b"\\n"),
            b'\r' => cursor.bytes(b"\\r"),
            b'\t' => cursor.bytes(b"\\t"),
            control => {
                let mut text = [0; 2];
                hex::encode(&[*control], &mut text);
                cursor.bytes(b"\\u00");
                cursor.bytes(&text.map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    cursor.byte(b'"');
}
