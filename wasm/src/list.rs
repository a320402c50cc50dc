//! Reads the lists that JavaScript writes into the scratch buffer: attributes of an event, a link or the resource, and arrays.
//!
//! An entry is `tag u8, key length u16, value length u16, key, value`, little-endian; see `js/wasm-exports.d.ts`.

use clewline_core::{Attribute, Value};
use heapless::Vec;

/// The longest array that an attribute takes.
const ELEMENTS: usize = 256;

/// The tag of an array, whose value is a list.
const ARRAY: u8 = 5;

/// One entry, not yet understood.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    tag: u8,
    pub(crate) key: &'a str,
    value: &'a [u8],
}

/// The entries of a list; ends at the first that is malformed.
pub(crate) struct List<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for List<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (&[tag, k0, k1, v0, v1], rest) = self.0.split_first_chunk::<5>()?;
        let (key, rest) = rest.split_at_checked(u16::from_le_bytes([k0, k1]).into())?;
        let (value, rest) = rest.split_at_checked(u16::from_le_bytes([v0, v1]).into())?;
        self.0 = rest;
        Some(Entry { tag, key: core::str::from_utf8(key).ok()?, value })
    }
}

impl<'a> Entry<'a> {
    /// Whether the value is an array.
    pub(crate) fn is_array(&self) -> bool {
        self.tag == ARRAY
    }

    /// The elements of an array that are scalars; none of any other value.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        List(if self.is_array() { self.value } else { &[] }).filter_map(|entry| entry.scalar())
    }

    /// Key and value, unless the value is an array or has no OTLP form.
    pub(crate) fn as_attribute(&self) -> Option<Attribute<'a>> {
        Some((self.key, self.scalar()?))
    }

    /// Hands key and value to `take`. A value without an OTLP form comes with an empty key, which core refuses and counts.
    pub(crate) fn visit(self, take: impl FnOnce(&str, Value<'_>)) {
        if self.is_array() {
            visit_array(self.value, |array| match array {
                Some(array) => take(self.key, array),
                None => take("", Value::Empty),
            });
        } else {
            match self.scalar() {
                Some(value) => take(self.key, value),
                None => take("", Value::Empty),
            }
        }
    }

    fn scalar(&self) -> Option<Value<'a>> {
        Some(match self.tag {
            0 => Value::Empty,
            1 => Value::Str(core::str::from_utf8(self.value).ok()?),
            2 => Value::I64(integer(f64::from_le_bytes(self.value.try_into().ok()?))),
            3 => Value::F64(f64::from_le_bytes(self.value.try_into().ok()?)),
            4 => Value::Bool(*self.value.first()? != 0),
            _ => return None,
        })
    }
}

/// Hands the list as an array value to `take`; `None` if it is too long or holds something that is no scalar.
pub(crate) fn visit_array(list: &[u8], take: impl FnOnce(Option<Value<'_>>)) {
    let mut elements = Vec::<Value<'_>, ELEMENTS>::new();
    let whole = List(list).all(|entry| entry.scalar().is_some_and(|value| elements.push(value).is_ok()));
    take(if whole { Some(Value::List(&elements)) } else { None });
}

/// A number that JavaScript found to be a safe integer.
#[expect(clippy::cast_possible_truncation, reason = "what is no integer saturates, by the definition of `as`")]
pub(crate) fn integer(number: f64) -> i64 {
    number as i64
}
