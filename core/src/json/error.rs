//! Why JSON is not an OTLP request, and where.

use core::fmt;

/// What was wrong with a JSON request, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What was wrong.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start of the input: at the value, character or end that is at fault.
    pub offset: usize,
}

/// What can be wrong with a JSON request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The input ends within a value.
    UnexpectedEnd,
    /// Neither a value nor the end of an empty array.
    NoValue,
    /// Neither a member's name in quotes nor the end of an empty object.
    NoName,
    /// No colon behind a member's name.
    NoColon,
    /// Neither a comma nor the closing bracket behind an element or member.
    NoComma,
    /// A number that JSON does not know, such as `01`, `+1` or `.5`.
    InvalidNumber,
    /// A number whose magnitude no double can hold.
    NumberTooLarge,
    /// A control character in a text, which JSON wants escaped.
    ControlCharacter,
    /// A backslash before something that JSON does not define.
    InvalidEscape,
    /// Half of a pair of UTF-16 surrogates, which stands for no character.
    LoneSurrogate,
    /// A text that is not UTF-8.
    NotUtf8,
    /// Something other than white space behind the request.
    TrailingCharacters,
    /// Values nested deeper than [`MAX_VALUE_DEPTH`](crate::MAX_VALUE_DEPTH), or unknown members deeper than 128 levels.
    TooDeep,
    /// A value of another type than the member has, or outside its range; the text says what belongs there.
    Expected(&'static str),
    /// A text in a bytes member that is not base64.
    NotBase64,
    /// A member that stands twice in one object.
    DuplicateMember,
    /// A value with more than one member that says its type.
    SeveralTypes,
    /// The protobuf message does not fit into the storage.
    StorageFull,
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnexpectedEnd => "the input ends within a value",
            Self::NoValue => "a value should stand here",
            Self::NoName => "the name of a member should stand here",
            Self::NoColon => "a colon should stand behind the name of a member",
            Self::NoComma => "a comma or a closing bracket should stand here",
            Self::InvalidNumber => "this is no number in JSON",
            Self::NumberTooLarge => "the number is too large",
            Self::ControlCharacter => "a control character in a text must be escaped",
            Self::InvalidEscape => "the escape is not defined in JSON",
            Self::LoneSurrogate => "the escape is half of a pair of surrogates",
            Self::NotUtf8 => "the text is not UTF-8",
            Self::TrailingCharacters => "something stands behind the request",
            Self::TooDeep => "values are nested too deep",
            Self::Expected(what) => return write!(formatter, "expected {what}"),
            Self::NotBase64 => "the text is not base64",
            Self::DuplicateMember => "the member stands twice in its object",
            Self::SeveralTypes => "a value has more than one type",
            Self::StorageFull => "the request does not fit into the storage",
        })
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (at byte {})", self.kind, self.offset)
    }
}

impl core::error::Error for JsonError {}
