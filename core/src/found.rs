//! `FoundStrings`: a program's string table, found in the file that was flashed.

use crate::intern::{FNV1A_START, fnv1a};

/// What stands before each text in a packed table: its id in two bytes, and its length.
const PREFIX: usize = 3;

/// A string table as it lies in a program's image: an ELF file, a raw binary, a dump of flash. No symbol is needed, as a
/// packed table is known by its own form: each text stands behind its id, which counts from 0, and its length.
///
/// For hosts: a chip's frames say the fingerprint of its table as their build id, unless the firmware has another one.
///
/// ```
/// use clewline_core::{FoundStrings, StringTable, string_table};
/// string_table! { struct Names { READING = "sensor.reading", READ = "read sensor" } }
/// # let packed = [b"\x00\x00\x0esensor.reading".as_slice(), b"\x01\x00\x0bread sensor"].concat();
/// # let image = [b"\x7fELF\0\0 code and data \0\0".as_slice(), &packed, b"\0\0 more data"].concat();
/// let table = FoundStrings::find(&image).find_map(|table| table.with_fingerprint(Names::FINGERPRINT)).unwrap();
/// assert_eq!(table.iter().collect::<Vec<_>>(), Names::strings().iter().collect::<Vec<_>>());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundStrings<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> FoundStrings<'a> {
    /// Everything in `image` that has the form of a table. What is longer than a few strings can be nothing else; a table of
    /// one or two is told from chance by [`with_fingerprint`](Self::with_fingerprint).
    pub fn find(image: &'a [u8]) -> impl Iterator<Item = Self> + use<'a> {
        let mut rest = image;
        core::iter::from_fn(move || {
            while !rest.is_empty() {
                let table = Self::at_front(rest);
                rest = rest.get(table.bytes.len().max(1)..).unwrap_or_default();
                if table.count > 0 {
                    return Some(table);
                }
            }
            None
        })
    }

    /// As many strings as follow each other from the first byte on.
    fn at_front(bytes: &'a [u8]) -> Self {
        let mut strings = Packed { rest: bytes, next_id: 0 };
        while strings.next().is_some() {}
        let length = bytes.len() - strings.rest.len();
        Self { bytes: bytes.get(..length).unwrap_or_default(), count: strings.next_id.into() }
    }

    /// The table of this fingerprint that begins here: the whole, or without what stands behind it and only looks like more
    /// strings. `None` if it is another table.
    #[must_use]
    pub fn with_fingerprint(&self, fingerprint: u32) -> Option<Self> {
        let mut strings = Packed { rest: self.bytes, next_id: 0 };
        let mut hash = FNV1A_START;
        let mut read = 0;
        while strings.next().is_some() {
            let end = self.bytes.len() - strings.rest.len();
            hash = fnv1a(hash, self.bytes.get(read..end)?);
            read = end;
            if hash == fingerprint {
                return Some(Self { bytes: self.bytes.get(..end)?, count: strings.next_id.into() });
            }
        }
        None
    }

    /// The number that tells this table from others; see [`Strings::fingerprint`](crate::Strings::fingerprint).
    #[must_use]
    pub const fn fingerprint(&self) -> u32 {
        fnv1a(FNV1A_START, self.bytes)
    }

    /// How many strings it holds; never none.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// All strings, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        Packed { rest: self.bytes, next_id: 0 }
    }
}

/// Packed strings, as long as they are as [`string_table!`](crate::string_table) makes them.
struct Packed<'a> {
    rest: &'a [u8],
    next_id: u16,
}

impl<'a> Iterator for Packed<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let ([low, high, length], behind) = self.rest.split_first_chunk::<PREFIX>()?;
        let (text, behind) = behind.split_at_checked(usize::from(*length))?;
        let is_string = u16::from_le_bytes([*low, *high]) == self.next_id
            && !text.is_empty()
            && text.iter().all(|byte| *byte >= 0x20);
        let text = core::str::from_utf8(text).ok().filter(|_| is_string)?;
        self.next_id = self.next_id.checked_add(1)?;
        self.rest = behind;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StringTable, string_table};
    use std::vec::Vec;

    string_table! { struct Names { A = "a", LONG = "a long name with ü", LAST = "last" } }

    const PACKED: &[u8] = b"\x00\x00\x01a\x01\x00\x13a long name with \xc3\xbc\x02\x00\x04last";

    #[test]
    fn a_table_is_found_wherever_it_lies() {
        for before in [&b""[..], b"\0", b"\0\0", b"\0\0\0\0\0\x07code", b"\x01\0\x01b", b"\0\0\x01x\x05"] {
            for behind in
                [&b""[..], b"\0\0\0", b"\x03\0\xffshort", b"\x03\0\x02\x1fx", b"\x03\0\x02\xc3\x28", b"\x03\0\0"]
            {
                let image = [before, PACKED, behind].concat();
                let found = FoundStrings::find(&image).find(|table| table.len() > 1).unwrap();
                assert_eq!(found.fingerprint(), Names::FINGERPRINT, "{before:?} {behind:?}");
                assert_eq!(found.iter().collect::<Vec<_>>(), Names::strings().iter().collect::<Vec<_>>());
                assert_eq!(found.with_fingerprint(Names::FINGERPRINT), Some(found));
                assert_eq!(found.with_fingerprint(!Names::FINGERPRINT), None);
            }
        }
    }

    #[test]
    fn what_only_looks_like_more_strings_is_cut_off() {
        let image = [PACKED, b"\x03\x00\x04more\x04\x00\x01x"].concat();
        let found = FoundStrings::find(&image).next().unwrap();
        assert_eq!(found.len(), 5);
        let table = found.with_fingerprint(Names::FINGERPRINT).unwrap();
        assert_eq!((table.len(), table.fingerprint()), (3, Names::FINGERPRINT));
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        for image in [&b""[..], b"\0\0", b"\0\0\0\0\0\0", b"\x01\0\x01a", b"\0\0\x05four", b"\0\0\x01\n"] {
            assert_eq!(FoundStrings::find(image).next(), None, "{image:?}");
        }
        // As many as there can be ids.
        let many: Vec<u8> = (0..=u16::MAX).flat_map(|id| [id.to_le_bytes()[0], id.to_le_bytes()[1], 1, b'x']).collect();
        assert_eq!(FoundStrings::find(&many).next().unwrap().len(), 65_535);
    }
}
