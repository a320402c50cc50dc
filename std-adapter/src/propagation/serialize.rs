//! `Context` through serde: the W3C headers as a map, for job queues, tables and whatever else holds JSON (feature `serde`).

use std::borrow::Cow;
use std::fmt;

use clewline_core::traceparent::{self, Traceparent};
use clewline_core::{baggage, tracestate};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Baggage, Context};

/// Written as `{"traceparent":"00-…","tracestate":"…","baggage":"…"}`, whatever the propagators of the process are; what there
/// is none of is left out. B3's wish to debug is not written.
///
/// ```
/// use clewline::Context;
/// let incoming = clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok();
/// let context = Context::new(incoming).with_baggage_entry("tenant", "Müller").unwrap();
/// let json = serde_json::to_string(&context).unwrap();
/// assert_eq!(json, r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","baggage":"tenant=M%C3%BCller"}"#);
/// assert_eq!(serde_json::from_str::<Context>(&json).unwrap(), context);
/// ```
impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let traceparent = self.span_context().map(Traceparent::new);
        // The list belongs to the span (W3C Trace Context level 2, section 3.3).
        let list = if traceparent.is_some() { self.trace_state() } else { "" };
        let entries = [
            (traceparent::NAME, traceparent.as_ref().map_or("", Traceparent::as_str)),
            (tracestate::NAME, list),
            (baggage::NAME, self.baggage().as_str()),
        ];
        let entries = entries.iter().filter(|(_, value)| !value.is_empty());
        let mut map = serializer.serialize_map(Some(entries.clone().count()))?;
        for (name, value) in entries {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Read from a map of headers. Names have no case, others than these three are passed over. A `traceparent` that breaks a rule
/// is an error that says which; of the two lists what is malformed is left out, as from a request.
impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Headers)
    }
}

struct Headers;

impl<'de> Visitor<'de> for Headers {
    type Value = Context;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map with `traceparent`, `tracestate` and `baggage`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
        let (mut span, mut list, mut baggage) = (None, Cow::Borrowed(""), Baggage::default());
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match name.to_ascii_lowercase().as_str() {
                traceparent::NAME => {
                    let value: Cow<'de, str> = map.next_value()?;
                    span = Some(traceparent::parse(value.as_bytes()).map_err(A::Error::custom)?);
                }
                tracestate::NAME => list = map.next_value()?,
                baggage::NAME => baggage = Baggage::read([map.next_value::<Cow<'de, str>>()?.as_bytes()]),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let context = Context::new(span);
        let context = if span.is_some() { context.with_trace_state(&list) } else { context };
        Ok(context.with_baggage(baggage))
    }
}

#[cfg(test)]
mod tests {
    use super::Context;

    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

    fn read(json: &str) -> Result<Context, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn contexts_survive_the_round_trip() {
        let full =
            format!(r#"{{"traceparent":"{TRACEPARENT}","tracestate":"congo=t61,rojo=1","baggage":"a=1,b=%20;p"}}"#);
        for json in [full.as_str(), "{}", r#"{"baggage":"a=1"}"#, &format!(r#"{{"traceparent":"{TRACEPARENT}"}}"#)] {
            let context = read(json).unwrap();
            assert_eq!(serde_json::to_string(&context).unwrap(), json);
            assert_eq!(context.span_context().is_some(), context.span_context().is_some_and(|span| span.is_remote()));
        }
    }

    #[test]
    fn maps_from_elsewhere_are_read_like_headers() {
        let odd =
            format!(r#"{{"Baggage":"broken,a=1","x":[1,{{}}],"TraceParent":"{TRACEPARENT}","tracestate":"BROKEN"}}"#);
        let context = read(&odd).unwrap();
        assert_eq!((context.trace_state(), context.baggage().as_str()), ("", "a=1"));
        assert!(context.span_context().is_some());
        // A list without its span is of no trace.
        assert_eq!(read(r#"{"tracestate":"congo=t61"}"#).unwrap(), Context::default());
        // Texts that need unescaping cannot be borrowed.
        assert_eq!(read(r#"{"bagg\u0061ge":"\u0061=1"}"#).unwrap().baggage().as_str(), "a=1");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (json, part) in [
            (r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"}"#, "traceparent"),
            (r#"{"traceparent":7}"#, "invalid type: integer `7`"),
            ("[]", "a map with `traceparent`, `tracestate` and `baggage`"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
