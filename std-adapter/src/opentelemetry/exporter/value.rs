//! Attribute values as OpenTelemetry's API knows them: those that it does not know become text, as the specification wants it.

use clewline_core::{ListView, ValueView};
use opentelemetry::{Array, Value};

use crate::exporter::text::text;

/// The value, owned. Bytes, maps and arrays of mixed types have no counterpart: they become base64 and JSON (OpenTelemetry
/// specification, common, "Mapping AnyValue to String"); no value becomes the empty text.
pub(super) fn owned(value: &ValueView<'_>) -> Value {
    match value {
        ValueView::Bool(truth) => Value::Bool(*truth),
        ValueView::I64(number) => Value::I64(*number),
        ValueView::F64(number) => Value::F64(*number),
        ValueView::Str(text) => Value::String((*text).to_owned().into()),
        ValueView::List(list) => array(list).map_or_else(|| shown(*value), Value::Array),
        _ => shown(*value),
    }
}

/// An array whose items are all of one type; an empty one is of texts.
fn array(list: &ListView<'_>) -> Option<Array> {
    Some(match list.iter().next() {
        Some(ValueView::Bool(_)) => {
            Array::Bool(all(list, |item| if let ValueView::Bool(it) = item { Some(it) } else { None })?)
        }
        Some(ValueView::I64(_)) => Array::I64(all(list, |item| item.as_i64())?),
        Some(ValueView::F64(_)) => {
            Array::F64(all(list, |item| if let ValueView::F64(it) = item { Some(it) } else { None })?)
        }
        Some(ValueView::Str(_)) | None => Array::String(all(list, |item| Some(item.as_str()?.to_owned().into()))?),
        Some(_) => return None,
    })
}

/// All items, if every one of them is `wanted`.
fn all<T>(list: &ListView<'_>, wanted: impl Fn(ValueView<'_>) -> Option<T>) -> Option<Vec<T>> {
    list.iter().map(wanted).collect()
}

fn shown(value: ValueView<'_>) -> Value {
    Value::String(text(value).into_owned().into())
}

#[cfg(test)]
mod tests {
    use clewline_core::{
        InlineSpan, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, TraceFlags, TraceId, Value as Native,
    };

    use super::*;

    /// What becomes of a value on its way through a span.
    fn through_a_span(value: Native<'_>) -> Value {
        let ids = (TraceId::from_bytes([1; 16]).unwrap(), SpanId::from_bytes([1; 8]).unwrap());
        let start = SpanStart {
            context: SpanContext::new(ids.0, ids.1, TraceFlags::NONE),
            parent: None,
            name: "n",
            kind: SpanKind::Internal,
            start_time: 1,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        let mut span = InlineSpan::<1024>::new(Default::default(), &start);
        span.set("key", value);
        owned(&span.view(2).attributes().get("key").unwrap())
    }

    #[test]
    fn every_type_has_a_counterpart() {
        let mixed = [Native::I64(1), Native::Str("a\"b"), Native::F64(f64::NAN), Native::Empty, Native::Bytes(&[255])];
        let entries = [("a", Native::F64(1.5)), ("b", Native::Bools(&[true])), ("c", Native::F64(f64::NEG_INFINITY))];
        let nested = [Native::I64s(&[1]), Native::I64s(&[2])];
        let table: [(Native<'_>, Value); 14] = [
            (Native::Empty, "".into()),
            (Native::Bool(true), true.into()),
            (Native::I64(-7), Value::I64(-7)),
            (Native::F64(0.5), 0.5.into()),
            (Native::Str("text"), "text".into()),
            (Native::Bytes(b"\x00\xff"), "AP8=".into()),
            (Native::Bools(&[true, false]), Value::Array(vec![true, false].into())),
            (Native::I64s(&[1, 2]), Value::Array(vec![1_i64, 2].into())),
            (Native::F64s(&[1.5]), Value::Array(vec![1.5].into())),
            (Native::Strs(&["a", "b"]), Value::Array(Array::String(vec!["a".into(), "b".into()]))),
            (Native::Strs(&[]), Value::Array(Array::String(Vec::new()))),
            (Native::List(&mixed), r#"[1,"a\"b","NaN",null,"/w=="]"#.into()),
            (Native::Map(&entries), r#"{"a":1.5,"b":[true],"c":"-Infinity"}"#.into()),
            (Native::List(&nested), "[[1],[2]]".into()),
        ];
        for (native, expected) in table {
            assert_eq!(through_a_span(native), expected, "{native:?}");
        }
    }
}
