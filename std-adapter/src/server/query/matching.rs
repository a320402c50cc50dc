//! Whether a span satisfies a search term; values are compared by their text form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clewline_core::ValueView;
use serde_json::Value;

use super::terms::Term;
use crate::server::render::{ValueJson, not_finite};
use crate::server::store::StoredSpan;

impl Term {
    /// Whether the span, its resource or (for a word) its name satisfies the term.
    pub(super) fn found_in(&self, span: &StoredSpan) -> bool {
        match self {
            Self::Equals { key, value } => {
                attribute(span, key).is_some_and(|found| view_equals(&found, value))
                    || span.resource.attribute(key).is_some_and(|found| json_equals(found, value))
            }
            Self::Word { word, lower_case } => {
                span.name.lower_case().contains(lower_case)
                    || span.resource.attribute(word).is_some()
                    || attribute(span, word).is_some()
            }
        }
    }
}

/// The attribute of a span. Reading a span takes about a microsecond; most spans do not have the key that is searched for,
/// which is seen much sooner by looking for its bytes anywhere in the message.
fn attribute<'a>(span: &'a StoredSpan, key: &str) -> Option<ValueView<'a>> {
    memchr::memmem::find(span.message(), key.as_bytes())?;
    span.view()?.attributes().get(key)
}

/// Whether a value has this text form. A number equals every way to write it (`1`, `1.0`), arrays and maps
/// equal their JSON, and an array also equals the text form of each of its elements.
fn view_equals(value: &ValueView<'_>, text: &str) -> bool {
    match value {
        ValueView::Bool(value) => text == if *value { "true" } else { "false" },
        ValueView::I64(value) => text.parse() == Ok(*value),
        ValueView::F64(value) if value.is_finite() => number_equals(*value, text),
        ValueView::F64(value) => text == not_finite(*value),
        ValueView::Str(value) => *value == text,
        ValueView::Bytes(value) => STANDARD.encode(value) == text,
        ValueView::List(list) => list.iter().any(|value| view_equals(&value, text)) || same_view(value, text),
        ValueView::Map(_) => same_view(value, text),
        _ => text.is_empty() || text == "null",
    }
}

/// The same for a value that is kept as JSON, where bytes, large integers and infinities are strings already.
fn json_equals(value: &Value, text: &str) -> bool {
    match value {
        Value::Null => text.is_empty() || text == "null",
        Value::Bool(value) => text == if *value { "true" } else { "false" },
        Value::Number(number) => number.as_i64().map_or_else(
            || number.as_f64().is_some_and(|number| number_equals(number, text)),
            |number| text.parse() == Ok(number),
        ),
        Value::String(value) => value == text,
        Value::Array(values) => values.iter().any(|value| json_equals(value, text)) || same_json(value, text),
        Value::Object(_) => same_json(value, text),
    }
}

#[expect(clippy::float_cmp, reason = "the text is asked to mean exactly this number")]
fn number_equals(number: f64, text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|wanted| wanted == number)
}

fn same_view(value: &ValueView<'_>, text: &str) -> bool {
    // Most searches are for plain text, which is not worth converting the value for.
    text.starts_with(['[', '{']) && serde_json::to_value(ValueJson(*value)).is_ok_and(|value| same_json(&value, text))
}

/// Whether the text is this value in JSON, however spaced, with members in any order.
fn same_json(value: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|wanted| wanted == *value)
}
