//! Views over attributes and their values.

use core::fmt;

use super::{fields_of, last_bytes, last_text};
use crate::MAX_VALUE_DEPTH;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Field, Fields, as_text, plain_key_value, plain_text};

/// One attribute value as read.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ValueView<'a> {
    /// Nothing set.
    Empty,
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    I64(i64),
    /// A double-precision number.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An array.
    List(ListView<'a>),
    /// A map, in the order in which it was written.
    Map(Attributes<'a>),
}

impl<'a> ValueView<'a> {
    /// Reads an `AnyValue` message that was checked before.
    #[inline]
    fn new(message: &'a [u8]) -> Self {
        match plain_text(message) {
            Some(text) => as_text(text).map_or(Self::Empty, Self::Str),
            None => Self::of_any_form(message),
        }
    }

    fn of_any_form(message: &'a [u8]) -> Self {
        // The members form a oneof: the last one counts.
        Fields::new(message)
            .map_while(Result::ok)
            .filter_map(|field| Self::member(&field))
            .last()
            .unwrap_or(Self::Empty)
    }

    fn member(field: &Field<'a>) -> Option<Self> {
        Some(match field.number {
            1 => Self::Str(field.text().ok()?),
            2 => Self::Bool(field.varint().ok()? != 0),
            3 => Self::I64(field.varint().ok()?.cast_signed()),
            4 => Self::F64(f64::from_bits(field.fixed64().ok()?)),
            5 => Self::List(ListView { message: field.bytes().ok()? }),
            6 => Self::Map(Attributes { rest: field.bytes().ok()?, number: 1 }),
            7 => Self::Bytes(field.bytes().ok()?),
            _ => return None,
        })
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::I64(number) = self { Some(*number) } else { None }
    }
}

impl fmt::Debug for ValueView<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("null"),
            Self::Bool(truth) => truth.fmt(formatter),
            Self::I64(number) => number.fmt(formatter),
            Self::F64(number) => number.fmt(formatter),
            Self::Str(text) => text.fmt(formatter),
            Self::Bytes(bytes) => bytes.fmt(formatter),
            Self::List(list) => formatter.debug_list().entries(list.iter()).finish(),
            Self::Map(entries) => formatter.debug_map().entries(*entries).finish(),
        }
    }
}

/// An array of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListView<'a> {
    message: &'a [u8],
}

impl<'a> ListView<'a> {
    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = ValueView<'a>> + use<'a> {
        fields_of(self.message, 1).filter_map(|field| Some(ValueView::new(field.bytes().ok()?)))
    }
}

/// An iterator over attributes, in the order in which they were written.
#[derive(Clone, Copy, PartialEq)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    number: u32,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(message: &'a [u8], number: u32) -> Self {
        Self { rest: message, number }
    }

    /// The value of `key`, if it is there; of the last one, if somebody else's encoder repeated the key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<ValueView<'a>> {
        self.filter(|(other, _)| *other == key).last().map(|(_, value)| value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, ValueView<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields = Fields::new(self.rest);
        loop {
            let field = fields.next()?.ok()?;
            self.rest = fields.rest();
            if field.number == self.number {
                let message = field.bytes().ok()?;
                return Some(match plain_key_value(message) {
                    Some((key, value)) => (as_text(key).unwrap_or_default(), ValueView::new(value)),
                    None => (last_text(message, 1), ValueView::new(last_bytes(message, 2))),
                });
            }
        }
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(*self).finish()
    }
}

/// Checks a `KeyValue` message.
#[inline]
pub(super) fn check_attribute(field: &Field<'_>, depth: usize) -> Result<(), DecodeError> {
    let is_plain = plain_key_value(field.bytes()?).is_some_and(|(key, value)| {
        as_text(key).is_some() && plain_text(value).is_some_and(|text| as_text(text).is_some())
    });
    if is_plain { Ok(()) } else { check_any_attribute(field, depth) }
}

#[inline(never)]
fn check_any_attribute(field: &Field<'_>, depth: usize) -> Result<(), DecodeError> {
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => drop(field.text()?),
            2 => check_value(&field, depth)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_value(field: &Field<'_>, depth: usize) -> Result<(), DecodeError> {
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => drop(field.text()?),
            2 | 3 => drop(field.varint()?),
            4 => drop(field.fixed64()?),
            5 | 6 => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(DecodeError { kind: DecodeErrorKind::TooDeep, offset: field.offset });
                };
                for item in field.message()? {
                    let item = item?;
                    if item.number != 1 {
                        continue;
                    }
                    if field.number == 5 { check_value(&item, depth)? } else { check_attribute(&item, depth)? }
                }
            }
            7 => drop(field.bytes()?),
            _ => {}
        }
    }
    Ok(())
}

/// The depth with which a check starts.
pub(super) const DEPTH: usize = MAX_VALUE_DEPTH;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpanView;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// A span with one attribute, whose `KeyValue` is these bytes.
    fn span(key_value: &[u8]) -> Vec<u8> {
        let mut message = [&[0x0a, 16][..], &[1; 16], &[0x12, 8], &[2; 8]].concat();
        message.extend([0x4a, key_value.len().to_le_bytes()[0]]);
        message.extend(key_value);
        message
    }

    fn read(key_value: &[u8]) -> Result<String, (DecodeErrorKind, usize)> {
        let message = span(key_value);
        let view = SpanView::parse(&message).map_err(|error| (error.kind, error.offset - 30))?;
        Ok(view.attributes().map(|(key, value)| format!("{key}={value:?}")).collect())
    }

    /// A `KeyValue`, and what it says: whatever its form is, the last of each field counts, and unknown ones do not.
    #[test]
    fn attributes_of_any_form() {
        use DecodeErrorKind as E;
        type Said = Result<&'static str, (E, usize)>;
        let table: &[(&[u8], Said)] = &[
            // As nearly every encoder writes it.
            (b"\x0a\x01k\x12\x03\x0a\x01v", Ok("k=\"v\"")),
            (b"\x0a\x01k\x12\x02\x0a\x00", Ok("k=\"\"")),
            ("\x0a\x02é\x12\x04\x0a\x02ü".as_bytes(), Ok("é=\"ü\"")),
            (b"\x0a\x01k\x12\x02\x18\x07", Ok("k=7")),
            (b"\x0a\x01k\x12\x00", Ok("k=null")),
            // In another order, without one of the two, or with more.
            (b"\x12\x03\x0a\x01v\x0a\x01k", Ok("k=\"v\"")),
            (b"\x0a\x01k", Ok("k=null")),
            (b"\x12\x03\x0a\x01v", Ok("=\"v\"")),
            (b"", Ok("=null")),
            (b"\x0a\x01k\x12\x03\x0a\x01v\x12\x03\x0a\x01w", Ok("k=\"w\"")),
            (b"\x0a\x01k\x12\x03\x0a\x01v\x0a\x01l", Ok("l=\"v\"")),
            (b"\x0a\x01k\x12\x03\x0a\x01v\x18\x05", Ok("k=\"v\"")),
            // A oneof's last member counts, and unknown fields are skipped.
            (b"\x0a\x01k\x12\x05\x0a\x01v\x18\x07", Ok("k=7")),
            (b"\x0a\x01k\x12\x05\x18\x07\x0a\x01v", Ok("k=\"v\"")),
            (b"\x0a\x01k\x12\x05\x0a\x01v\x40\x07", Ok("k=\"v\"")),
            // What is wrong is named with its place.
            (b"\x0a\x01\xff\x12\x03\x0a\x01v", Err((E::NotUtf8 { field: 1 }, 2))),
            (b"\x0a\x01k\x12\x03\x0a\x01\xff", Err((E::NotUtf8 { field: 1 }, 7))),
            (b"\x0a\x02\xc3\xa9\x12\x04\x0a\x02\xc3\x28", Err((E::NotUtf8 { field: 1 }, 8))),
            (b"\x0a\x01k\x12\x04\x0a\x01v", Err((E::Truncated, 5))),
            (b"\x0a\x05k", Err((E::Truncated, 2))),
            (b"\x08\x01", Err((E::WrongWireType { field: 1 }, 1))),
            (b"\x0a\x01k\x10\x01", Err((E::WrongWireType { field: 2 }, 4))),
            (b"\x02\x00", Err((E::InvalidFieldNumber, 0))),
        ];
        for (bytes, said) in table {
            assert_eq!(read(bytes), said.map(String::from), "{}", bytes.escape_ascii());
        }
    }
}
