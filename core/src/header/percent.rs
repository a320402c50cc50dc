//! Percent-encoding (RFC 3986, section 2.1) of UTF-8 text, as baggage values use it.

use core::fmt;

use super::text::pieces;
use crate::hex::{self, Case};
use crate::storage::Cursor;

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    pieces(text, b'%').skip(1).all(|rest| is_digit(rest.as_bytes().first()) && is_digit(rest.as_bytes().get(1)))
}

/// How long `text` becomes if all bytes but those of `is_plain` are encoded.
pub(crate) fn encoded_length(text: &str, is_plain: fn(u8) -> bool) -> usize {
    text.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum()
}

/// Writes `text` with all bytes but those of `is_plain` encoded, in upper-case digits as RFC 3986 asks.
pub(crate) fn encode(text: &str, is_plain: fn(u8) -> bool, cursor: &mut Cursor<'_>) {
    for byte in text.bytes() {
        if is_plain(byte) {
            cursor.byte(byte);
        } else {
            let mut digits = [0; 2];
            hex::encode(&[byte], &mut digits);
            digits.make_ascii_uppercase();
            cursor.byte(b'%');
            cursor.bytes(&digits);
        }
    }
}

/// Percent-encoded text, decoded while it is read.
///
/// Encoded bytes that are not UTF-8 read as U+FFFD, one for each longest beginning of a character (W3C Baggage, section
/// 3.3.1.3, and the Unicode Standard, "U+FFFD Substitution of Maximal Subparts").
#[derive(Clone, Copy)]
pub struct Decoded<'a> {
    text: &'a str,
}

impl<'a> Decoded<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The text as it arrived, still encoded.
    #[must_use]
    pub const fn as_encoded(&self) -> &'a str {
        self.text
    }

    /// The text if nothing is encoded in it.
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a str> {
        if self.text.bytes().any(|byte| byte == b'%') { None } else { Some(self.text) }
    }

    /// The decoded characters.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + use<'a> {
        Chars { bytes: Bytes { text: self.text.as_bytes() } }
    }
}

impl PartialEq<str> for Decoded<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq<&str> for Decoded<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Display for Decoded<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        match self.as_plain() {
            Some(text) => formatter.write_str(text),
            None => self.chars().try_for_each(|character| formatter.write_char(character)),
        }
    }
}

impl fmt::Debug for Decoded<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.text)
    }
}

/// Decoded bytes. A `%` without two digits, which no checked text has, stands for itself.
#[derive(Clone)]
struct Bytes<'a> {
    text: &'a [u8],
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.text.split_first()?;
        self.text = rest;
        if let (b'%', Some((digits, rest))) = (*first, rest.split_first_chunk::<2>())
            && let Some([byte]) = hex::decode::<1>(digits, Case::Any)
        {
            self.text = rest;
            return Some(byte);
        }
        Some(*first)
    }
}

#[derive(Clone)]
struct Chars<'a> {
    bytes: Bytes<'a>,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = self.bytes.next()?;
        // The Unicode Standard, table 3-7: how many bytes follow, the first bits, and what the second byte may be.
        let (following, bits, second) = match first {
            0..=0x7f => return Some(char::from(first)),
            0xc2..=0xdf => (1, first & 0x1f, 0x80..=0xbf),
            0xe0 => (2, first & 0x0f, 0xa0..=0xbf),
            0xe1..=0xec | 0xee..=0xef => (2, first & 0x0f, 0x80..=0xbf),
            0xed => (2, first & 0x0f, 0x80..=0x9f),
            0xf0 => (3, first & 0x07, 0x90..=0xbf),
            0xf1..=0xf3 => (3, first & 0x07, 0x80..=0xbf),
            0xf4 => (3, first & 0x07, 0x80..=0x8f),
            _ => return Some(char::REPLACEMENT_CHARACTER),
        };
        let mut code = u32::from(bits);
        let mut allowed = second;
        for _ in 0..following {
            let mut ahead = self.bytes.clone();
            match ahead.next() {
                Some(byte) if allowed.contains(&byte) => code = code << 6 | u32::from(byte & 0x3f),
                _ => return Some(char::REPLACEMENT_CHARACTER),
            }
            self.bytes = ahead;
            allowed = 0x80..=0xbf;
        }
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    /// All sequences of up to three bytes that matter, against the standard library's reading of the same rule.
    #[test]
    fn what_is_not_utf8_is_replaced_as_the_standard_library_does() {
        let edges = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5,
        ];
        for a in edges {
            for b in edges {
                for c in edges {
                    for d in [0x41, 0x80, 0xc2] {
                        let bytes = [a, b, c, d];
                        let encoded: String = bytes.iter().map(|byte| std::format!("%{byte:02x}")).collect();
                        assert_eq!(Decoded::new(&encoded).to_string(), String::from_utf8_lossy(&bytes), "{bytes:x?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_percent_sign_needs_two_digits() {
        for (text, verdict) in [
            ("", true),
            ("a", true),
            ("%20", true),
            ("%aF", true),
            ("a%20b%2C", true),
            ("%", false),
            ("%2", false),
            ("a%2", false),
            ("%2g", false),
            ("%g2", false),
            ("%%20", false),
            ("%20%", false),
            ("%é", false),
        ] {
            assert_eq!(is_well_formed(text), verdict, "{text}");
        }
    }
}
