//! Requests and spans through serde, in the form of OTLP/JSON.
//!
//! Defaults are left out, as are fields that OTLP does not define.

use core::fmt;

use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};

use super::message::{self, Ids, List, Span, Status};
use super::text::{Base64, Decimal, Hex, not_finite};
use crate::storage::Storage;
use crate::wire::Wire;
use crate::{Batch, Envelope, RequestView, SpanView};

/// As `{"resourceSpans":[…]}`, OTLP/JSON's `ExportTraceServiceRequest`.
impl Serialize for RequestView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ExportTraceServiceRequest", 1)?;
        each(&mut object, "resourceSpans", List::of(self.as_bytes(), 1), ResourceSpans)?;
        object.end()
    }
}

/// As OTLP/JSON's `Span`.
impl Serialize for SpanView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Span::of(self, &Ids::of(self)).serialize(serializer)
    }
}

/// An [`Envelope`] around the spans of a [`Batch`], or around any run of spans in a batch's form, as a request.
///
/// ```
/// use clewline_core::json::Request;
/// use clewline_core::{Envelope, Scope, Value};
/// let service = [("service.name", Value::from("sensor"))];
/// let envelope = Envelope::new(heapless::Vec::<u8, 64>::new(), &service, &Scope::default()).unwrap();
/// let request = serde_json::to_value(Request::from_spans(&envelope, &[])).unwrap();
/// assert_eq!(request["resourceSpans"][0]["resource"]["attributes"][0]["key"], "service.name");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(super) resource: &'a [u8],
    pub(super) scope: &'a [u8],
    pub(super) spans: &'a [u8],
}

impl<'a> Request<'a> {
    /// The envelope around the batch's spans.
    #[must_use]
    pub fn new<E: Storage, B: Storage>(envelope: &'a Envelope<E>, batch: &'a Batch<B>) -> Self {
        Self::from_spans(envelope, batch.as_bytes())
    }

    /// The envelope around spans in the form of [`Batch::as_bytes`].
    #[must_use]
    pub fn from_spans<E: Storage>(envelope: &'a Envelope<E>, spans: &'a [u8]) -> Self {
        let (resource, scope) = envelope.parts();
        Self { resource, scope, spans }
    }
}

impl Serialize for Request<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Whole<'a>(&'a Request<'a>);
        impl Serialize for Whole<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let scope = ScopeSpans { fields: self.0.scope, spans: self.0.spans };
                resource_spans(serializer, self.0.resource, |object| object.serialize_field("scopeSpans", &[scope]))
            }
        }
        let mut object = serializer.serialize_struct("ExportTraceServiceRequest", 1)?;
        object.serialize_field("resourceSpans", &[Whole(self)])?;
        object.end()
    }
}

struct ResourceSpans<'a>(&'a [u8]);

impl Serialize for ResourceSpans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        resource_spans(serializer, self.0, |object| {
            each(object, "scopeSpans", List::of(self.0, 2), |bytes| ScopeSpans { fields: bytes, spans: bytes })
        })
    }
}

fn resource_spans<S: Serializer>(
    serializer: S,
    fields: &[u8],
    scope_spans: impl FnOnce(&mut S::SerializeStruct) -> Result<(), S::Error>,
) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_struct("ResourceSpans", 3)?;
    if let Some(resource) = message::last(fields, 1).and_then(|field| field.bytes().ok()) {
        object.serialize_field("resource", &Resource(resource))?;
    }
    scope_spans(&mut object)?;
    text(&mut object, "schemaUrl", message::last_bytes(fields, 3))?;
    object.end()
}

struct Resource<'a>(&'a [u8]);

impl Serialize for Resource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Resource", 3)?;
        each(&mut object, "attributes", List::of(self.0, 1), KeyValue)?;
        count(&mut object, "droppedAttributesCount", message::last_count(self.0, 2))?;
        each(&mut object, "entityRefs", List::of(self.0, 3), EntityRef)?;
        object.end()
    }
}

/// Which of the resource's attributes identify and which describe an entity.
struct EntityRef<'a>(&'a [u8]);

impl Serialize for EntityRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("EntityRef", 4)?;
        text(&mut object, "schemaUrl", message::last_bytes(self.0, 1))?;
        text(&mut object, "type", message::last_bytes(self.0, 2))?;
        each(&mut object, "idKeys", List::of(self.0, 3), utf8)?;
        each(&mut object, "descriptionKeys", List::of(self.0, 4), utf8)?;
        object.end()
    }
}

struct ScopeSpans<'a> {
    fields: &'a [u8],
    /// Where the spans stand: among the fields, or in a batch.
    spans: &'a [u8],
}

impl Serialize for ScopeSpans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ScopeSpans", 3)?;
        if let Some(scope) = message::last(self.fields, 1).and_then(|field| field.bytes().ok()) {
            object.serialize_field("scope", &Scope(scope))?;
        }
        each(&mut object, "spans", List::of(self.spans, 2), Span::read)?;
        text(&mut object, "schemaUrl", message::last_bytes(self.fields, 3))?;
        object.end()
    }
}

struct Scope<'a>(&'a [u8]);

impl Serialize for Scope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("InstrumentationScope", 4)?;
        text(&mut object, "name", message::last_bytes(self.0, 1))?;
        text(&mut object, "version", message::last_bytes(self.0, 2))?;
        each(&mut object, "attributes", List::of(self.0, 3), KeyValue)?;
        count(&mut object, "droppedAttributesCount", message::last_count(self.0, 4))?;
        object.end()
    }
}

impl Serialize for Span<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Span", 16)?;
        id(&mut object, "traceId", self.trace_id)?;
        id(&mut object, "spanId", self.span_id)?;
        text(&mut object, "traceState", self.trace_state)?;
        id(&mut object, "parentSpanId", self.parent_span_id)?;
        count(&mut object, "flags", self.flags)?;
        text(&mut object, "name", self.name)?;
        number(&mut object, "kind", self.kind)?;
        time(&mut object, "startTimeUnixNano", self.start_time)?;
        time(&mut object, "endTimeUnixNano", self.end_time)?;
        each(&mut object, "attributes", self.attributes, KeyValue)?;
        count(&mut object, "droppedAttributesCount", self.dropped_attributes)?;
        each(&mut object, "events", self.events, Event)?;
        count(&mut object, "droppedEventsCount", self.dropped_events)?;
        each(&mut object, "links", self.links, Link)?;
        count(&mut object, "droppedLinksCount", self.dropped_links)?;
        if let Some(status) = &self.status {
            object.serialize_field("status", status)?;
        }
        object.end()
    }
}

impl Serialize for Status<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Status", 2)?;
        text(&mut object, "message", self.message)?;
        number(&mut object, "code", self.code)?;
        object.end()
    }
}

struct Event<'a>(&'a [u8]);

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Event", 4)?;
        let at = message::last(self.0, 1).and_then(|field| field.fixed64().ok());
        time(&mut object, "timeUnixNano", at.unwrap_or(0))?;
        text(&mut object, "name", message::last_bytes(self.0, 2))?;
        each(&mut object, "attributes", List::of(self.0, 3), KeyValue)?;
        count(&mut object, "droppedAttributesCount", message::last_count(self.0, 4))?;
        object.end()
    }
}

struct Link<'a>(&'a [u8]);

impl Serialize for Link<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Link", 6)?;
        id(&mut object, "traceId", message::last_bytes(self.0, 1))?;
        id(&mut object, "spanId", message::last_bytes(self.0, 2))?;
        text(&mut object, "traceState", message::last_bytes(self.0, 3))?;
        each(&mut object, "attributes", List::of(self.0, 4), KeyValue)?;
        count(&mut object, "droppedAttributesCount", message::last_count(self.0, 5))?;
        let flags = message::last(self.0, 6).and_then(|field| field.fixed32().ok());
        count(&mut object, "flags", flags.unwrap_or(0))?;
        object.end()
    }
}

struct KeyValue<'a>(&'a [u8]);

impl Serialize for KeyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, value) = message::key_value(self.0);
        let mut object = serializer.serialize_struct("KeyValue", 2)?;
        // Even an empty one: receivers built on opentelemetry-proto's own serde types refuse an attribute without.
        object.serialize_field("key", utf8(key))?;
        if let Some(value) = value {
            object.serialize_field("value", &AnyValue(value))?;
        }
        object.end()
    }
}

/// A value keeps its member even if that is empty, false or zero: its presence says which type it is.
struct AnyValue<'a>(&'a [u8]);

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("AnyValue", 1)?;
        if let Some(member) = message::any_value(self.0) {
            match member {
                (1, Wire::Bytes(text)) => object.serialize_field("stringValue", utf8(text))?,
                (2, Wire::Varint(truth)) => object.serialize_field("boolValue", &(truth != 0))?,
                (3, Wire::Varint(number)) => {
                    object.serialize_field("intValue", &Decimal::signed(number.cast_signed()))?;
                }
                (4, Wire::Fixed64(bits)) => object.serialize_field("doubleValue", &Double(f64::from_bits(bits)))?,
                (5, Wire::Bytes(list)) => object.serialize_field("arrayValue", &Values(list, AnyValue))?,
                (6, Wire::Bytes(map)) => object.serialize_field("kvlistValue", &Values(map, KeyValue))?,
                (7, Wire::Bytes(bytes)) => object.serialize_field("bytesValue", &Shown(Base64(bytes)))?,
                _ => {}
            }
        }
        object.end()
    }
}

/// `ArrayValue` or `KeyValueList`. An empty list is written, because receivers built on opentelemetry-proto's own serde
/// types refuse an `arrayValue` without it.
struct Values<'a, F>(&'a [u8], F);

impl<'a, F: Fn(&'a [u8]) -> T + Copy, T: Serialize> Serialize for Values<'a, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Values", 1)?;
        object.serialize_field("values", &Each { list: List::or_empty(self.0, 1), element: self.1 })?;
        object.end()
    }
}

struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match not_finite(self.0) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_f64(self.0),
        }
    }
}

struct Each<'a, F> {
    list: List<'a>,
    element: F,
}

impl<'a, F: Fn(&'a [u8]) -> T, T: Serialize> Serialize for Each<'a, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(None)?;
        for bytes in self.list.elements() {
            elements.serialize_element(&(self.element)(bytes))?;
        }
        elements.end()
    }
}

/// What prints itself, as a text.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A repeated field, unless it has no elements.
fn each<'a, O: SerializeStruct, T: Serialize>(
    object: &mut O,
    name: &'static str,
    list: Option<List<'a>>,
    element: impl Fn(&'a [u8]) -> T,
) -> Result<(), O::Error> {
    list.map_or(Ok(()), |list| object.serialize_field(name, &Each { list, element }))
}

fn text<O: SerializeStruct>(object: &mut O, name: &'static str, text: &[u8]) -> Result<(), O::Error> {
    if text.is_empty() { Ok(()) } else { object.serialize_field(name, utf8(text)) }
}

fn count<O: SerializeStruct>(object: &mut O, name: &'static str, count: u32) -> Result<(), O::Error> {
    if count == 0 { Ok(()) } else { object.serialize_field(name, &count) }
}

fn number<O: SerializeStruct>(object: &mut O, name: &'static str, number: i32) -> Result<(), O::Error> {
    if number == 0 { Ok(()) } else { object.serialize_field(name, &number) }
}

fn time<O: SerializeStruct>(object: &mut O, name: &'static str, nanos: u64) -> Result<(), O::Error> {
    if nanos == 0 { Ok(()) } else { object.serialize_field(name, &Decimal::unsigned(nanos)) }
}

fn id<O: SerializeStruct>(object: &mut O, name: &'static str, bytes: &[u8]) -> Result<(), O::Error> {
    if bytes.is_empty() { Ok(()) } else { object.serialize_field(name, &Hex(bytes)) }
}

/// What arrives here was checked when it was recorded or parsed.
fn utf8(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or_default()
}
