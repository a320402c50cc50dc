//! Writing the messages read from JSON as protobuf; the numbers are those of opentelemetry-proto
//! (`trace/v1/trace.proto`, `common/v1/common.proto`, `resource/v1/resource.proto`).

use super::model::{Event, Link, Request, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status};
use super::value::{AnyValue, KeyValue};
use crate::server::protobuf::Writer;

impl Request<'_> {
    /// Writes the fields of the message.
    pub(super) fn write(&self, writer: &mut Writer) {
        for resource_spans in &self.resource_spans {
            writer.message(1, |writer| resource_spans.write(writer));
        }
    }
}

impl ResourceSpans<'_> {
    fn write(&self, writer: &mut Writer) {
        if let Some(resource) = &self.resource {
            writer.message(1, |writer| resource.write(writer));
        }
        for scope_spans in &self.scope_spans {
            writer.message(2, |writer| scope_spans.write(writer));
        }
        writer.bytes_unless_empty(3, self.schema_url.0.as_bytes());
    }
}

impl Resource<'_> {
    fn write(&self, writer: &mut Writer) {
        attributes(writer, 1, &self.attributes);
        writer.varint_unless_zero(2, self.dropped_attributes_count.0.into());
    }
}

impl ScopeSpans<'_> {
    fn write(&self, writer: &mut Writer) {
        if let Some(scope) = &self.scope {
            writer.message(1, |writer| scope.write(writer));
        }
        for span in &self.spans {
            writer.message(2, |writer| span.write(writer));
        }
        writer.bytes_unless_empty(3, self.schema_url.0.as_bytes());
    }
}

impl Scope<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.bytes_unless_empty(1, self.name.0.as_bytes());
        writer.bytes_unless_empty(2, self.version.0.as_bytes());
        attributes(writer, 3, &self.attributes);
        writer.varint_unless_zero(4, self.dropped_attributes_count.0.into());
    }
}

impl Span<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.bytes_unless_empty(1, &self.trace_id.to_bytes());
        writer.bytes_unless_empty(2, &self.span_id.to_bytes());
        writer.bytes_unless_empty(3, self.trace_state.0.as_bytes());
        writer.bytes_unless_empty(4, &self.parent_span_id.to_bytes());
        writer.bytes_unless_empty(5, self.name.0.as_bytes());
        writer.varint_unless_zero(6, enum_varint(self.kind.number));
        writer.fixed64(7, self.start_time_unix_nano.0);
        writer.fixed64(8, self.end_time_unix_nano.0);
        attributes(writer, 9, &self.attributes);
        writer.varint_unless_zero(10, self.dropped_attributes_count.0.into());
        for event in &self.events {
            writer.message(11, |writer| event.write(writer));
        }
        writer.varint_unless_zero(12, self.dropped_events_count.0.into());
        for link in &self.links {
            writer.message(13, |writer| link.write(writer));
        }
        writer.varint_unless_zero(14, self.dropped_links_count.0.into());
        if let Some(status) = &self.status {
            writer.message(15, |writer| status.write(writer));
        }
        writer.fixed32_unless_zero(16, self.flags.0);
    }
}

impl Event<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.fixed64(1, self.time_unix_nano.0);
        writer.bytes_unless_empty(2, self.name.0.as_bytes());
        attributes(writer, 3, &self.attributes);
        writer.varint_unless_zero(4, self.dropped_attributes_count.0.into());
    }
}

impl Link<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.bytes_unless_empty(1, &self.trace_id.to_bytes());
        writer.bytes_unless_empty(2, &self.span_id.to_bytes());
        writer.bytes_unless_empty(3, self.trace_state.0.as_bytes());
        attributes(writer, 4, &self.attributes);
        writer.varint_unless_zero(5, self.dropped_attributes_count.0.into());
        writer.fixed32_unless_zero(6, self.flags.0);
    }
}

impl Status<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.bytes_unless_empty(2, self.message.0.as_bytes());
        writer.varint_unless_zero(3, enum_varint(self.code.number));
    }
}

impl AnyValue<'_> {
    /// A set value keeps its member on the wire even when it is empty, false or zero (proto3 `oneof`).
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Empty => {}
            Self::String(text) => writer.bytes(1, text.0.as_bytes()),
            Self::Bool(value) => writer.varint(2, u64::from(*value)),
            Self::Int(value) => writer.varint(3, value.cast_unsigned()),
            Self::Double(value) => writer.fixed64(4, value.to_bits()),
            Self::Array(values) => writer.message(5, |writer| {
                for value in values {
                    writer.message(1, |writer| {
                        if let Some(value) = value {
                            value.write(writer);
                        }
                    });
                }
            }),
            Self::KeyValueList(values) => writer.message(6, |writer| attributes(writer, 1, values)),
            Self::Bytes(bytes) => writer.bytes(7, bytes),
        }
    }
}

fn attributes(writer: &mut Writer, field: u32, attributes: &[KeyValue<'_>]) {
    for attribute in attributes {
        writer.message(field, |writer| {
            writer.bytes_unless_empty(1, attribute.key.0.as_bytes());
            if let Some(value) = &attribute.value {
                writer.message(2, |writer| value.write(writer));
            }
        });
    }
}

/// An enum travels as a varint of its number, sign-extended to 64 bits.
fn enum_varint(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}
