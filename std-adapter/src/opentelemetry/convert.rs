//! Ids, contexts, kinds, times and attribute values between OpenTelemetry's types and Clewline's.

use std::borrow::Cow;
use std::str::FromStr as _;
use std::time::{SystemTime, UNIX_EPOCH};

use clewline_core::{Attribute, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, Value};
use opentelemetry::baggage::Baggage as OtelBaggage;
use opentelemetry::trace::{
    Link as OtelLink, SpanContext as OtelSpanContext, SpanKind as OtelKind, Status as OtelStatus,
    TraceState as OtelTraceState,
};
use opentelemetry::{Array, KeyValue, StringValue, Value as OtelValue};

use crate::propagation::{Baggage, Context};

/// How many attributes are converted without an allocation.
const FEW: usize = 16;

/// `None` if it is invalid: one of its ids is zero.
pub(crate) fn from_span_context(context: &OtelSpanContext) -> Option<SpanContext> {
    let trace_id = TraceId::from_bytes(context.trace_id().to_bytes())?;
    let span_id = SpanId::from_bytes(context.span_id().to_bytes())?;
    let flags = TraceFlags::from_bits(context.trace_flags().to_u8());
    let converted = SpanContext::new(trace_id, span_id, flags);
    Some(if context.is_remote() { converted.into_remote() } else { converted })
}

/// With the tracestate list; nothing, if the context is invalid.
pub(crate) fn from_context(context: &OtelSpanContext) -> Context {
    let Some(span) = from_span_context(context) else { return Context::default() };
    // Without members the list is not even formatted.
    if context.trace_state() == &OtelTraceState::NONE {
        return Context::from(span);
    }
    Context::from(span).with_trace_state(&context.trace_state().header())
}

/// The invalid context if there is no span. A list that OpenTelemetry does not accept is left out.
pub(crate) fn to_span_context(context: &Context) -> OtelSpanContext {
    let Some(span) = context.span_context() else { return OtelSpanContext::NONE };
    let trace_state = match context.trace_state() {
        "" => OtelTraceState::NONE,
        list => OtelTraceState::from_str(list).unwrap_or(OtelTraceState::NONE),
    };
    OtelSpanContext::new(
        opentelemetry::TraceId::from_bytes(span.trace_id().to_bytes()),
        opentelemetry::SpanId::from_bytes(span.span_id().to_bytes()),
        opentelemetry::TraceFlags::new(span.flags().bits()),
        span.is_remote(),
        trace_state,
    )
}

/// Both write the same header, and that is the way from one to the other.
pub(crate) fn from_baggage(baggage: &OtelBaggage) -> Baggage {
    Baggage::read([baggage.to_string().as_bytes()])
}

/// OpenTelemetry's baggage knows every key once; of several entries the last counts, as in [`Baggage::get`].
pub(crate) fn to_baggage(baggage: &Baggage) -> OtelBaggage {
    let mut converted = OtelBaggage::new();
    for member in baggage.iter() {
        let properties: Vec<&str> = member.properties().collect();
        converted.insert_with_metadata(
            member.key().to_owned(),
            member.value().to_string(),
            properties.join(";").as_str(),
        );
    }
    converted
}

pub(crate) const fn from_kind(kind: &OtelKind) -> SpanKind {
    match kind {
        OtelKind::Client => SpanKind::Client,
        OtelKind::Server => SpanKind::Server,
        OtelKind::Producer => SpanKind::Producer,
        OtelKind::Consumer => SpanKind::Consumer,
        OtelKind::Internal => SpanKind::Internal,
    }
}

pub(crate) fn from_status(status: &OtelStatus) -> Status<'_> {
    match status {
        OtelStatus::Unset => Status::default(),
        OtelStatus::Ok => Status::OK,
        OtelStatus::Error { description } => Status::error(description),
    }
}

/// Nanoseconds since the Unix epoch; 0 for times before it, and the greatest number for those that no 64 bits hold.
pub(crate) fn from_time(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Lends a value in our form to `use_value`. Only arrays of texts need an allocation.
pub(crate) fn with_value<R>(value: &OtelValue, use_value: impl FnOnce(Value<'_>) -> R) -> R {
    match value {
        OtelValue::Array(Array::String(texts)) => {
            let texts: Vec<&str> = texts.iter().map(StringValue::as_str).collect();
            use_value(Value::Strs(&texts))
        }
        value => match scalar(value) {
            Some(value) => use_value(value),
            // A type that this version of the API does not know yet has at least a text.
            None => use_value(Value::Str(&value.as_str())),
        },
    }
}

/// Lends attributes in our form to `use_attributes`.
pub(crate) fn with_attributes<R>(attributes: &[KeyValue], use_attributes: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
    if attributes.is_empty() {
        return use_attributes(&[]);
    }
    let texts = Texts::of(attributes);
    if attributes.len() > FEW {
        let many: Vec<_> = texts.lend(attributes).collect();
        return use_attributes(&many);
    }
    let mut few = [("", Value::Empty); FEW];
    for (place, attribute) in few.iter_mut().zip(texts.lend(attributes)) {
        *place = attribute;
    }
    use_attributes(&few[..attributes.len()])
}

/// Lends links in our form to `use_links`, and says how many there are besides that lead to an invalid context, and so nowhere.
pub(crate) fn with_links<R>(links: &[OtelLink], use_links: impl FnOnce(&[Link<'_>], u32) -> R) -> R {
    if links.is_empty() {
        return use_links(&[], 0);
    }
    let contexts: Vec<Context> = links.iter().map(|link| from_context(&link.span_context)).collect();
    let texts: Vec<Texts<'_>> = links.iter().map(|link| Texts::of(&link.attributes)).collect();
    let attributes: Vec<Vec<Attribute<'_>>> =
        links.iter().zip(&texts).map(|(link, texts)| texts.lend(&link.attributes).collect()).collect();
    let converted: Vec<Link<'_>> = contexts
        .iter()
        .zip(&attributes)
        .filter_map(|(context, attributes)| {
            Some(Link { context: context.span_context()?, trace_state: context.trace_state(), attributes })
        })
        .collect();
    use_links(&converted, u32::try_from(links.len() - converted.len()).unwrap_or(u32::MAX))
}

/// What of some attributes cannot be lent as it is: arrays of texts, and texts of types that are not known, each in the order
/// of their attributes.
struct Texts<'a> {
    arrays: Vec<Vec<&'a str>>,
    shown: Vec<Cow<'a, str>>,
}

impl<'a> Texts<'a> {
    fn of(attributes: &'a [KeyValue]) -> Self {
        let (mut arrays, mut shown) = (Vec::new(), Vec::new());
        for KeyValue { value, .. } in attributes {
            match value {
                OtelValue::Array(Array::String(texts)) => arrays.push(texts.iter().map(StringValue::as_str).collect()),
                value if scalar(value).is_none() => shown.push(value.as_str()),
                _ => {}
            }
        }
        Self { arrays, shown }
    }

    /// The same attributes in our form.
    fn lend<'t>(&'t self, attributes: &'t [KeyValue]) -> impl Iterator<Item = Attribute<'t>> {
        let (mut arrays, mut shown) = (self.arrays.iter(), self.shown.iter());
        attributes.iter().map(move |KeyValue { key, value, .. }| {
            let value = match value {
                OtelValue::Array(Array::String(_)) => Value::Strs(arrays.next().map_or(&[], Vec::as_slice)),
                value => scalar(value).unwrap_or_else(|| Value::Str(shown.next().map_or("", Cow::as_ref))),
            };
            (key.as_str(), value)
        })
    }
}

/// A value that can be lent as it is.
fn scalar(value: &OtelValue) -> Option<Value<'_>> {
    Some(match value {
        OtelValue::Bool(value) => Value::Bool(*value),
        OtelValue::I64(value) => Value::I64(*value),
        OtelValue::F64(value) => Value::F64(*value),
        OtelValue::String(value) => Value::Str(value.as_str()),
        OtelValue::Array(Array::Bool(values)) => Value::Bools(values),
        OtelValue::Array(Array::I64(values)) => Value::I64s(values),
        OtelValue::Array(Array::F64(values)) => Value::F64s(values),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn contexts_survive_the_round_trip() {
        let span = SpanContext::new(
            TraceId::from_bytes([7; 16]).unwrap(),
            SpanId::from_bytes([9; 8]).unwrap(),
            TraceFlags::SAMPLED.with_random(true),
        );
        let list = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
        for context in
            [Context::default(), Context::from(span), Context::from(span.into_remote()).with_trace_state(list)]
        {
            assert_eq!(from_context(&to_span_context(&context)), context);
        }
        assert_eq!(to_span_context(&Context::default()), OtelSpanContext::NONE);
    }

    #[test]
    fn baggage_survives_the_round_trip() {
        let list = b"tenant=M%C3%BCller%20%26%20Co;public;ttl=5,a=1,plain=x%25y".as_slice();
        let there = to_baggage(&Baggage::read([list]));
        assert_eq!(there.get("tenant").map(StringValue::as_str), Some("Müller & Co"));
        assert_eq!(there.get_with_metadata("tenant").unwrap().1.as_str(), "public;ttl=5");
        let back = from_baggage(&there);
        assert_eq!((back.malformed(), back.dropped()), (0, 0));
        assert_eq!(back.get("plain").unwrap(), "x%y");
        let properties: Vec<_> = back.iter().find(|member| member.key() == "tenant").unwrap().properties().collect();
        assert_eq!(properties, ["public", "ttl=5"]);
    }

    #[test]
    fn many_attributes_are_converted_like_few() {
        for count in [1, FEW, FEW + 1, 3 * FEW] {
            let attributes: Vec<KeyValue> = (0..count)
                .map(|index| match index % 3 {
                    0 => KeyValue::new(format!("k{index}"), format!("v{index}")),
                    1 => {
                        let texts = Array::String(vec![format!("a{index}").into(), "b".into()]);
                        KeyValue::new(format!("k{index}"), OtelValue::Array(texts))
                    }
                    _ => KeyValue::new(format!("k{index}"), i64::try_from(index).unwrap()),
                })
                .collect();
            with_attributes(&attributes, |converted| {
                assert_eq!(converted.len(), count);
                for (index, (key, value)) in converted.iter().enumerate() {
                    assert_eq!(*key, format!("k{index}"));
                    let first = format!("a{index}");
                    match index % 3 {
                        0 => assert_eq!(*value, Value::Str(&format!("v{index}"))),
                        1 => assert_eq!(*value, Value::Strs(&[&first, "b"])),
                        _ => assert_eq!(*value, Value::I64(i64::try_from(index).unwrap())),
                    }
                }
            });
        }
    }

    #[test]
    fn times_before_the_epoch_and_far_ahead_stay_in_range() {
        assert_eq!(from_time(UNIX_EPOCH + Duration::from_nanos(5)), 5);
        assert_eq!(from_time(UNIX_EPOCH - Duration::from_nanos(5)), 0);
        assert_eq!(from_time(UNIX_EPOCH + Duration::from_secs(1 << 40)), u64::MAX);
    }
}
