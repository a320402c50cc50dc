//! Attributes and their values in OTLP/JSON, where exactly one member of a value says its type.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::scalar::{Base64, Double, Integer, Text, nullable, object, objects};

/// `KeyValue`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KeyValue<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) key: Text<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub(super) value: Option<AnyValue<'a>>,
}

/// `AnyValue`. A member that is `null` counts as absent, so `{"doubleValue":null}`, which is how `JSON.stringify`
/// spells every number that is not finite, is the empty value.
#[derive(Debug, Default)]
pub(super) enum AnyValue<'a> {
    #[default]
    Empty,
    String(Text<'a>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Vec<Option<AnyValue<'a>>>),
    KeyValueList(Vec<KeyValue<'a>>),
    Bytes(Vec<u8>),
}

/// `ArrayValue`.
#[derive(Deserialize)]
struct ArrayValue<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    values: Vec<Option<AnyValue<'a>>>,
}

/// `KeyValueList`.
#[derive(Deserialize)]
struct KeyValueList<'a> {
    #[serde(borrow, default, deserialize_with = "objects")]
    values: Vec<KeyValue<'a>>,
}

/// A message that may be `null`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Message<T>(#[serde(deserialize_with = "object")] Option<T>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyValueVisitor)
    }
}

struct AnyValueVisitor;

impl<'de> Visitor<'de> for AnyValueVisitor {
    type Value = AnyValue<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object such as {\"stringValue\": \"…\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(member) = map.next_key::<Text<'de>>()? {
            let value = match &*member.0 {
                "stringValue" => map.next_value::<Option<Text<'de>>>()?.map(AnyValue::String),
                "boolValue" => map.next_value::<Option<bool>>()?.map(AnyValue::Bool),
                "intValue" => map.next_value::<Option<Integer<i64>>>()?.map(|integer| AnyValue::Int(integer.0)),
                "doubleValue" => map.next_value::<Option<Double>>()?.map(|double| AnyValue::Double(double.0)),
                "bytesValue" => map.next_value::<Option<Base64>>()?.map(|bytes| AnyValue::Bytes(bytes.0)),
                "arrayValue" => {
                    map.next_value::<Message<ArrayValue<'de>>>()?.0.map(|array| AnyValue::Array(array.values))
                }
                "kvlistValue" => {
                    map.next_value::<Message<KeyValueList<'de>>>()?.0.map(|list| AnyValue::KeyValueList(list.values))
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            if value.is_some() && found.is_some() {
                return Err(A::Error::custom("a value has more than one type"));
            }
            found = found.or(value);
        }
        Ok(found.unwrap_or_default())
    }
}
