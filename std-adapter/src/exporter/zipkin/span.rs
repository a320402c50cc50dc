//! One span as an object of Zipkin's v2 JSON, field by field.

use std::net::IpAddr;

use clewline_core::{Attributes, EventView, ResourceView, ScopeView, SpanKind, SpanView};
use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeSeq as _, Serializer};

use super::tags;
use crate::exporter::text::{JsonObject, json};

/// The service name of a resource that has none (specification, "SDK-provided resource attributes").
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Where the other end of a call is told, the best place first. Those with a port tell an address, the others a name
/// (`zipkin.md`, "Remote endpoint").
const REMOTE_ENDPOINTS: [(&str, Option<&str>); 11] = [
    ("peer.service", None),
    ("server.address", None),
    ("net.peer.name", None),
    ("network.peer.address", Some("network.peer.port")),
    ("server.socket.domain", None),
    ("server.socket.address", Some("server.socket.port")),
    ("net.sock.peer.name", None),
    ("net.sock.peer.addr", Some("net.sock.peer.port")),
    ("peer.hostname", None),
    ("peer.address", None),
    ("db.name", None),
];

/// A span with what it belongs to.
pub(super) struct ZipkinSpan<'a> {
    pub(super) span: SpanView<'a>,
    pub(super) scope: ScopeView<'a>,
    pub(super) resource: ResourceView<'a>,
}

impl Serialize for ZipkinSpan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = &self.span;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("traceId", &format_args!("{}", span.trace_id()))?;
        if let Some(parent) = span.parent_span_id() {
            object.serialize_entry("parentId", &format_args!("{parent}"))?;
        }
        object.serialize_entry("id", &format_args!("{}", span.span_id()))?;
        if !matches!(span.kind(), SpanKind::Internal | SpanKind::Unspecified) {
            object.serialize_entry("kind", span.kind().name())?;
        }
        if !span.name().is_empty() {
            object.serialize_entry("name", span.name())?;
        }
        let start = span.start_time_unix_nano() / 1000;
        if start > 0 {
            object.serialize_entry("timestamp", &start)?;
            // Zipkin takes a duration of 0 for none, which is a span that has not ended.
            object.serialize_entry("duration", &(span.duration_nanos() / 1000).max(1))?;
        }
        let service = self.resource.attributes().get("service.name").and_then(|name| name.as_str());
        let service_name = service.filter(|name| !name.is_empty()).unwrap_or(UNKNOWN_SERVICE);
        object
            .serialize_entry("localEndpoint", &Endpoint { service_name: Some(service_name), ..Endpoint::default() })?;
        if matches!(span.kind(), SpanKind::Client | SpanKind::Producer)
            && let Some(endpoint) = Endpoint::remote(span.attributes())
        {
            object.serialize_entry("remoteEndpoint", &endpoint)?;
        }
        if span.events().next().is_some() {
            object.serialize_entry("annotations", &Annotations(span))?;
        }
        object.serialize_entry("tags", &tags::Tags(self))?;
        object.end()
    }
}

/// One end of a call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Endpoint<'a> {
    service_name: Option<&'a str>,
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl<'a> Endpoint<'a> {
    /// The other end of a call, as the best of the attributes that tell it has it.
    fn remote(attributes: Attributes<'a>) -> Option<Self> {
        REMOTE_ENDPOINTS.iter().find_map(|(key, port)| {
            let name = attributes.get(key)?.as_str().filter(|name| !name.is_empty())?;
            let address = port.and_then(|_| name.parse().ok());
            let port = port.filter(|_| address.is_some()).and_then(|key| attributes.get(key)?.as_i64());
            Some(Self {
                // Such as the path of a socket.
                service_name: address.is_none().then_some(name),
                address,
                port: port.and_then(|port| port.try_into().ok()).filter(|port| *port != 0),
            })
        })
    }
}

impl Serialize for Endpoint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        if let Some(name) = self.service_name {
            object.serialize_entry("serviceName", name)?;
        }
        if let Some(address) = &self.address {
            object.serialize_entry(if address.is_ipv4() { "ipv4" } else { "ipv6" }, address)?;
        }
        if let Some(port) = &self.port {
            object.serialize_entry("port", port)?;
        }
        object.end()
    }
}

/// The events.
struct Annotations<'s, 'a>(&'s SpanView<'a>);

impl Serialize for Annotations<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.0.events().try_for_each(|event| list.serialize_element(&Annotation(event)))?;
        list.end()
    }
}

/// An event. Its attributes stand as JSON behind its name (`zipkin.md`, "Events").
struct Annotation<'a>(EventView<'a>);

impl Serialize for Annotation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = &self.0;
        let attributes = JsonObject { attributes: event.attributes(), dropped: event.dropped_attributes_count() };
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("timestamp", &(event.time_unix_nano() / 1000))?;
        if attributes.attributes.clone().next().is_none() && attributes.dropped == 0 {
            object.serialize_entry("value", event.name())?;
        } else {
            object.serialize_entry("value", &format_args!("{}: {}", json(&event.name()), json(&attributes)))?;
        }
        object.end()
    }
}
