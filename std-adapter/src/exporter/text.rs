//! Attribute values as text, for formats and readers that know no other (specification, "AnyValue representation for non-OTLP
//! protocols").

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clewline_core::{Attributes, ValueView};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// The value as text: a text as it is, numbers as JSON has them, bytes in base64, nothing as an empty text, and arrays and maps
/// as JSON.
pub(crate) fn text(value: ValueView<'_>) -> Cow<'_, str> {
    match value {
        ValueView::Empty => Cow::Borrowed(""),
        ValueView::Bool(true) => Cow::Borrowed("true"),
        ValueView::Bool(false) => Cow::Borrowed("false"),
        ValueView::I64(number) => Cow::Owned(number.to_string()),
        ValueView::F64(number) if !number.is_finite() => Cow::Borrowed(not_finite(number)),
        ValueView::Str(text) => Cow::Borrowed(text),
        ValueView::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        _ => Cow::Owned(json(&Json(value))),
    }
}

/// Something that is no error to serialise, as JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    // Writing to memory does not fail, and every key is a text.
    serde_json::to_string(value).unwrap_or_default()
}

/// A value within JSON: nothing is `null`, bytes are a text in base64, and what JSON has no number for is a text.
pub(super) struct Json<'a>(pub(super) ValueView<'a>);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ValueView::Bool(truth) => serializer.serialize_bool(truth),
            ValueView::I64(number) => serializer.serialize_i64(number),
            ValueView::F64(number) if !number.is_finite() => serializer.serialize_str(not_finite(number)),
            ValueView::F64(number) => serializer.serialize_f64(number),
            ValueView::Str(text) => serializer.serialize_str(text),
            ValueView::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            ValueView::List(list) => {
                let mut sequence = serializer.serialize_seq(None)?;
                list.iter().try_for_each(|value| sequence.serialize_element(&Json(value)))?;
                sequence.end()
            }
            ValueView::Map(entries) => JsonObject { attributes: entries, dropped: 0 }.serialize(serializer),
            _ => serializer.serialize_none(),
        }
    }
}

/// Attributes as a JSON object, each key once, and how many more there were (specification, "Dropped Attributes Count").
pub(super) struct JsonObject<'a> {
    pub(super) attributes: Attributes<'a>,
    pub(super) dropped: u32,
}

impl Serialize for JsonObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        let mut rest = self.attributes;
        while let Some((key, value)) = rest.next() {
            // Of a key that somebody's encoder wrote twice, the last value counts.
            if rest.get(key).is_none() {
                object.serialize_entry(key, &Json(value))?;
            }
        }
        if self.dropped > 0 {
            object.serialize_entry("otel.dropped_attributes_count", &self.dropped)?;
        }
        object.end()
    }
}

const fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
