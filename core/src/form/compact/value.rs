//! Writes a `Value` in compact form, in one pass: what does not fit makes the cursor overflow, and so is not written at all.

use super::tag;
use crate::form::value::clip_bytes;
use crate::intern::{StringTable, Symbol};
use crate::postcard::{write_varint, write_varint_u32, zigzag};
use crate::storage::Cursor;
use crate::{MAX_VALUE_DEPTH, Value};

/// What writing values needs to know, and finds out.
pub(super) struct Writing {
    /// The limit on texts and bytes.
    pub(super) value_length: u32,
    /// Whether the limit cut something.
    pub(super) clipped: bool,
    /// Whether something nests too deep to be written.
    pub(super) too_deep: bool,
}

impl Writing {
    pub(super) const fn new(value_length: u32) -> Self {
        Self { value_length, clipped: false, too_deep: false }
    }
}

/// Writes bytes behind their length.
pub(super) fn write_counted(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    // No chip has a text of more than 32 bits; a host's would not fit, and so overflows.
    write_varint_u32(cursor, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    cursor.bytes(bytes);
}

/// Writes a text's reference with `bits` behind it, and the text itself if it is not interned.
#[inline(never)]
pub(super) fn write_symbol(cursor: &mut Cursor<'_>, symbol: &Symbol<'_>, shift: u32, bits: u32) {
    write_varint_u32(cursor, (symbol.reference << shift) | bits);
    if symbol.reference == 0 {
        write_counted(cursor, symbol.text.as_bytes());
    }
}

/// Writes one value.
#[inline]
pub(super) fn write<T: StringTable>(cursor: &mut Cursor<'_>, value: &Value<'_>, writing: &mut Writing) {
    match *value {
        Value::Bool(truth) => cursor.byte(if truth { tag::TRUE } else { tag::FALSE }),
        Value::I64(number) => write_integer(cursor, number),
        Value::F64(number) => write_double(cursor, number),
        Value::Str(text) => write_text::<T>(cursor, text, writing),
        _ => write_other::<T>(cursor, value, writing, MAX_VALUE_DEPTH),
    }
}

#[inline(never)]
fn write_integer(cursor: &mut Cursor<'_>, number: i64) {
    cursor.byte(tag::I64);
    write_varint(cursor, zigzag(number));
}

#[inline(never)]
fn write_double(cursor: &mut Cursor<'_>, number: f64) {
    match narrowed(number) {
        Some(bits) => {
            cursor.byte(tag::F32);
            cursor.bytes(&bits.to_le_bytes());
        }
        None => {
            cursor.byte(tag::F64);
            cursor.bytes(&number.to_le_bytes());
        }
    }
}

#[inline(never)]
fn write_text<T: StringTable>(cursor: &mut Cursor<'_>, text: &str, writing: &mut Writing) {
    let clipped = clip(text, writing.value_length);
    let is_clipped = clipped.len() < text.len();
    writing.clipped |= is_clipped;
    let symbol = Symbol::of::<T>(text);
    if symbol.reference == 0 {
        cursor.byte(tag::TEXT);
        write_counted(cursor, clipped.as_bytes());
    } else {
        cursor.byte(if is_clipped { tag::INTERNED_START } else { tag::INTERNED });
        write_varint_u32(cursor, symbol.reference);
        if is_clipped {
            write_varint_u32(cursor, writing.value_length);
        }
    }
}

/// Arrays of one type are written as lists, maps as lists of twice as many values.
#[inline(never)]
fn write_other<T: StringTable>(cursor: &mut Cursor<'_>, value: &Value<'_>, writing: &mut Writing, depth: usize) {
    let (tag, length) = match *value {
        Value::Bytes(bytes) => {
            let clipped = clip_bytes(bytes, writing.value_length);
            writing.clipped |= clipped.len() < bytes.len();
            cursor.byte(tag::BYTES);
            return write_counted(cursor, clipped);
        }
        Value::Bools(items) => (tag::LIST, items.len()),
        Value::I64s(items) => (tag::LIST, items.len()),
        Value::F64s(items) => (tag::LIST, items.len()),
        Value::Strs(items) => (tag::LIST, items.len()),
        Value::List(items) => (tag::LIST, items.len()),
        Value::Map(entries) => (tag::MAP, entries.len()),
        Value::Empty => return cursor.byte(tag::EMPTY),
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Str(_) => return write::<T>(cursor, value, writing),
    };
    let Some(depth) = depth.checked_sub(1) else {
        writing.too_deep = true;
        return;
    };
    cursor.byte(tag);
    write_varint_u32(cursor, u32::try_from(length).unwrap_or(u32::MAX));
    for index in 0..length {
        // Nothing that comes behind what does not fit is looked at.
        if cursor.has_overflowed() {
            return;
        }
        let item = match *value {
            Value::Bools(items) => items.get(index).map(|&item| Value::Bool(item)),
            Value::I64s(items) => items.get(index).map(|&item| Value::I64(item)),
            Value::F64s(items) => items.get(index).map(|&item| Value::F64(item)),
            Value::Strs(items) => items.get(index).map(|&item| Value::Str(item)),
            Value::List(items) => items.get(index).copied(),
            Value::Map(entries) => entries.get(index).map(|(key, item)| {
                // Keys are never cut.
                write_text::<T>(cursor, key, &mut Writing::new(u32::MAX));
                *item
            }),
            _ => None,
        };
        write_other::<T>(cursor, &item.unwrap_or(Value::Empty), writing, depth);
    }
}

/// At most `limit` characters of `text` (OpenTelemetry common, "Attribute Limits": any character counts as 1).
pub(super) fn clip(text: &str, limit: u32) -> &str {
    let mut left = limit;
    for (index, byte) in text.bytes().enumerate() {
        // The second and later bytes of a character begin with the bits 10.
        if byte & 0xc0 != 0x80 {
            if left == 0 {
                return text.get(..index).unwrap_or(text);
            }
            left -= 1;
        }
    }
    text
}

/// The bits of the `f32` that is exactly this number, for zero and the normal ones. By bits, as a chip without a
/// floating-point unit would need a library for more.
#[expect(clippy::cast_possible_truncation, reason = "the bits cut off are known to be zero")]
pub(super) const fn narrowed(number: f64) -> Option<u32> {
    const DROPPED: u32 = 52 - 23;
    let bits = number.to_bits();
    let sign = (bits >> 63 << 31) as u32;
    if bits << 1 == 0 {
        return Some(sign);
    }
    let exponent = (bits >> 52 & 0x7ff) as u32;
    // Exponents are biased by 1,023 in the one, by 127 in the other; 0 and 255 are not normal.
    if exponent <= 1023 - 127 || exponent >= 1023 - 127 + 255 || bits << (64 - DROPPED) != 0 {
        return None;
    }
    let fraction = (bits >> DROPPED & 0x7f_ffff) as u32;
    Some(sign | (exponent - (1023 - 127)) << 23 | fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowed_numbers_are_exactly_the_same() {
        let floats = [3.0e38_f32, f32::MIN_POSITIVE, f32::MAX, 0.1].map(f64::from);
        for number in [0.0, -0.0, 1.0, -21.5].into_iter().chain(floats) {
            let narrow = f32::from_bits(narrowed(number).unwrap());
            assert_eq!(f64::from(narrow).to_bits(), number.to_bits());
        }
        for number in [0.1, 1e39, f64::MAX, 1e-40, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE, 16_777_217.0] {
            assert_eq!(narrowed(number), None, "{number}");
        }
    }

    #[test]
    fn characters_count_not_bytes() {
        assert_eq!(clip("grüße", 4), "grüß");
        assert_eq!((clip("grüße", 5), clip("grüße", u32::MAX), clip("x", 0)), ("grüße", "grüße", ""));
    }
}
