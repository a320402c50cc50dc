//! The value of a resource attribute, owned: what a configuration can say, of the types that attributes have.

use std::fmt;

use clewline_core::Value;

/// The value of a resource attribute (`common/README.md`, "Attribute").
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ResourceValue {
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Integer(i64),
    /// A double-precision number.
    Double(f64),
    /// An array of texts.
    Texts(Vec<String>),
    /// An array of booleans.
    Bools(Vec<bool>),
    /// An array of integers.
    Integers(Vec<i64>),
    /// An array of doubles.
    Doubles(Vec<f64>),
}

impl ResourceValue {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An array of values, which must be of one type and no arrays. Without values it is one of texts.
    #[cfg(feature = "serde")]
    pub(crate) fn array(values: Vec<Self>) -> Option<Self> {
        fn all<T>(values: Vec<ResourceValue>, of: fn(ResourceValue) -> Option<T>) -> Option<Vec<T>> {
            values.into_iter().map(of).collect()
        }
        match values.first() {
            Some(Self::Bool(_)) => {
                all(values, |value| if let Self::Bool(value) = value { Some(value) } else { None }).map(Self::Bools)
            }
            Some(Self::Integer(_)) => {
                all(values, |value| if let Self::Integer(value) = value { Some(value) } else { None })
                    .map(Self::Integers)
            }
            Some(Self::Double(_)) => {
                all(values, |value| if let Self::Double(value) = value { Some(value) } else { None }).map(Self::Doubles)
            }
            Some(Self::Text(_)) | None => {
                all(values, |value| if let Self::Text(value) = value { Some(value) } else { None }).map(Self::Texts)
            }
            Some(_) => None,
        }
    }

    /// As core knows it. The texts of an array are borrowed in `texts`.
    pub(crate) fn as_value<'a>(&'a self, texts: &'a [&'a str]) -> Value<'a> {
        match self {
            Self::Text(text) => Value::Str(text),
            Self::Bool(value) => Value::Bool(*value),
            Self::Integer(value) => Value::I64(*value),
            Self::Double(value) => Value::F64(*value),
            Self::Texts(_) => Value::Strs(texts),
            Self::Bools(values) => Value::Bools(values),
            Self::Integers(values) => Value::I64s(values),
            Self::Doubles(values) => Value::F64s(values),
        }
    }

    /// The texts of an array of texts.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for ResourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::Texts(values) => write!(f, "{values:?}"),
            Self::Bools(values) => write!(f, "{values:?}"),
            Self::Integers(values) => write!(f, "{values:?}"),
            Self::Doubles(values) => write!(f, "{values:?}"),
        }
    }
}

macro_rules! from {
    ($($from:ty => |$value:ident| $to:expr;)*) => {$(
        impl From<$from> for ResourceValue {
            fn from($value: $from) -> Self {
                $to
            }
        }
    )*};
}

from! {
    String => |value| Self::Text(value);
    &str => |value| Self::Text(value.to_owned());
    &String => |value| Self::Text(value.clone());
    bool => |value| Self::Bool(value);
    i64 => |value| Self::Integer(value);
    i32 => |value| Self::Integer(value.into());
    u32 => |value| Self::Integer(value.into());
    u16 => |value| Self::Integer(value.into());
    f64 => |value| Self::Double(value);
    Vec<String> => |value| Self::Texts(value);
    Vec<bool> => |value| Self::Bools(value);
    Vec<i64> => |value| Self::Integers(value);
    Vec<f64> => |value| Self::Doubles(value);
}
