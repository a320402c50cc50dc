//! What all headers share: white space, lists over several lines, and short texts of fixed capacity.

use core::fmt;

/// Strips the optional white space of RFC 9110, section 5.6.3: space and tab only.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// What stands before the first `delimiter`, and what stands behind it; all and `None` if there is none.
pub(crate) fn cut(value: &[u8], delimiter: u8) -> (&[u8], Option<&[u8]>) {
    let position = value.iter().position(|byte| *byte == delimiter);
    match position.and_then(|position| value.split_at_checked(position)) {
        Some((head, [_, tail @ ..])) => (head, Some(tail)),
        _ => (value, None),
    }
}

/// Bytes that were checked to be ASCII, as text. They are checked once more, which costs less than a proof would.
pub(crate) fn as_text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// Like [`cut`], for text and an ASCII delimiter. (The searches of `str` can panic as far as the linker knows.)
pub(crate) fn cut_text(text: &str, delimiter: u8) -> (&str, Option<&str>) {
    let position = text.bytes().position(|byte| byte == delimiter);
    match position.and_then(|position| text.split_at_checked(position)) {
        Some((head, tail)) => (head, tail.get(1..)),
        None => (text, None),
    }
}

/// What stands between the `delimiter`s: one piece more than there are of them.
pub(crate) fn pieces(text: &str, delimiter: u8) -> impl Iterator<Item = &str> + Clone {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let (piece, tail) = cut_text(rest?, delimiter);
        rest = tail;
        Some(piece)
    })
}

/// Copies `source` to the front of `target`, as much of it as there is room for.
pub(crate) fn copy(source: &[u8], target: &mut [u8]) {
    for (to, from) in target.iter_mut().zip(source) {
        *to = *from;
    }
}

/// A character of a token (RFC 9110, section 5.6.2).
pub(crate) const fn is_token_character(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'z' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z'
    )
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_character(*byte))
}

/// The members of one comma-separated list that arrived in several lines (RFC 9110, sections 5.3 and 5.6.1): in order,
/// without the white space around them, empty ones left out.
#[derive(Clone, Debug)]
pub(crate) struct ListMembers<'a, I> {
    lines: I,
    rest: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a [u8]>> ListMembers<'a, I> {
    pub(crate) fn new(lines: impl IntoIterator<IntoIter = I>) -> Self {
        Self { lines: lines.into_iter(), rest: &[] }
    }
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for ListMembers<'a, I> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if self.rest.is_empty() {
                self.rest = self.lines.next()?;
            }
            let (member, rest) = cut(self.rest, b',');
            self.rest = rest.unwrap_or_default();
            let member = trim(member);
            if !member.is_empty() {
                return Some(member);
            }
        }
    }
}

/// A header's value, written out: ASCII of at most `N` bytes, without an allocator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderText<const N: usize> {
    bytes: [u8; N],
    length: u16,
}

impl<const N: usize> HeaderText<N> {
    /// Joins `parts`; `None` if they are longer than `N` together, or not ASCII.
    #[inline]
    pub(crate) fn join(parts: &[&[u8]]) -> Option<Self> {
        let mut text = Self::EMPTY;
        parts.iter().try_for_each(|part| text.push(part))?;
        Some(text)
    }

    /// Joins parts that the caller knows to fit. (If it were wrong the text would be empty, which no header allows.)
    #[inline]
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self::join(parts).unwrap_or(Self::EMPTY)
    }

    pub(crate) const EMPTY: Self = {
        assert!(N <= 512, "short texts only: the length is kept in two bytes");
        Self { bytes: [0; N], length: 0 }
    };

    /// Adds `part`; `None`, and nothing is added, if it does not fit or is not ASCII.
    #[inline]
    pub(crate) fn push(&mut self, part: &[u8]) -> Option<()> {
        let start = usize::from(self.length);
        let end = start.checked_add(part.len())?;
        if !part.is_ascii() {
            return None;
        }
        copy(part, self.bytes.get_mut(start..end)?);
        self.length = u16::try_from(end).ok()?;
        Some(())
    }

    /// The value as text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        as_text(self.as_bytes())
    }

    /// The value as bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl<const N: usize> AsRef<str> for HeaderText<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Display for HeaderText<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for HeaderText<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn several_lines_are_one_list() {
        let members = |lines: &[&'static [u8]]| ListMembers::new(lines.iter().copied()).collect::<Vec<_>>();
        assert_eq!(members(&[b"a, b\t,c", b"", b" d ", b" \t,,", b"e,"]), [b"a", b"b", b"c", b"d", b"e"]);
        assert!(members(&[]).is_empty());
        assert!(members(&[b"", b",", b" "]).is_empty());
    }

    /// RFC 9110, section 5.6.2, lists the characters.
    #[test]
    fn token_characters_are_those_of_the_rfc() {
        for byte in 0..=255u8 {
            let listed = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token_character(byte), listed, "{byte:#x}");
        }
    }

    #[test]
    fn a_text_takes_what_fits_and_only_ascii() {
        let mut text = HeaderText::<4>::EMPTY;
        assert!(text.push(b"abc").is_some());
        assert!(text.push(b"de").is_none());
        assert!(text.push("é".as_bytes()).is_none());
        assert!(text.push(&[0xc3]).is_none());
        assert!(text.push(b"d").is_some());
        assert_eq!(text.as_str(), "abcd");
    }
}
