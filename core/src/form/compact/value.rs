//! Writes a `Value` in compact form: measure first, then write into reserved memory.

use super::tag;
use crate::form::value::{clip, clip_bytes};
use crate::intern::{StringTable, Symbol};
use crate::postcard::{write_varint, write_varint_u32, zigzag};
use crate::storage::Cursor;
use crate::wire::varint_len;
use crate::{MAX_VALUE_DEPTH, Value};

/// No scalar takes more than its type and a varint of 64 bits.
pub(super) const MOST_OF_SCALAR: usize = 1 + 10;

/// The measuring pass: it also notes whether the length limit cut something.
pub(super) struct Measure {
    pub(super) value_length: u32,
    pub(super) clipped: bool,
}

impl Measure {
    /// At least the encoded length of a scalar, cheaply; the exact length of anything else; `None` if it nests too deep.
    #[inline]
    pub(super) fn bound<T: StringTable>(&mut self, value: &Value<'_>) -> Option<usize> {
        match value {
            Value::Empty | Value::Bool(_) | Value::I64(_) | Value::F64(_) => Some(MOST_OF_SCALAR),
            _ => self.exact::<T>(value, MAX_VALUE_DEPTH),
        }
    }

    /// The encoded length, or `None` if the value nests too deep.
    #[inline(never)]
    pub(super) fn exact<T: StringTable>(&mut self, value: &Value<'_>, depth: usize) -> Option<usize> {
        let is_nested = matches!(
            value,
            Value::Bools(_) | Value::I64s(_) | Value::F64s(_) | Value::Strs(_) | Value::List(_) | Value::Map(_)
        );
        if is_nested && depth == 0 {
            return None;
        }
        let content = match *value {
            Value::Empty | Value::Bool(_) => 0,
            Value::I64(number) => varint_len(zigzag(number)),
            Value::F64(number) => narrowed(number).map_or(8, |_| 4),
            Value::Str(text) => {
                let clipped = self.text(text);
                match Symbol::of::<T>(clipped) {
                    Symbol { reference: 0, .. } => counted(clipped.len()),
                    symbol => varint_len(symbol.reference.into()),
                }
            }
            Value::Bytes(bytes) => {
                let clipped = clip_bytes(bytes, self.value_length);
                self.clipped |= clipped.len() < bytes.len();
                counted(clipped.len())
            }
            Value::Bools(items) => counted(items.len()),
            Value::I64s(items) => {
                let numbers = items.iter().map(|&item| varint_len(zigzag(item)));
                numbers.fold(varint_len(items.len() as u64), usize::saturating_add)
            }
            Value::F64s(items) => items.len().saturating_mul(8).saturating_add(varint_len(items.len() as u64)),
            Value::Strs(items) => {
                let texts = items.iter().map(|item| symbol_len(&Symbol::of::<T>(self.text(item))));
                texts.fold(varint_len(items.len() as u64), usize::saturating_add)
            }
            Value::List(items) => {
                let mut sum = varint_len(items.len() as u64);
                for item in items {
                    sum = self.exact::<T>(item, depth - 1)?.saturating_add(sum);
                }
                sum
            }
            Value::Map(entries) => {
                let mut sum = varint_len(entries.len() as u64);
                for (key, item) in entries {
                    sum = symbol_len(&Symbol::of::<T>(key)).saturating_add(sum);
                    sum = self.exact::<T>(item, depth - 1)?.saturating_add(sum);
                }
                sum
            }
        };
        Some(content.saturating_add(1))
    }

    fn text<'a>(&mut self, text: &'a str) -> &'a str {
        let clipped = clip(text, self.value_length);
        self.clipped |= clipped.len() < text.len();
        clipped
    }
}

/// Bytes behind their length.
fn counted(length: usize) -> usize {
    length.saturating_add(varint_len(length as u64))
}

/// A text as a reference of its own.
pub(super) fn symbol_len(symbol: &Symbol<'_>) -> usize {
    varint_len(symbol.reference.into()) + symbol.literal_len()
}

/// Writes bytes behind their length.
pub(super) fn write_counted(cursor: &mut Cursor<'_>, bytes: &[u8]) {
    write_varint(cursor, bytes.len() as u64);
    cursor.bytes(bytes);
}

/// Writes a text's reference with `bits` behind it, and the text itself if it is not interned.
#[inline]
pub(super) fn write_symbol(cursor: &mut Cursor<'_>, symbol: &Symbol<'_>, shift: u32, bits: u32) {
    write_varint_u32(cursor, (symbol.reference << shift) | bits);
    if symbol.reference == 0 {
        write_counted(cursor, symbol.text.as_bytes());
    }
}

/// Writes the value that was measured with the same limit.
#[inline]
pub(super) fn write<T: StringTable>(cursor: &mut Cursor<'_>, value: &Value<'_>, value_length: u32) {
    match *value {
        Value::Bool(truth) => cursor.byte(if truth { tag::TRUE } else { tag::FALSE }),
        Value::I64(number) => {
            cursor.byte(tag::I64);
            write_varint(cursor, zigzag(number));
        }
        _ => write_other::<T>(cursor, value, value_length),
    }
}

#[inline(never)]
fn write_other<T: StringTable>(cursor: &mut Cursor<'_>, value: &Value<'_>, value_length: u32) {
    match *value {
        Value::Empty => cursor.byte(tag::EMPTY),
        Value::Bool(_) | Value::I64(_) => write::<T>(cursor, value, value_length),
        Value::F64(number) => match narrowed(number) {
            Some(bits) => {
                cursor.byte(tag::F32);
                cursor.bytes(&bits.to_le_bytes());
            }
            None => {
                cursor.byte(tag::F64);
                cursor.bytes(&number.to_le_bytes());
            }
        },
        Value::Str(text) => {
            let text = clip(text, value_length);
            match Symbol::of::<T>(text) {
                Symbol { reference: 0, .. } => {
                    cursor.byte(tag::TEXT);
                    write_counted(cursor, text.as_bytes());
                }
                symbol => {
                    cursor.byte(tag::INTERNED);
                    write_varint_u32(cursor, symbol.reference);
                }
            }
        }
        Value::Bytes(bytes) => {
            cursor.byte(tag::BYTES);
            write_counted(cursor, clip_bytes(bytes, value_length));
        }
        Value::Bools(items) => {
            write_items(cursor, tag::BOOLS, items, |cursor, &item| cursor.byte(item.into()));
        }
        Value::I64s(items) => {
            write_items(cursor, tag::I64S, items, |cursor, &item| write_varint(cursor, zigzag(item)));
        }
        Value::F64s(items) => {
            write_items(cursor, tag::F64S, items, |cursor, item| cursor.bytes(&item.to_le_bytes()));
        }
        Value::Strs(items) => write_items(cursor, tag::STRS, items, |cursor, item| {
            write_symbol(cursor, &Symbol::of::<T>(clip(item, value_length)), 0, 0);
        }),
        Value::List(items) => {
            write_items(cursor, tag::LIST, items, |cursor, item| write::<T>(cursor, item, value_length));
        }
        Value::Map(entries) => write_items(cursor, tag::MAP, entries, |cursor, (key, item)| {
            write_symbol(cursor, &Symbol::of::<T>(key), 0, 0);
            write::<T>(cursor, item, value_length);
        }),
    }
}

fn write_items<I>(cursor: &mut Cursor<'_>, tag: u8, items: &[I], mut write: impl FnMut(&mut Cursor<'_>, &I)) {
    cursor.byte(tag);
    write_varint(cursor, items.len() as u64);
    for item in items {
        write(cursor, item);
    }
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
    use crate::storage::{Storage, append};

    #[test]
    fn narrowed_numbers_are_exactly_the_same() {
        for number in [
            0.0,
            -0.0,
            1.0,
            -21.5,
            f64::from(3.0e38_f32),
            f32::MIN_POSITIVE.into(),
            f32::MAX.into(),
            f64::from(0.1_f32),
        ] {
            let narrow = f32::from_bits(narrowed(number).unwrap());
            assert_eq!(f64::from(narrow).to_bits(), number.to_bits());
        }
        for number in [0.1, 1e39, f64::MAX, 1e-40, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE, 16_777_217.0] {
            assert_eq!(narrowed(number), None, "{number}");
        }
    }

    #[test]
    fn measured_length_is_the_written_length() {
        let deep = [Value::Map(&[("k", Value::Strs(&["a", "ßß"])), ("e", Value::Empty)]), Value::Bytes(&[0; 200])];
        let values = [
            Value::Bool(false),
            Value::I64(-65),
            Value::I64(i64::MIN),
            Value::F64(f64::NAN),
            Value::F64(0.5),
            Value::Str("grün"),
            Value::Bools(&[true; 70]),
            Value::I64s(&[i64::MIN, 0]),
            Value::F64s(&[1.0]),
            Value::List(&deep),
        ];
        for value_length in [u32::MAX, 1] {
            for value in &values {
                let mut storage = heapless::Vec::<u8, 512>::new();
                let mut measure = Measure { value_length, clipped: false };
                let length = measure.exact::<()>(value, MAX_VALUE_DEPTH).unwrap();
                assert!(append(storage.view_mut(), 512, |cursor| write::<()>(cursor, value, value_length)));
                assert_eq!(storage.len(), length, "{value:?}");
                assert!(measure.bound::<()>(value).unwrap() >= length);
            }
        }
    }
}
