//! `tracestate`, both ways, by W3C Trace Context level 2, sections 3.3 and 3.5.
//!
//! [`members`] reads the lines that arrived, [`TraceStateView`] is one text known to be valid, [`TraceState`] owns the
//! joined list and changes it. One malformed member makes the whole list invalid; the `traceparent` beside it stays.
//!
//! Left to us by the specification, and decided so:
//! - A key that arrives twice is passed on as it came: uniqueness is the duty of whoever adds a key (section 3.5), and
//!   nobody has to clean up after others. Reading answers with the first, which is the youngest; changing or removing a
//!   key removes all of its members.
//! - Empty members are not counted towards the 32, because they come from joining lines (section 3.3.2).

use core::fmt;

use super::text::{ListMembers, as_text, cut, cut_text};

mod value;

pub use value::{InlineTraceState, TraceState};

/// The header's name, in lower case as HTTP/2 wants it.
pub const NAME: &str = "tracestate";

/// The longest list that is valid, in members (section 3.3.2.1).
pub const MAX_MEMBERS: usize = 32;

/// The longest key and the longest value, in bytes (section 3.3.2.2).
pub const MAX_LENGTH: usize = 256;

/// Members above this length in bytes go first when the list has to be shortened (section 3.3.3.1).
pub const LARGE_MEMBER: usize = 128;

/// What everybody should at least pass on, in bytes (section 3.3.3.1).
pub const MIN_PASSED_ON: usize = 512;

/// Which rule a `tracestate` list broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceStateError {
    /// More than 32 members (section 3.3.2.1).
    TooManyMembers,
    /// A member without `=` (section 3.3.2.2).
    NoValue,
    /// A key that is empty, does not begin with `a-z` or `0-9`, or has other characters than `a-z0-9_-*/@`
    /// (section 3.3.2.2.1).
    Key,
    /// A key of more than 256 bytes (section 3.3.2.2.1).
    KeyLength,
    /// A value that is empty (section 3.3.2.2.2).
    EmptyValue,
    /// A value with other characters than 0x20 to 0x7E, or with `=` or `,` (section 3.3.2.2.2).
    Value,
    /// A value of more than 256 bytes (section 3.3.2.2.2).
    ValueLength,
    /// A member that is longer than the storage, even alone.
    Full,
}

impl fmt::Display for TraceStateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooManyMembers => "tracestate: more than 32 members",
            Self::NoValue => "tracestate: a member has no '='",
            Self::Key => "tracestate: a key is not a-z or 0-9 followed by a-z, 0-9, '_', '-', '*', '/', '@'",
            Self::KeyLength => "tracestate: a key is longer than 256 bytes",
            Self::EmptyValue => "tracestate: a value is empty",
            Self::Value => "tracestate: a value has a character outside 0x20 to 0x7E, or ',' or '='",
            Self::ValueLength => "tracestate: a value is longer than 256 bytes",
            Self::Full => "tracestate: a member is longer than the storage",
        })
    }
}

impl core::error::Error for TraceStateError {}

/// Reads the list from all the lines of that name that arrived, in order, and checks each member on the way.
///
/// After an error there is nothing more: the list is invalid as a whole.
///
/// ```
/// use clewline_core::tracestate::members;
/// let lines: [&[u8]; 2] = [b"rojo=00f067aa0ba902b7 ,", b"\tcongo=t61rcWkgMzE"];
/// let list: Result<Vec<_>, _> = members(lines).collect();
/// assert_eq!(list.unwrap(), [("rojo", "00f067aa0ba902b7"), ("congo", "t61rcWkgMzE")]);
/// ```
pub fn members<'a, I: IntoIterator<Item = &'a [u8]>>(lines: I) -> Members<'a, I::IntoIter> {
    Members { members: Some(ListMembers::new(lines)), count: 0 }
}

/// Keys and values in the order in which they arrived; made by [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a, I> {
    members: Option<ListMembers<'a, I>>,
    count: usize,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Members<'a, I> {
    type Item = Result<(&'a str, &'a str), TraceStateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.members.as_mut()?.next()?;
        self.count += 1;
        let member = if self.count > MAX_MEMBERS { Err(TraceStateError::TooManyMembers) } else { parse_member(member) };
        if member.is_err() {
            self.members = None;
        }
        Some(member)
    }
}

/// One member without white space around it.
fn parse_member(member: &[u8]) -> Result<(&str, &str), TraceStateError> {
    let text = core::str::from_utf8(member).map_err(|_| not_ascii(member))?;
    let (key, value) = cut_text(text, b'=');
    let value = value.ok_or(TraceStateError::NoValue)?;
    check_key(key)?;
    check_value(value)?;
    Ok((key, value))
}

/// Which half of a member that is not even UTF-8 is to blame.
fn not_ascii(member: &[u8]) -> TraceStateError {
    match cut(member, b'=') {
        (_, None) => TraceStateError::NoValue,
        (key, _) if key.is_ascii() => TraceStateError::Value,
        _ => TraceStateError::Key,
    }
}

fn check_key(key: &str) -> Result<(), TraceStateError> {
    let is_first = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let is_other = |byte: u8| is_first(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    match key.as_bytes() {
        [first, rest @ ..] if is_first(*first) && rest.iter().all(|byte| is_other(*byte)) => {}
        _ => return Err(TraceStateError::Key),
    }
    if key.len() > MAX_LENGTH { Err(TraceStateError::KeyLength) } else { Ok(()) }
}

fn check_value(value: &str) -> Result<(), TraceStateError> {
    let is_character = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    match value.as_bytes() {
        [] => Err(TraceStateError::EmptyValue),
        // A space at the end would be taken for white space after the member.
        [.., b' '] => Err(TraceStateError::Value),
        bytes if !bytes.iter().all(|byte| is_character(*byte)) => Err(TraceStateError::Value),
        bytes if bytes.len() > MAX_LENGTH => Err(TraceStateError::ValueLength),
        _ => Ok(()),
    }
}

/// One text that is known to be a valid list: the header of a request, or a span's `trace_state` field.
///
/// ```
/// use clewline_core::tracestate::TraceStateView;
/// let view = TraceStateView::parse(b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE").unwrap();
/// assert_eq!(view.get("congo"), Some("t61rcWkgMzE"));
/// assert_eq!(view.iter().count(), 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceStateView<'a> {
    list: &'a str,
}

impl<'a> TraceStateView<'a> {
    /// Checks a list that is in one piece. Several lines are joined by [`TraceState::read`].
    ///
    /// # Errors
    /// The first rule that the list breaks.
    pub fn parse(list: &'a [u8]) -> Result<Self, TraceStateError> {
        members([list]).try_for_each(|member| member.map(drop))?;
        // Members are ASCII, and so is what stands between them.
        Ok(Self { list: as_text(list) })
    }

    pub(super) const fn trusted(list: &'a str) -> Self {
        Self { list }
    }

    /// The list as it was given.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.list
    }

    /// Keys and values, the youngest first.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        members([self.list.as_bytes()]).flatten()
    }

    /// The value of `key`; the youngest if it arrived more than once.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn read(lines: &[&str]) -> Result<String, TraceStateError> {
        let list: Result<Vec<_>, _> = members(lines.iter().map(|line| line.as_bytes())).collect();
        Ok(list?.iter().map(|(key, value)| format!("[{key}|{value}]")).collect())
    }

    /// Lines, verdict, and the rule with its place in W3C Trace Context level 2.
    #[test]
    fn specification_table() {
        use TraceStateError as E;
        let table: &[(&[&str], Result<&str, E>)] = &[
            // 3.3.3: the specification's own examples.
            (
                &["vendorname1=opaqueValue1,vendorname2=opaqueValue2"],
                Ok("[vendorname1|opaqueValue1][vendorname2|opaqueValue2]"),
            ),
            (&["rojo=00f067aa0ba902b7"], Ok("[rojo|00f067aa0ba902b7]")),
            (&["congo=ucfJifl5GOE,rojo=00f067aa0ba902b7"], Ok("[congo|ucfJifl5GOE][rojo|00f067aa0ba902b7]")),
            // 3.3.2: several lines are one list, in order; empty headers and members are accepted.
            (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], Ok("[foo|1][bar|2][rojo|1][congo|2][baz|3]")),
            (&[], Ok("")),
            (&[""], Ok("")),
            (&["foo=1", ""], Ok("[foo|1]")),
            (&["", "foo=1"], Ok("[foo|1]")),
            (&["foo=1,", ", ,bar=2,\t"], Ok("[foo|1][bar|2]")),
            // 3.3.2: spaces and tabs around members are ignored.
            (&["foo=1 \t , \t bar=2, \t baz=3"], Ok("[foo|1][bar|2][baz|3]")),
            (&["\t foo=1 \t"], Ok("[foo|1]")),
            (&["foo=1\n"], Err(E::Value)),
            (&["\nfoo=1"], Err(E::Key)),
            // 3.3.2.2: a member is a key, an equals sign and a value.
            (&["foo"], Err(E::NoValue)),
            (&["foo=1,bar"], Err(E::NoValue)),
            (&["foo=1;bar=2"], Err(E::Value)),
            // 3.3.2.2.1: the level 2 grammar of keys; level 1's tenant rules are gone.
            (&["abcdefghijklmnopqrstuvwxyz0123456789_-*/@=1"], Ok("[abcdefghijklmnopqrstuvwxyz0123456789_-*/@|1]")),
            (&["0=1"], Ok("[0|1]")),
            (&["foo@=1,foo@@bar=2,foo@bar@baz=3"], Ok("[foo@|1][foo@@bar|2][foo@bar@baz|3]")),
            (&["@foo=1,bar=2"], Err(E::Key)),
            (&["_foo=1"], Err(E::Key)),
            (&["=1"], Err(E::Key)),
            (&["foo =1"], Err(E::Key)),
            (&["FOO=1"], Err(E::Key)),
            (&["foo.bar=1"], Err(E::Key)),
            (&["föö=1"], Err(E::Key)),
            // 3.3.2.2.2: printable ASCII without ',' and '='; leading spaces belong to the value, trailing ones do not.
            (&["foo=  1  "], Ok("[foo|  1]")),
            (&["foo=a b"], Ok("[foo|a b]")),
            (&["foo=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~"], Ok("[foo|!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~]")),
            (&["foo="], Err(E::EmptyValue)),
            (&["foo=,bar=3"], Err(E::EmptyValue)),
            (&["foo=  "], Err(E::EmptyValue)),
            (&["foo=bar=baz"], Err(E::Value)),
            (&["foo=a\tb"], Err(E::Value)),
            (&["foo=\u{7f}"], Err(E::Value)),
            (&["foo=é"], Err(E::Value)),
            // 3.3.3 and 3.5: duplicates are the sender's fault; they are passed on.
            (&["foo=1,foo=1"], Ok("[foo|1][foo|1]")),
            (&["foo=1", "foo=2"], Ok("[foo|1][foo|2]")),
        ];
        for (lines, verdict) in table {
            assert_eq!(read(lines), verdict.map(String::from), "{lines:?}");
        }
    }

    /// 3.3.2.1 and 3.3.2.2: 32 members, 256 bytes.
    #[test]
    fn limits_are_exact() {
        use TraceStateError as E;
        let list = |count: usize| (0..count).map(|index| format!("k{index}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(members([list(32).as_bytes()]).filter(Result::is_ok).count(), 32);
        assert_eq!(read(&[&list(33)]), Err(E::TooManyMembers));
        assert_eq!(read(&[&list(20), &list(13)]), Err(E::TooManyMembers));
        assert!(read(&[&list(32).replace(',', ", ,")]).is_ok(), "empty members do not count");
        for (length, verdict) in [(256, None), (257, Some(E::KeyLength))] {
            assert_eq!(read(&[&format!("{}=1", "z".repeat(length))]).err(), verdict);
        }
        for (length, verdict) in [(256, None), (257, Some(E::ValueLength))] {
            assert_eq!(read(&[&format!("z={}", "1".repeat(length))]).err(), verdict);
        }
    }

    #[test]
    fn bytes_that_are_no_text_name_the_half_they_stand_in() {
        let error = |member: &[u8]| members([member]).next().and_then(Result::err);
        assert_eq!(error(b"foo=\xff"), Some(TraceStateError::Value));
        assert_eq!(error(b"f\xffo=1"), Some(TraceStateError::Key));
        assert_eq!(error(b"\xff"), Some(TraceStateError::NoValue));
    }

    #[test]
    fn nothing_comes_after_an_error() {
        let list: Vec<_> = members([b"a=1,B=2,c=3" as &[u8]]).collect();
        assert_eq!(list, [Ok(("a", "1")), Err(TraceStateError::Key)]);
    }

    #[test]
    fn a_view_reads_one_text() {
        let view = TraceStateView::parse(b" a=1 ,b=2,a=3").unwrap();
        assert_eq!((view.get("a"), view.get("b"), view.get("c")), (Some("1"), Some("2"), None));
        assert_eq!(TraceStateView::parse(b"a=1,B=2"), Err(TraceStateError::Key));
    }
}
