//! Protobuf primitives: tags, variable-length integers, and a reader that never panics.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::storage::Cursor;

/// Wire type of variable-length integers.
pub(crate) const VARINT: u8 = 0;
/// Wire type of eight little-endian bytes.
pub(crate) const FIXED64: u8 = 1;
/// Wire type of a length followed by that many bytes.
pub(crate) const LENGTH_DELIMITED: u8 = 2;
/// Wire type of four little-endian bytes.
pub(crate) const FIXED32: u8 = 5;

/// The tag byte of a field whose number is below 16.
pub(crate) const fn tag(field: u8, wire_type: u8) -> u8 {
    debug_assert!(field < 16);
    (field << 3) | wire_type
}

/// How many bytes `value` takes as a varint: 1 to 10.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// How many bytes a length-delimited field of a number below 16 takes in all. Lengths beyond memory stay the greatest there
/// is, so that they fit nowhere.
#[inline]
pub(crate) const fn field_len(content: usize) -> usize {
    // Almost every length takes one byte; the general count of bits took a third of the time of an attribute.
    if content < 0x80 { content + 2 } else { content.saturating_add(1 + varint_len(content as u64)) }
}

/// The longest content whose length-delimited field, of a number below 16, takes at most `room` bytes.
pub(crate) fn content_within(room: usize) -> usize {
    let mut content = room.saturating_sub(2);
    while content > 0 && field_len(content) > room {
        content -= 1;
    }
    content
}

impl Cursor<'_> {
    /// Writes a varint.
    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.byte(value.to_le_bytes()[0]);
    }

    /// Writes tag and length of a length-delimited field.
    #[inline]
    pub(crate) fn field_header(&mut self, tag: u8, length: usize) {
        if length < 0x80 {
            self.bytes(&[tag, length.to_le_bytes()[0]]);
        } else {
            self.byte(tag);
            self.varint(length as u64);
        }
    }

    /// Writes tags and lengths of two length-delimited fields, of which the second begins the content of the first: short
    /// ones, as almost all are, in one store.
    #[inline]
    pub(crate) fn field_headers(&mut self, outer: (u8, usize), inner: (u8, usize)) {
        if outer.1 < 0x80 {
            // The inner one is within the outer, so its length is of one byte too.
            self.bytes(&[outer.0, outer.1.to_le_bytes()[0], inner.0, inner.1.to_le_bytes()[0]]);
        } else {
            self.field_header(outer.0, outer.1);
            self.field_header(inner.0, inner.1);
        }
    }

    /// Writes a whole length-delimited field.
    #[inline]
    pub(crate) fn field(&mut self, tag: u8, content: &[u8]) {
        self.field_header(tag, content.len());
        self.bytes(content);
    }
}

/// One field's content, by wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// One field as read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) wire: Wire<'a>,
    /// Where the content begins, counted from the start of the outermost message.
    pub(crate) offset: usize,
}

impl<'a> Field<'a> {
    fn wrong_type(&self) -> DecodeError {
        DecodeError { kind: DecodeErrorKind::WrongWireType { field: self.number }, offset: self.offset }
    }

    pub(crate) fn varint(&self) -> Result<u64, DecodeError> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    /// A varint of a 32-bit type. Surplus bits are cut off (protobuf encoding, "Updating a message type": as by a cast in C++).
    #[expect(clippy::cast_possible_truncation, reason = "the rule asks for it")]
    pub(crate) fn uint32(&self) -> Result<u32, DecodeError> {
        self.varint().map(|value| value as u32)
    }

    pub(crate) fn fixed64(&self) -> Result<u64, DecodeError> {
        match self.wire {
            Wire::Fixed64(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    pub(crate) fn fixed32(&self) -> Result<u32, DecodeError> {
        match self.wire {
            Wire::Fixed32(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    pub(crate) fn bytes(&self) -> Result<&'a [u8], DecodeError> {
        match self.wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type()),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes()?;
        if let Some(text) = as_text(bytes) {
            return Ok(text);
        }
        core::str::from_utf8(bytes).map_err(|error| DecodeError {
            kind: DecodeErrorKind::NotUtf8 { field: self.number },
            offset: self.offset + error.valid_up_to(),
        })
    }

    /// The fields of this field's content, read as a message.
    pub(crate) fn message(&self) -> Result<Fields<'a>, DecodeError> {
        Ok(Fields::at(self.bytes()?, self.offset))
    }
}

/// The fields of one message, in order. Ends after the first error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self::at(message, 0)
    }

    fn at(message: &'a [u8], offset: usize) -> Self {
        Self { rest: message, offset }
    }

    fn error<T>(&self, kind: DecodeErrorKind) -> Result<T, DecodeError> {
        Err(DecodeError { kind, offset: self.offset })
    }

    /// The bytes not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, tail)) = self.rest.split_at_checked(length) else {
            return self.error(DecodeErrorKind::Truncated);
        };
        self.rest = tail;
        self.offset += length;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((head, tail)) = self.rest.split_first_chunk::<N>() else {
            return self.error(DecodeErrorKind::Truncated);
        };
        self.rest = tail;
        self.offset += N;
        Ok(*head)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, DecodeError> {
        // Tags, lengths and small numbers: nearly always one byte.
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            self.offset += 1;
            return Ok((*byte).into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.take(index + 1)?;
                return Ok(value);
            }
        }
        self.error(if self.rest.len() < 10 { DecodeErrorKind::Truncated } else { DecodeErrorKind::VarintTooLong })
    }

    #[inline(never)]
    fn next_of_any_form(&mut self) -> Option<Result<Field<'a>, DecodeError>> {
        if self.rest.is_empty() {
            return None;
        }
        let result = self.read();
        if result.is_err() {
            self.rest = &[];
        }
        Some(result)
    }

    fn read(&mut self) -> Result<Field<'a>, DecodeError> {
        let before = *self;
        let key = self.varint()?;
        let Ok(number) = u32::try_from(key >> 3) else {
            return before.error(DecodeErrorKind::InvalidFieldNumber);
        };
        if number == 0 || number > 0x1fff_ffff {
            return before.error(DecodeErrorKind::InvalidFieldNumber);
        }
        let wire_type = key.to_le_bytes()[0] & 7;
        let mut offset = self.offset;
        let wire = match wire_type {
            VARINT => Wire::Varint(self.varint()?),
            FIXED64 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            FIXED32 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            LENGTH_DELIMITED => {
                let length = self.varint()?;
                offset = self.offset;
                let Ok(length) = usize::try_from(length) else {
                    return self.error(DecodeErrorKind::Truncated);
                };
                Wire::Bytes(self.take(length)?)
            }
            _ => return before.error(DecodeErrorKind::UnsupportedWireType { wire_type }),
        };
        Ok(Field { number, wire, offset })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Nearly every field has a number below 16 and less than 128 bytes of content behind their length. Read in place, such
        // a field stays in registers; what the general way returns goes through memory.
        if let [key @ ..0x80, length @ ..0x80, rest @ ..] = self.rest
            && key & 7 == LENGTH_DELIMITED
            && *key >= 8
            && let Some((bytes, rest)) = rest.split_at_checked((*length).into())
        {
            let offset = self.offset + 2;
            *self = Self { rest, offset: offset + bytes.len() };
            return Some(Ok(Field { number: (key >> 3).into(), wire: Wire::Bytes(bytes), offset }));
        }
        self.next_of_any_form()
    }
}

/// Key and value of a `KeyValue` message in the form in which nearly every encoder writes it: the key, then the value, both below
/// 128 bytes, and nothing else.
#[inline]
pub(crate) fn plain_key_value(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, key_len @ ..0x80, rest @ ..] = message else { return None };
    match rest.split_at_checked((*key_len).into()) {
        Some((key, [0x12, value_len @ ..0x80, value @ ..])) if value.len() == usize::from(*value_len) => {
            Some((key, value))
        }
        _ => None,
    }
}

/// The text of an `AnyValue` message that is nothing but one of less than 128 bytes.
#[inline]
pub(crate) fn plain_text(message: &[u8]) -> Option<&[u8]> {
    match message {
        [0x0a, length @ ..0x80, text @ ..] if text.len() == usize::from(*length) => Some(text),
        _ => None,
    }
}

/// Bytes as text, if they are UTF-8.
#[inline]
pub(crate) fn as_text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        // SAFETY: every sequence of ASCII is UTF-8 (RFC 3629, section 1).
        #[expect(unsafe_code, reason = "most texts are ASCII, and seeing that takes a fraction of the general check")]
        return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    core::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage, append};

    #[test]
    fn varints_round_trip_at_every_width() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut storage = heapless::Vec::<u8, 10>::new();
                assert!(append(storage.view_mut(), varint_len(value), |cursor| cursor.varint(value)));
                assert_eq!(storage.len(), varint_len(value));
                assert_eq!(Fields::new(&storage).varint(), Ok(value));
            }
        }
    }

    #[test]
    fn a_32_bit_field_is_cut_off_as_protobuf_asks() {
        let field = Fields::new(&[0x08, 0x83, 0x80, 0x80, 0x80, 0x10]).next().unwrap().unwrap();
        assert_eq!((field.varint(), field.uint32()), (Ok(0x1_0000_0003), Ok(3)));
    }

    #[test]
    fn malformed_input_is_named_with_its_place() {
        let kind_at = |bytes: &[u8]| {
            let error = Fields::new(bytes).find_map(Result::err).unwrap();
            (error.kind, error.offset)
        };
        assert_eq!(kind_at(&[0x0a, 5, 1]), (DecodeErrorKind::Truncated, 2));
        assert_eq!(kind_at(&[0x08, 1, 0x00, 1]), (DecodeErrorKind::InvalidFieldNumber, 2));
        assert_eq!(kind_at(&[0x0b]), (DecodeErrorKind::UnsupportedWireType { wire_type: 3 }, 0));
        assert_eq!(
            kind_at(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]),
            (DecodeErrorKind::VarintTooLong, 1)
        );
        assert_eq!(kind_at(&[0x09, 1, 2, 3]), (DecodeErrorKind::Truncated, 1));
    }
}
