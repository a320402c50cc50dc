//! Interned strings: names and keys of a program that leave it as numbers.

/// What stands before each text: its id in two bytes, and its length.
const PREFIX: usize = 3;
/// The most strings of a table. Below this number, an id's upper byte is a control character, which no text holds: so the
/// bytes before a part of a text never look like an id.
const MOST_STRINGS: usize = 0x1fff;

/// A type that stands for a table of strings; made by [`string_table!`](crate::string_table).
pub trait StringTable: 'static {
    /// The table.
    fn strings() -> Strings;
}

/// No table: every text is written out.
impl StringTable for () {
    #[inline]
    fn strings() -> Strings {
        Strings { bytes: &[], count: 0 }
    }
}

/// A table of strings, packed: each behind its id and its length.
///
/// A text is recognised by where it lies in memory, so neither texts are compared nor ids carried around, and every
/// function that takes a `&str` takes an interned one.
#[derive(Clone, Copy, Debug)]
pub struct Strings {
    bytes: &'static [u8],
    count: u16,
}

impl Strings {
    /// For [`string_table!`](crate::string_table) only.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_packed(bytes: &'static [u8], count: usize) -> Self {
        // `pack` has checked the number.
        let [low, high, ..] = count.to_le_bytes();
        Self { bytes, count: u16::from_le_bytes([low, high]) }
    }

    /// How many strings it holds.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count as u32
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The id of a text that lies in this table; `None` for any other text, even an equal one.
    // Inlined, as for a constant text of a constant table the compiler then knows the answer.
    #[inline(always)]
    #[must_use]
    pub fn id_of(&self, text: &str) -> Option<u32> {
        let prefix = text.as_ptr().wrapping_sub(PREFIX);
        let offset = prefix.addr().wrapping_sub(self.bytes.as_ptr().addr());
        let prefix = self.bytes.get(offset..)?.first_chunk::<PREFIX>()?;
        let [low, high, length] = *prefix;
        let id = u16::from_le_bytes([low, high]);
        (id < self.count && usize::from(length) == text.len()).then_some(id.into())
    }

    /// The string with this id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&'static str> {
        self.iter().nth(id as usize)
    }

    /// All strings, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + use<> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let ([_, _, length], behind) = rest.split_first_chunk::<PREFIX>()?;
            let (text, behind) = behind.split_at_checked(usize::from(*length))?;
            rest = behind;
            core::str::from_utf8(text).ok()
        })
    }

    /// A number that tells this table from others (FNV-1a, 32 bits): a build id for programs that have no better one.
    #[must_use]
    pub const fn fingerprint(&self) -> u32 {
        fnv1a(FNV1A_START, self.bytes)
    }
}

/// The hash of no bytes.
pub(crate) const FNV1A_START: u32 = 0x811c_9dc5;

/// Goes on hashing (FNV-1a, 32 bits).
pub(crate) const fn fnv1a(mut hash: u32, bytes: &[u8]) -> u32 {
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    hash
}

/// How many bytes [`pack`] needs.
#[doc(hidden)]
#[must_use]
pub const fn packed_len(texts: &[&str]) -> usize {
    offset_of(texts, texts.len()) - PREFIX
}

/// Where a text begins in the packed table.
const fn offset_of(texts: &[&str], index: usize) -> usize {
    let mut offset = PREFIX;
    let mut before = 0;
    while before < index {
        offset += texts[before].len() + PREFIX;
        before += 1;
    }
    offset
}

/// Packs the texts, at compile time.
///
/// # Panics
/// At compile time, if there are more than 8,191 texts, or one is empty, longer than 255 bytes, or holds a control character.
#[doc(hidden)]
#[must_use]
pub const fn pack<const N: usize>(texts: &[&str]) -> [u8; N] {
    assert!(texts.len() <= MOST_STRINGS, "a string table holds at most 8191 strings");
    let mut bytes = [0; N];
    let mut index = 0;
    while index < texts.len() {
        let text = texts[index].as_bytes();
        assert!(!text.is_empty() && text.len() <= 0xff, "an interned string has 1 to 255 bytes");
        let offset = offset_of(texts, index);
        let [low, high, ..] = index.to_le_bytes();
        bytes[offset - 3] = low;
        bytes[offset - 2] = high;
        bytes[offset - 1] = text.len().to_le_bytes()[0];
        let mut at = 0;
        while at < text.len() {
            assert!(text[at] >= 0x20, "an interned string holds no control characters");
            bytes[offset + at] = text[at];
            at += 1;
        }
        index += 1;
    }
    bytes
}

/// One text, where it lies in the packed table.
///
/// # Panics
/// At compile time, if `bytes` is not what [`pack`] made of `texts`.
#[doc(hidden)]
#[must_use]
pub const fn packed_text(bytes: &'static [u8], texts: &[&str], index: usize) -> &'static str {
    let (_, from) = bytes.split_at(offset_of(texts, index));
    let (text, _) = from.split_at(texts[index].len());
    match core::str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => panic!("made of texts"),
    }
}

/// A text as it leaves: by its id in the table, or written out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    /// 0: written out; else the id and one.
    pub(crate) reference: u32,
    pub(crate) text: &'a str,
}

impl<'a> Symbol<'a> {
    #[inline(always)]
    pub(crate) fn of<T: StringTable>(text: &'a str) -> Self {
        Self { reference: T::strings().id_of(text).map_or(0, |id| id + 1), text }
    }
}

/// Makes a table of interned strings: a type that stands for it, and a `&'static str` constant for each string.
///
/// In [`Compact`](crate::Compact) form, a span refers to these strings by number; everywhere else they are ordinary texts.
/// Put the keys that are used most in front: the first 63 keys and 31 event names take a single byte.
///
/// ```
/// use clewline_core::{StringTable, string_table};
/// string_table! {
///     /// What this firmware records.
///     pub struct Names {
///         /// A reading, in the sensor's own unit.
///         READING = "sensor.reading",
///         READ = "read sensor",
///     }
/// }
/// assert_eq!(Names::READ, "read sensor");
/// assert_eq!(Names::strings().id_of(Names::READ), Some(1));
/// assert_eq!(Names::strings().id_of(&Names::READ[..4]), None);
/// assert_eq!(Names::strings().get(0), Some("sensor.reading"));
/// ```
#[macro_export]
macro_rules! string_table {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($(#[$doc:meta])* $key:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        const _: () = {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms, dead_code)]
            #[repr(usize)]
            enum Index { $($key),+ }
            const TEXTS: &[&str] = &[$($text),+];
            static PACKED: [u8; $crate::packed_len(TEXTS)] = $crate::pack(TEXTS);

            #[allow(dead_code)]
            impl $name {
                $(
                    $(#[$doc])*
                    #[doc = concat!("`", $text, "`")]
                    $visibility const $key: &'static str = $crate::packed_text(&PACKED, TEXTS, Index::$key as usize);
                )+
                /// The table's fingerprint.
                $visibility const FINGERPRINT: u32 = $crate::Strings::from_packed(&PACKED, TEXTS.len()).fingerprint();
            }

            impl $crate::StringTable for $name {
                #[inline(always)]
                fn strings() -> $crate::Strings {
                    $crate::Strings::from_packed(&PACKED, TEXTS.len())
                }
            }
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    string_table! {
        struct Names { A = "aaa", LONG = "a long name with ü", SPACES = "                                        " }
    }

    #[test]
    fn only_a_whole_string_of_the_table_has_an_id() {
        let strings = Names::strings();
        for (id, text) in (0..).zip([Names::A, Names::LONG, Names::SPACES]) {
            assert_eq!(strings.id_of(text), Some(id));
            assert_eq!(strings.get(id), Some(text));
            for start in 0..=text.len() {
                for end in start..=text.len() {
                    if let Some(part) = text.get(start..end).filter(|part| part.len() < text.len()) {
                        assert_eq!(strings.id_of(part), None, "{start}..{end} of {text:?}");
                    }
                }
            }
        }
        let elsewhere = std::string::String::from("aaa");
        assert_eq!(strings.id_of(&elsewhere), None);
        assert_eq!(<()>::strings().id_of(Names::A), None);
        assert_eq!((strings.len(), strings.get(3)), (3, None));
    }

    #[test]
    fn fingerprints_tell_tables_apart() {
        string_table! { struct Other { A = "aaa", LONG = "a long name with u" } }
        assert_eq!(Names::FINGERPRINT, Names::strings().fingerprint());
        assert_ne!(Names::FINGERPRINT, Other::FINGERPRINT);
    }
}
