//! `Value`: what an attribute can hold while it is being written.

/// An attribute value of any type that OTLP knows (OpenTelemetry common, "AnyValue").
///
/// Borrowed, so that a nested value needs no allocator:
///
/// ```
/// use clewline_core::Value;
/// let items = [Value::from("book"), Value::from(2_i64)];
/// let order = [("id", Value::from(17_i64)), ("items", Value::List(&items))];
/// let value = Value::Map(&order);
/// # let _ = value;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// No value; OTLP's `AnyValue` with nothing set.
    Empty,
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    I64(i64),
    /// A double-precision number.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An array of booleans.
    Bools(&'a [bool]),
    /// An array of integers.
    I64s(&'a [i64]),
    /// An array of doubles.
    F64s(&'a [f64]),
    /// An array of texts.
    Strs(&'a [&'a str]),
    /// An array of any values.
    List(&'a [Value<'a>]),
    /// A map; the caller sees to it that keys are unique.
    Map(&'a [(&'a str, Value<'a>)]),
}

macro_rules! value_from {
    ($($from:ty => |$value:ident| $to:expr;)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            #[inline]
            fn from($value: $from) -> Self {
                $to
            }
        }
    )*};
}

value_from! {
    bool => |value| Value::Bool(value);
    i64 => |value| Value::I64(value);
    i32 => |value| Value::I64(value.into());
    i16 => |value| Value::I64(value.into());
    i8 => |value| Value::I64(value.into());
    u32 => |value| Value::I64(value.into());
    u16 => |value| Value::I64(value.into());
    u8 => |value| Value::I64(value.into());
    f64 => |value| Value::F64(value);
    f32 => |value| Value::F64(value.into());
    &'a str => |value| Value::Str(value);
    &'a [u8] => |value| Value::Bytes(value);
    &'a [bool] => |value| Value::Bools(value);
    &'a [i64] => |value| Value::I64s(value);
    &'a [f64] => |value| Value::F64s(value);
    &'a [&'a str] => |value| Value::Strs(value);
    &'a [Value<'a>] => |value| Value::List(value);
    &'a [(&'a str, Value<'a>)] => |value| Value::Map(value);
}

/// One attribute: a key, which is not empty, and its value.
pub type Attribute<'a> = (&'a str, Value<'a>);
