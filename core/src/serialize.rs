//! Ids and contexts through serde, as texts (feature `serde`): for job queues, tables and log lines.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::traceparent::{self, Traceparent};
use crate::{SpanContext, SpanId, TraceId};

/// Written as the value of a `traceparent` header.
///
/// ```
/// use clewline_core::{SpanContext, traceparent};
/// let context = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// let json = serde_json::to_string(&context).unwrap();
/// assert_eq!(json, r#""00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#);
/// assert_eq!(serde_json::from_str::<SpanContext>(&json).unwrap(), context);
/// ```
impl Serialize for SpanContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Traceparent::new(*self).as_str())
    }
}

/// Read as a `traceparent` header is. What comes out is remote, and what breaks a rule an error that says which.
impl<'de> Deserialize<'de> for SpanContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Header;

        impl Visitor<'_> for Header {
            type Value = SpanContext;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the value of a `traceparent` header")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SpanContext, E> {
                traceparent::parse(text.as_bytes()).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Header)
    }
}

macro_rules! identifier {
    ($name:ident, $expected:literal) => {
        /// Written as lower-case hexadecimal digits.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(core::str::from_utf8(&self.to_hex()).unwrap_or_default())
            }
        }

        /// Read as [`from_hex`](Self::from_hex) reads it.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Digits;

                impl Visitor<'_> for Digits {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        $name::from_hex(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
                    }
                }

                deserializer.deserialize_str(Digits)
            }
        }
    };
}

identifier!(TraceId, "32 hexadecimal digits, not all zero");
identifier!(SpanId, "16 hexadecimal digits, not all zero");

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString as _;

    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

    #[test]
    fn contexts_and_ids_survive_the_round_trip() {
        let context = traceparent::parse(TEXT.as_bytes()).unwrap();
        let whole = (context, context.trace_id(), context.span_id());
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(json, format!(r#"["{TEXT}","0af7651916cd43dd8448eb211c80319c","b7ad6b7169203331"]"#));
        assert_eq!(serde_json::from_str::<(SpanContext, TraceId, SpanId)>(&json).unwrap(), whole);
        // Texts that need unescaping cannot be borrowed.
        let escaped = json.replace("00-", r"\u00300-");
        assert_eq!(serde_json::from_str::<(SpanContext, TraceId, SpanId)>(&escaped).unwrap(), whole);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_and_named() {
        fn error<T: for<'de> Deserialize<'de>>(json: &str) -> std::string::String {
            serde_json::from_str::<T>(json).map(drop).unwrap_err().to_string()
        }
        let forbidden = error::<SpanContext>(&format!(r#""{}""#, TEXT.replacen("00", "ff", 1)));
        assert!(forbidden.starts_with("traceparent: version ff is forbidden"), "{forbidden}");
        assert!(error::<SpanContext>("7").contains("expected the value of a `traceparent` header"));
        for id in ["", "0000000000000000", "b7ad6b716920333", "b7ad6b71692033311", "+7ad6b7169203331"] {
            let refused = error::<SpanId>(&format!(r#""{id}""#));
            assert!(refused.contains("16 hexadecimal digits"), "{refused}");
        }
        assert!(error::<TraceId>(r#""b7ad6b7169203331""#).contains("32 hexadecimal digits"));
    }
}
