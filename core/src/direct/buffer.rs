//! `DirectBuffer`: protobuf written front to back, without knowing lengths beforehand.
//!
//! What is inlined and what is not is chosen for bytes of WebAssembly: one body for each primitive, and what an attribute
//! passes through is inlined once, into `attribute`. On a chip, `attribute` is in every call, so that what it passes through is
//! not inlined, and what has one caller is: both are measured by `cargo xtask size`.

use super::LIMITS;
use crate::bytes::{copy, slide};
use crate::wire::{FIXED64, LENGTH_DELIMITED, VARINT, tag};

const STRING: u8 = tag(1, LENGTH_DELIMITED);
const BOOL: u8 = tag(2, VARINT);
const INT: u8 = tag(3, VARINT);
const DOUBLE: u8 = tag(4, FIXED64);
const ARRAY: u8 = tag(5, LENGTH_DELIMITED);
const ELEMENT: u8 = tag(1, LENGTH_DELIMITED);
const KEY: u8 = tag(1, LENGTH_DELIMITED);
const VALUE: u8 = tag(2, LENGTH_DELIMITED);

/// What [`commit`](DirectBuffer::commit) leaves free for what a span must be able to say at its end: three counts and a status.
pub(super) const RESERVED: usize = 3 * 6 + 4;

/// A length that no memory has, so that nothing fits any more.
const OVERFLOWED: usize = usize::MAX / 2;

/// `N` bytes of memory that fill from the front. What does not fit is left out, and noted until it is asked for.
#[derive(Debug)]
pub struct DirectBuffer<const N: usize> {
    /// How many bytes are written; [`OVERFLOWED`] once something did not fit.
    length: usize,
    /// Texts that were cut.
    truncated: u32,
    bytes: [u8; N],
}

impl<const N: usize> DirectBuffer<N> {
    /// An empty buffer; all zero in memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { length: 0, truncated: 0, bytes: [0; N] }
    }
}

impl<const N: usize> Default for DirectBuffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// For those who write the value of an attribute or of an element.
impl<const N: usize> DirectBuffer<N> {
    /// Writes a text, cut to the limit of characters.
    #[inline]
    pub fn string(&mut self, text: &[u8]) {
        self.text(STRING, text, LIMITS.value_length);
    }

    /// Writes a boolean.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.put([BOOL, value.into()]);
    }

    /// Writes an integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.put([INT]);
        self.varint(value.cast_unsigned());
    }

    /// Writes a double.
    #[inline]
    pub fn double(&mut self, value: f64) {
        self.fixed64(DOUBLE, value.to_bits());
    }

    /// Writes an array, whose elements `write` writes.
    #[inline]
    pub fn array(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.open(ARRAY);
        write(self);
        self.close(start);
    }

    /// Writes an element of an array, whose value `write` writes.
    #[inline]
    pub fn element(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.open(ELEMENT);
        write(self);
        self.close(start);
    }

    /// Says that what is being written has no OTLP form: it is left out as if it did not fit.
    #[inline]
    pub fn refuse(&mut self) {
        self.length = OVERFLOWED;
    }

    /// Writes an attribute whose value `write` writes; false, and nothing is written, if it does not fit.
    ///
    /// `tag` is what [`DirectSpan`](super::DirectSpan) and [`DirectBatch`](super::DirectBatch) hand out.
    #[inline(always)]
    pub fn attribute(&mut self, tag: u8, key: &[u8], write: impl FnOnce(&mut Self)) -> bool {
        let mark = self.length;
        let value = self.open_attribute(tag, key);
        write(self);
        self.close_attribute(mark, value)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn open_attribute(&mut self, tag: u8, key: &[u8]) -> usize {
        self.open(tag);
        self.field(KEY, key);
        self.open(VALUE)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn close_attribute(&mut self, mark: usize, value: usize) -> bool {
        // Behind its tag and the byte for its length.
        let start = mark + 2;
        if cfg!(target_os = "none") {
            self.close(value);
            self.close(start);
        } else {
            self.close_inline(value);
            self.close_inline(start);
        }
        self.commit(mark)
    }
}

/// For spans and batches.
impl<const N: usize> DirectBuffer<N> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// All of the memory, of which the first `len` bytes are written.
    pub(super) fn memory(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn take_truncated(&mut self) -> u32 {
        core::mem::take(&mut self.truncated)
    }

    /// Goes back, or on, to write at `position`.
    pub(super) fn seek(&mut self, position: usize) {
        self.length = position;
    }

    #[inline(never)]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if write_at(&mut self.bytes, self.length, bytes) {
            self.length += bytes.len();
        } else {
            self.length = OVERFLOWED;
        }
    }

    /// `bytes` where time counts; on a chip the bytes of code do.
    #[inline(always)]
    pub(super) fn put<const LENGTH: usize>(&mut self, bytes: [u8; LENGTH]) {
        if cfg!(target_os = "none") {
            return if let [byte] = bytes[..] { self.byte(byte) } else { self.bytes(&bytes) };
        }
        match self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            Some(to) => {
                *to = bytes;
                self.length += LENGTH;
            }
            None => self.length = OVERFLOWED,
        }
    }

    /// `field` for content of a known width: where the place is known too, that is a few stores.
    #[inline(always)]
    pub(super) fn short<const LENGTH: usize>(&mut self, tag: u8, content: [u8; LENGTH]) {
        if cfg!(target_os = "none") {
            return self.field(tag, &content);
        }
        self.put([tag, LENGTH.to_le_bytes()[0]]);
        self.put(content);
    }

    /// `fixed64` for a known place.
    #[inline(always)]
    pub(super) fn time(&mut self, tag: u8, value: u64) {
        if cfg!(target_os = "none") {
            return self.fixed64(tag, value);
        }
        self.put([tag]);
        self.put(value.to_le_bytes());
    }

    #[inline(never)]
    pub(super) fn byte(&mut self, byte: u8) {
        match self.bytes.get_mut(self.length) {
            Some(to) => {
                *to = byte;
                self.length += 1;
            }
            None => self.length = OVERFLOWED,
        }
    }

    #[inline(never)]
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.byte(value.to_le_bytes()[0]);
    }

    #[inline(never)]
    pub(super) fn fixed64(&mut self, tag: u8, value: u64) {
        self.put([tag]);
        self.put(value.to_le_bytes());
    }

    /// Writes a length-delimited field.
    #[inline(never)]
    pub(super) fn field(&mut self, tag: u8, content: &[u8]) {
        let length = content.len();
        if length < 0x80 && cfg!(not(target_os = "none")) {
            self.put([tag, length.to_le_bytes()[0]]);
        } else {
            self.byte(tag);
            self.varint(length as u64);
        }
        self.bytes(content);
    }

    /// Writes a text of at most `limit` characters as a field (OpenTelemetry common, "Attribute Limits": any character counts
    /// as 1).
    #[cfg_attr(not(target_os = "none"), inline(never))]
    pub(super) fn text(&mut self, tag: u8, mut text: &[u8], limit: u32) {
        if text.len() > limit as usize {
            let length = clip(text, limit);
            if length < text.len() {
                self.count_truncated();
            }
            text = text.get(..length).unwrap_or(text);
        }
        self.field(tag, text);
    }

    #[inline(never)]
    pub(super) fn count_truncated(&mut self) {
        self.truncated = self.truncated.saturating_add(1);
    }

    /// Writes a count as a field, unless it is 0.
    #[cfg_attr(not(target_os = "none"), inline(never))]
    pub(super) fn count(&mut self, tag: u8, count: u32) {
        if count > 0 {
            self.byte(tag);
            self.varint(count.into());
        }
    }

    /// Begins a length-delimited field; answers where its content begins.
    #[inline(never)]
    pub(super) fn open(&mut self, tag: u8) -> usize {
        self.put([tag, 0]);
        self.length
    }

    /// Ends the length-delimited field whose content began at `start`.
    #[inline(never)]
    pub(super) fn close(&mut self, start: usize) {
        self.close_inline(start);
    }

    #[inline(always)]
    fn close_inline(&mut self, start: usize) {
        let length = self.length.wrapping_sub(start);
        if length < 0x80
            && let Some(byte) = self.bytes.get_mut(start.wrapping_sub(1))
        {
            *byte = length.to_le_bytes()[0];
        } else {
            self.long_close(start);
        }
    }

    /// One byte was left for the length, and it needs more.
    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn long_close(&mut self, start: usize) {
        let end = self.length;
        let length = end.wrapping_sub(start);
        // The length's own bytes, but for the first, are room for what they push away.
        self.varint((length >> 7) as u64);
        if self.length == OVERFLOWED {
            return;
        }
        let new_end = self.length;
        slide(&mut self.bytes, start, end, start + (new_end - end));
        self.length = start - 1;
        self.varint(length as u64);
        self.length = new_end;
    }

    /// Keeps what was written since the buffer was `mark` bytes long, and answers true; or, if some of it did not fit, none.
    #[cfg_attr(not(target_os = "none"), inline(never))]
    pub(super) fn commit(&mut self, mark: usize) -> bool {
        if self.length > self.bytes.len().saturating_sub(RESERVED) {
            self.length = mark;
            return false;
        }
        true
    }

    /// Takes out the length-delimited field at `start`.
    #[cfg_attr(not(target_os = "none"), inline(never))]
    pub(super) fn remove(&mut self, start: usize) {
        let (_, end) = field_at(&self.bytes, start);
        slide(&mut self.bytes, end, self.length, start);
        self.length -= end - start;
    }
}

/// Writes `bytes` at a place in `memory`; false, and nothing is written, if they do not fit.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), inline(never))]
pub(super) fn write_at(memory: &mut [u8], at: usize, bytes: &[u8]) -> bool {
    let Some(to) = memory.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())) else { return false };
    // Equally long; `copy_from_slice` would link its panic.
    copy(to, bytes);
    true
}

/// How many bytes at most `limit` characters of UTF-8 take.
#[inline(never)]
fn clip(text: &[u8], limit: u32) -> usize {
    let mut characters = 0;
    for (at, byte) in text.iter().enumerate() {
        if byte & 0xc0 != 0x80 {
            if characters == limit {
                return at;
            }
            characters += 1;
        }
    }
    text.len()
}

/// Where the content of the length-delimited field at `at` begins and ends; the end of `bytes`, twice, if it is cut off.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "memory of a span or batch is shorter than 2^32")]
pub(super) fn field_at(bytes: &[u8], at: usize) -> (usize, usize) {
    let found = find_field(bytes, at);
    ((found >> 32) as usize, found as u32 as usize)
}

/// [`field_at`] as one number, which WebAssembly answers without a detour through memory.
#[inline(never)]
#[expect(clippy::cast_possible_truncation, reason = "memory of a span or batch is shorter than 2^32")]
fn find_field(bytes: &[u8], at: usize) -> u64 {
    let mut start = at;
    let mut length = 0;
    let mut shift = 0;
    loop {
        start += 1;
        let Some(&byte) = bytes.get(start) else { return (bytes.len() as u64) << 32 | bytes.len() as u64 };
        length |= usize::from(byte & 0x7f).wrapping_shl(shift);
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    start += 1;
    (start as u64) << 32 | u64::from(start.wrapping_add(length) as u32)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    fn buffer(check: impl FnOnce(&mut DirectBuffer<400>)) {
        check(&mut DirectBuffer::new());
    }

    #[test]
    fn lengths_are_put_right_at_every_width() {
        for length in [0, 1, 127, 128, 300] {
            buffer(|buffer| {
                let start = buffer.open(0x0a);
                (0..length).for_each(|index: u32| buffer.byte(index.to_le_bytes()[0]));
                buffer.close(start);
                let (content, end) = field_at(buffer.as_slice(), 0);
                assert_eq!((buffer.as_slice()[0], end - content, end), (0x0a, length as usize, buffer.len()));
                assert!(
                    buffer.as_slice()[content..]
                        .iter()
                        .zip(0..)
                        .all(|(byte, index): (_, u32)| *byte == index.to_le_bytes()[0])
                );
                assert!(buffer.commit(0));
            });
        }
    }

    #[test]
    fn what_does_not_fit_leaves_nothing() {
        buffer(|buffer| {
            buffer.bytes(&[7; 400 - RESERVED - 10]);
            assert!(!buffer.attribute(0x0a, b"key", |value| value.string(b"value")));
            assert_eq!(buffer.len(), 400 - RESERVED - 10);
            // 10 bytes with key and value: it fits exactly.
            assert!(buffer.attribute(0x0a, b"key", |value| value.byte(b'v')));
            assert_eq!(buffer.len(), 400 - RESERVED);
            assert!(!buffer.attribute(0x0a, b"", |_| {}));
            assert!(buffer.commit(0));
        });
        // A content that fits, whose length does not.
        buffer(|buffer| {
            buffer.bytes(&[7; 200]);
            let start = buffer.open(0x0a);
            buffer.bytes(&[7; 198]);
            assert_eq!(buffer.len(), 400);
            buffer.close(start);
            assert!(!buffer.commit(200));
            assert_eq!(buffer.len(), 200);
        });
    }

    #[test]
    fn characters_count_not_bytes() {
        buffer(|buffer| {
            buffer.text(0x0a, "grüße".as_bytes(), 4);
            assert_eq!(
                (buffer.as_slice(), buffer.truncated),
                (["\n\u{6}".as_bytes(), "grüß".as_bytes()].concat().as_slice(), 1)
            );
            buffer.text(0x0a, "grüße".as_bytes(), 5);
            assert_eq!(buffer.truncated, 1);
        });
    }

    #[test]
    fn fields_that_are_cut_off_are_at_the_end() {
        assert_eq!(field_at(&[], 0), (0, 0));
        assert_eq!(field_at(&[0x0a], 0), (1, 1));
        assert_eq!(field_at(&[0x0a, 0x80], 0), (2, 2));
        assert_eq!(field_at(&[0x0a, 0x80, 1], 0), (3, 131));
        let endless = vec![0xff; 100];
        assert_eq!(field_at(&endless, 0), (100, 100));
    }
}
