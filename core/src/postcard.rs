//! The few primitives of the postcard wire format (postcard 1.0 specification, "Wire Format") that chips write and read.

use core::fmt;

use crate::storage::Cursor;

/// What is wrong with bytes in a chip's own format: a span in compact form, or the content of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompactError {
    /// The bytes end within something.
    Truncated,
    /// A variable-length integer that does not fit its type.
    VarintTooLong,
    /// A text that is not UTF-8.
    NotUtf8,
    /// An item of a kind that this version does not know.
    UnknownItem(u32),
    /// A value of a type that this version does not know.
    UnknownValue(u32),
    /// Values nested deeper than [`MAX_VALUE_DEPTH`](crate::MAX_VALUE_DEPTH).
    TooDeep,
    /// An all-zero trace id or span id.
    InvalidId,
    /// A status code that OpenTelemetry does not define.
    InvalidStatus(u8),
    /// A string id that the given table does not hold: it is not the table of the program that recorded.
    UnknownString(u32),
    /// What is being written does not fit.
    Capacity,
}

impl fmt::Display for CompactError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("the bytes end within an item"),
            Self::VarintTooLong => formatter.write_str("an integer is longer than its type"),
            Self::NotUtf8 => formatter.write_str("a text is not UTF-8"),
            Self::UnknownItem(head) => write!(formatter, "item {head} is not known"),
            Self::UnknownValue(tag) => write!(formatter, "value type {tag} is not known"),
            Self::TooDeep => write!(formatter, "values are nested deeper than {}", crate::MAX_VALUE_DEPTH),
            Self::InvalidId => formatter.write_str("a trace id or span id is all zero"),
            Self::InvalidStatus(code) => write!(formatter, "status code {code} is not defined"),
            Self::UnknownString(id) => write!(formatter, "string {id} is not in the table"),
            Self::Capacity => formatter.write_str("the result does not fit"),
        }
    }
}

impl core::error::Error for CompactError {}

/// Small magnitudes become small numbers, whatever their sign.
#[inline]
pub(crate) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

#[inline]
const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Writes a varint, with cheap steps for the numbers that fit a register of a chip.
#[inline]
pub(crate) fn write_varint(cursor: &mut Cursor<'_>, value: u64) {
    match u32::try_from(value) {
        Ok(value) => write_varint_u32(cursor, value),
        Err(_) => cursor.varint(value),
    }
}

/// Writes a varint of 32 bits.
#[inline]
pub(crate) fn write_varint_u32(cursor: &mut Cursor<'_>, value: u32) {
    if value < 0x80 {
        cursor.byte(value.to_le_bytes()[0]);
    } else {
        write_long_varint(cursor, value);
    }
}

#[inline(never)]
fn write_long_varint(cursor: &mut Cursor<'_>, mut value: u32) {
    while value >= 0x80 {
        cursor.byte(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    cursor.byte(value.to_le_bytes()[0]);
}

/// Takes values from the front of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], CompactError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(CompactError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CompactError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(CompactError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CompactError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, CompactError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CompactError::VarintTooLong);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CompactError::VarintTooLong)
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, CompactError> {
        u32::try_from(self.varint()?).map_err(|_| CompactError::VarintTooLong)
    }

    /// How many items follow; more than there are bytes left cannot be.
    pub(crate) fn count(&mut self) -> Result<usize, CompactError> {
        let count = usize::try_from(self.varint()?).map_err(|_| CompactError::Truncated)?;
        if count > self.rest.len() { Err(CompactError::Truncated) } else { Ok(count) }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, CompactError> {
        self.varint().map(unzigzag)
    }

    /// A length and that many bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CompactError> {
        let length = self.count()?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CompactError> {
        core::str::from_utf8(self.bytes()?).map_err(|_| CompactError::NotUtf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage, append};

    #[test]
    fn signed_numbers_round_trip_through_zigzag() {
        for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            let mut bytes = heapless::Vec::<u8, 10>::new();
            assert!(append(bytes.view_mut(), 10, |cursor| write_varint(cursor, zigzag(number))));
            assert_eq!(Reader::new(&bytes).signed(), Ok(number));
        }
        assert_eq!([zigzag(0), zigzag(-1), zigzag(1), zigzag(-2)], [0, 1, 2, 3], "the specification's table");
    }

    #[test]
    fn malformed_bytes_are_named() {
        assert_eq!(Reader::new(&[0x80]).varint(), Err(CompactError::Truncated));
        assert_eq!(Reader::new(&[0xff; 10]).varint(), Err(CompactError::VarintTooLong));
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).varint_u32(), Err(CompactError::VarintTooLong));
        assert_eq!(Reader::new(&[2, 0xc3]).text(), Err(CompactError::Truncated));
        assert_eq!(Reader::new(&[1, 0xc3]).text(), Err(CompactError::NotUtf8));
    }
}
