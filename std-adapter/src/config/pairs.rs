//! The `key=value,key=value` lists of the environment and their percent-encoding.

use std::fmt;

/// Why a `key=value` list or one member of it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairError {
    /// A member has no `=`.
    MissingEquals,
    /// A member has nothing before its `=`.
    EmptyKey,
    /// A second `=` that is not written `%3D`.
    UnencodedEquals,
    /// A `%` without two hexadecimal digits behind it.
    BadPercent,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingEquals => "a member has no `=`",
            Self::EmptyKey => "a member has an empty key",
            Self::UnencodedEquals => "a `=` inside a value must be written %3D",
            Self::BadPercent => "a `%` is not followed by two hexadecimal digits (write it %25)",
            Self::NotUtf8 => "a percent-encoded value is not UTF-8",
        })
    }
}

/// The members of a comma-separated list, trimmed, without the empty ones.
pub(crate) fn members(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|member| !member.is_empty())
}

/// Splits a member at its first `=` and trims both sides.
pub(crate) fn split(member: &str) -> Result<(&str, &str), PairError> {
    let (key, value) = member.split_once('=').ok_or(PairError::MissingEquals)?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() { Err(PairError::EmptyKey) } else { Ok((key, value)) }
}

/// Reads `OTEL_RESOURCE_ATTRIBUTES`: one error refuses the whole list (`resource/sdk.md`). The last of equal keys wins.
pub(crate) fn resource_attributes(list: &str) -> Result<Vec<(String, String)>, PairError> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for member in members(list) {
        let (key, value) = split(member)?;
        if value.contains('=') {
            return Err(PairError::UnencodedEquals);
        }
        let (key, value) = (percent_decode(key)?, percent_decode(value)?);
        match attributes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => attributes.push((key, value)),
        }
    }
    Ok(attributes)
}

/// Replaces every `%XX` by the byte it stands for; `+` stays a plus sign.
pub(crate) fn percent_decode(text: &str) -> Result<String, PairError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut nibble = || bytes.next().and_then(hex_digit).ok_or(PairError::BadPercent);
        let high = nibble()?;
        decoded.push(high << 4 | nibble()?);
    }
    String::from_utf8(decoded).map_err(|_| PairError::NotUtf8)
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
