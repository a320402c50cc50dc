//! `StringsMessage`: the table of interned strings, in parts that fit a frame.

use crate::Strings;
use crate::postcard::{CompactError, Reader, write_varint_u32};
use crate::storage::{Storage, append};
use crate::wire::varint_len;

/// Some strings of the table, in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StringsMessage<'a> {
    /// How many strings the whole table has.
    pub total: u32,
    /// The id of the first one in here.
    pub first: u32,
    /// The strings, each behind its length.
    pub(super) texts: &'a [u8],
}

impl<'a> StringsMessage<'a> {
    /// The strings in here with their ids.
    ///
    /// # Errors
    /// The first string that is not whole, or not UTF-8; nothing comes behind it.
    pub fn iter(&self) -> impl Iterator<Item = Result<(u32, &'a str), CompactError>> + use<'a> {
        let mut reader = Reader::new(self.texts);
        let mut id = self.first;
        core::iter::from_fn(move || {
            if reader.rest().is_empty() {
                return None;
            }
            let text = reader.text();
            if text.is_err() {
                reader = Reader::new(&[]);
            }
            let this = id;
            id = id.saturating_add(1);
            Some(text.map(|text| (this, text)))
        })
    }
}

/// Cuts a string table into messages whose strings take at most `N` bytes each.
///
/// ```
/// use clewline_core::{StringTable, frame::StringsChunk, string_table};
/// string_table! { struct Names { READ = "read sensor", UNIT = "sensor.unit" } }
/// let mut chunk = StringsChunk::<16>::new();
/// assert_eq!(chunk.fill(&Names::strings(), 0), Some(1));
/// assert_eq!(chunk.message().iter().next(), Some(Ok((0, "read sensor"))));
/// assert_eq!(chunk.fill(&Names::strings(), 1), Some(2));
/// assert_eq!(chunk.fill(&Names::strings(), 2), None);
/// ```
#[derive(Debug)]
pub struct StringsChunk<const N: usize> {
    texts: heapless::Vec<u8, N>,
    total: u32,
    first: u32,
}

impl<const N: usize> StringsChunk<N> {
    /// An empty chunk.
    #[must_use]
    pub const fn new() -> Self {
        Self { texts: heapless::Vec::new(), total: 0, first: 0 }
    }

    /// Takes the strings from id `first` on, as many as fit, and answers with the id to go on with; `None` if there are no
    /// more. A single string that does not fit is sent as an empty one.
    pub fn fill(&mut self, table: &Strings, first: u32) -> Option<u32> {
        self.texts.clear();
        self.total = table.len();
        self.first = first;
        let mut next = first;
        for text in table.iter().skip(first as usize) {
            if !self.push(text) {
                if next == first && self.push("") {
                    next += 1;
                }
                break;
            }
            next += 1;
        }
        (next > first).then_some(next)
    }

    fn push(&mut self, text: &str) -> bool {
        append(self.texts.view_mut(), varint_len(text.len() as u64) + text.len(), |cursor| {
            // A string of a table has at most 255 bytes.
            write_varint_u32(cursor, u32::try_from(text.len()).unwrap_or(u32::MAX));
            cursor.bytes(text.as_bytes());
        })
    }

    /// The message that was filled.
    #[must_use]
    pub fn message(&self) -> StringsMessage<'_> {
        StringsMessage { total: self.total, first: self.first, texts: &self.texts }
    }
}

impl<const N: usize> Default for StringsChunk<N> {
    fn default() -> Self {
        Self::new()
    }
}
