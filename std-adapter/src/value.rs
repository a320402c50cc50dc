//! `ToValue`: what a lazy attribute may compute.

use clewline_core::Value;

/// What [`Span::set_with`](crate::Span::set_with) may be given: everything that is a [`Value`], and texts and bytes that were
/// made for the purpose.
pub trait ToValue {
    /// The value, borrowed.
    fn to_value(&self) -> Value<'_>;
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::Str(self)
    }
}

impl ToValue for std::borrow::Cow<'_, str> {
    fn to_value(&self) -> Value<'_> {
        Value::Str(self)
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

macro_rules! to_value {
    ($($of:ty),*) => {$(
        impl ToValue for $of {
            #[inline]
            fn to_value(&self) -> Value<'_> {
                Value::from(*self)
            }
        }
    )*};
}

to_value!(bool, i64, i32, i16, i8, u32, u16, u8, f64, f32, Value<'_>);
to_value!(&str, &[u8], &[bool], &[i64], &[f64], &[&str], &[Value<'_>], &[(&str, Value<'_>)]);
