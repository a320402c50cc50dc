//! Writes a `Value` as OTLP's `AnyValue`: measure first, then write into reserved memory.

use crate::Value;
use crate::storage::Cursor;
use crate::wire::{self, LENGTH_DELIMITED, VARINT, content_within, field_len, tag, varint_len};

/// How deep lists and maps may nest, counted from the attribute's own value.
///
/// Writing and reading walk nested values by recursion, so the depth is bounded to bound the stack.
pub const MAX_VALUE_DEPTH: usize = 16;

const STRING: u8 = tag(1, LENGTH_DELIMITED);
const BOOL: u8 = tag(2, VARINT);
const INT: u8 = tag(3, VARINT);
const DOUBLE: u8 = tag(4, wire::FIXED64);
pub(crate) const ARRAY: u8 = tag(5, LENGTH_DELIMITED);
pub(crate) const MAP: u8 = tag(6, LENGTH_DELIMITED);
const BYTES: u8 = tag(7, LENGTH_DELIMITED);
pub(crate) const ELEMENT: u8 = tag(1, LENGTH_DELIMITED);
const KEY: u8 = tag(1, LENGTH_DELIMITED);
const VALUE: u8 = tag(2, LENGTH_DELIMITED);

/// How long a truth is as an `AnyValue`.
pub(crate) const BOOL_LEN: usize = 2;
/// How long a floating-point number is as an `AnyValue`.
pub(crate) const DOUBLE_LEN: usize = 1 + 8;

/// The measuring pass: it also notes whether the length limit cut something.
pub(crate) struct Measure {
    pub(crate) value_length: u32,
    pub(crate) clipped: bool,
}

impl Measure {
    /// The encoded length of the `AnyValue`, or `None` if it nests too deep.
    #[inline]
    pub(crate) fn value(&mut self, value: &Value<'_>) -> Option<usize> {
        Some(match *value {
            Value::Empty => 0,
            Value::Bool(_) => BOOL_LEN,
            Value::I64(number) => int_len(number),
            Value::F64(_) => DOUBLE_LEN,
            Value::Str(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            _ => return self.nested(value, MAX_VALUE_DEPTH),
        })
    }

    #[inline]
    fn text(&mut self, text: &str) -> usize {
        let clipped = clip(text, self.value_length);
        self.clipped |= clipped.len() < text.len();
        field_len(clipped.len())
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> usize {
        let clipped = clip_bytes(bytes, self.value_length);
        self.clipped |= clipped.len() < bytes.len();
        field_len(clipped.len())
    }

    #[inline(never)]
    fn nested(&mut self, value: &Value<'_>, depth: usize) -> Option<usize> {
        let content = match *value {
            Value::Bools(_) | Value::I64s(_) | Value::F64s(_) | Value::Strs(_) | Value::List(_) | Value::Map(_)
                if depth == 0 =>
            {
                return None;
            }
            Value::Bools(items) => items.len().saturating_mul(field_len(BOOL_LEN)),
            Value::I64s(items) => sum(items.iter().map(|&item| int_len(item))),
            Value::F64s(items) => items.len().saturating_mul(field_len(DOUBLE_LEN)),
            Value::Strs(items) => sum(items.iter().map(|item| self.text(item))),
            Value::List(items) => {
                let mut sum = 0;
                for item in items {
                    sum = field_len(self.nested(item, depth - 1)?).saturating_add(sum);
                }
                sum
            }
            Value::Map(entries) => {
                let mut sum = 0;
                for (key, item) in entries {
                    let entry = field_len(key.len()).saturating_add(field_len(self.nested(item, depth - 1)?));
                    sum = field_len(entry).saturating_add(sum);
                }
                sum
            }
            _ => return self.value(value),
        };
        Some(field_len(content))
    }
}

/// The length of fields with these contents.
fn sum(contents: impl Iterator<Item = usize>) -> usize {
    contents.fold(0, |sum, content| field_len(content).saturating_add(sum))
}

/// Writes the `AnyValue` that `Measure` measured with the same limit.
#[inline]
pub(crate) fn write(cursor: &mut Cursor<'_>, value: &Value<'_>, value_length: u32) {
    match *value {
        Value::Empty => {}
        Value::Bool(truth) => write_bool(cursor, truth),
        Value::I64(number) => write_int(cursor, number),
        Value::F64(number) => write_double(cursor, number),
        Value::Str(text) => write_text(cursor, clip(text, value_length)),
        Value::Bytes(bytes) => cursor.field(BYTES, clip_bytes(bytes, value_length)),
        _ => write_nested(cursor, value, value_length),
    }
}

/// Writes the field that holds the `AnyValue`: its tag and the length that `Measure` found, and the value.
#[inline]
pub(crate) fn write_field(cursor: &mut Cursor<'_>, field: (u8, usize), value: &Value<'_>, value_length: u32) {
    if let Value::Str(text) = *value {
        write_text_field(cursor, field, clip(text, value_length));
    } else {
        cursor.field_header(field.0, field.1);
        write(cursor, value, value_length);
    }
}

#[inline]
pub(crate) fn write_text_field(cursor: &mut Cursor<'_>, field: (u8, usize), text: &str) {
    cursor.field_headers(field, (STRING, text.len()));
    cursor.bytes(text.as_bytes());
}

#[inline(never)]
fn write_nested(cursor: &mut Cursor<'_>, value: &Value<'_>, value_length: u32) {
    // Measured before, so nothing is cut or refused here that was not already counted.
    let mut measure = Measure { value_length, clipped: false };
    let mut length_of = |value: &Value<'_>| measure.value(value).unwrap_or(0);
    let total = length_of(value);
    match *value {
        Value::Bools(items) => {
            write_items(cursor, total, items, |_| BOOL_LEN, |cursor, &item| write_bool(cursor, item));
        }
        Value::I64s(items) => {
            write_items(cursor, total, items, |&item| int_len(item), |cursor, &item| write_int(cursor, item));
        }
        Value::F64s(items) => {
            write_items(cursor, total, items, |_| DOUBLE_LEN, |cursor, &item| write_double(cursor, item));
        }
        Value::Strs(items) => write_items(
            cursor,
            total,
            items,
            |item| field_len(clip(item, value_length).len()),
            |cursor, item| write_text(cursor, clip(item, value_length)),
        ),
        Value::List(items) => {
            write_items(cursor, total, items, length_of, |cursor, item| write(cursor, item, value_length));
        }
        Value::Map(entries) => {
            cursor.field_header(MAP, content_within(total));
            for (key, item) in entries {
                let length = length_of(item);
                cursor.field_header(ELEMENT, field_len(key.len()) + field_len(length));
                cursor.field(KEY, key.as_bytes());
                cursor.field_header(VALUE, length);
                write(cursor, item, value_length);
            }
        }
        _ => {}
    }
}

fn write_items<T>(
    cursor: &mut Cursor<'_>,
    total: usize,
    items: &[T],
    mut length: impl FnMut(&T) -> usize,
    mut write: impl FnMut(&mut Cursor<'_>, &T),
) {
    cursor.field_header(ARRAY, content_within(total));
    for item in items {
        cursor.field_header(ELEMENT, length(item));
        write(cursor, item);
    }
}

#[inline]
fn write_text(cursor: &mut Cursor<'_>, text: &str) {
    cursor.field(STRING, text.as_bytes());
}

#[inline]
pub(crate) fn write_bool(cursor: &mut Cursor<'_>, truth: bool) {
    cursor.bytes(&[BOOL, truth.into()]);
}

#[inline]
pub(crate) fn int_len(number: i64) -> usize {
    1 + varint_len(number.cast_unsigned())
}

#[inline]
pub(crate) fn write_int(cursor: &mut Cursor<'_>, number: i64) {
    cursor.byte(INT);
    cursor.varint(number.cast_unsigned());
}

#[inline]
pub(crate) fn write_double(cursor: &mut Cursor<'_>, number: f64) {
    let mut field = [DOUBLE; 9];
    if let Some((_, rest)) = field.split_first_mut() {
        rest.copy_from_slice(&number.to_le_bytes());
    }
    cursor.bytes(&field);
}

/// At most `limit` characters of `text` (OpenTelemetry common, "Attribute Limits": any character counts as 1).
#[inline]
pub(crate) fn clip(text: &str, limit: u32) -> &str {
    if text.len() <= limit as usize { text } else { clip_long(text, limit as usize) }
}

#[cold]
fn clip_long(text: &str, limit: usize) -> &str {
    match text.char_indices().nth(limit) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[inline]
pub(crate) fn clip_bytes(bytes: &[u8], limit: u32) -> &[u8] {
    bytes.get(..limit as usize).unwrap_or(bytes)
}

/// The longest beginning of `text` that takes at most `bytes` bytes and ends between two characters.
pub(crate) fn fit(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage, append};

    #[test]
    fn measured_length_is_the_written_length() {
        let deep = [Value::Map(&[("k", Value::Strs(&["a", "ßß"])), ("e", Value::Empty)]), Value::Bytes(&[0; 200])];
        let values = [
            Value::Bool(false),
            Value::I64(-1),
            Value::I64(127),
            Value::F64(f64::NAN),
            Value::Str("grün"),
            Value::Bools(&[true; 70]),
            Value::I64s(&[i64::MIN, 0]),
            Value::F64s(&[]),
            Value::List(&deep),
        ];
        for value_length in [u32::MAX, 1] {
            for value in &values {
                let mut storage = heapless::Vec::<u8, 512>::new();
                let length = Measure { value_length, clipped: false }.value(value).unwrap();
                assert!(append(storage.view_mut(), 512, |cursor| write(cursor, value, value_length)), "{value:?}");
                assert_eq!(storage.len(), length, "{value:?}");
            }
        }
    }

    #[test]
    fn too_deep_is_refused() {
        let mut value = Value::I64(1);
        let mut levels = [[Value::Empty]; MAX_VALUE_DEPTH + 1];
        let mut lists = levels.iter_mut();
        for _ in 0..MAX_VALUE_DEPTH {
            let list = lists.next().unwrap();
            list[0] = value;
            value = Value::List(list);
        }
        let mut measure = Measure { value_length: u32::MAX, clipped: false };
        assert!(measure.value(&value).is_some());
        let list = lists.next().unwrap();
        list[0] = value;
        assert_eq!(measure.value(&Value::List(list)), None);
    }

    /// An array of one type is a level like any other: the reader counts it too.
    #[test]
    fn an_array_within_the_deepest_list_is_refused() {
        for array in [Value::Bools(&[]), Value::I64s(&[1]), Value::F64s(&[]), Value::Strs(&["a"])] {
            let mut levels = [[array]; MAX_VALUE_DEPTH];
            let mut value = array;
            let mut measure = Measure { value_length: u32::MAX, clipped: false };
            for list in &mut levels {
                assert!(measure.value(&value).is_some());
                list[0] = value;
                value = Value::List(list);
            }
            assert_eq!(measure.value(&value), None, "an array around which there are MAX_VALUE_DEPTH lists");
        }
    }

    #[test]
    fn characters_count_not_bytes() {
        assert_eq!(clip("grüße", 4), "grüß");
        assert_eq!(clip("grüße", 5), "grüße");
        assert_eq!(fit("grüße", 3), "gr");
        assert_eq!(fit("grüße", 4), "grü");
    }
}
