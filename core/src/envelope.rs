//! `Envelope`: resource and scope, encoded once, to be put around any number of batches.

use crate::error::{CapacityError, EncodeError};
use crate::form::value::{self, Measure};
use crate::storage::{Storage, StorageView, append};
use crate::wire::{LENGTH_DELIMITED, field_len, tag};
use crate::{Attribute, Value};

const FIRST: u8 = tag(1, LENGTH_DELIMITED);
const SECOND: u8 = tag(2, LENGTH_DELIMITED);
const THIRD: u8 = tag(3, LENGTH_DELIMITED);

/// What stands around the spans in an OTLP request: the resource, one instrumentation scope, their schema URLs.
///
/// ```
/// use clewline_core::{Envelope, RequestView, Scope, Value};
/// let envelope = Envelope::new(
///     heapless::Vec::<u8, 128>::new(),
///     &[("service.name", Value::from("sensor"))],
///     &Scope { name: "firmware", version: "1.2.0", ..Scope::default() },
/// ).unwrap();
/// let mut request = heapless::Vec::<u8, 256>::new();
/// envelope.write_request(b"", &mut request).unwrap();
/// let request = RequestView::parse(&request).unwrap();
/// let resource = request.resource_spans().next().unwrap().resource();
/// assert_eq!(resource.attributes().get("service.name").unwrap().as_str(), Some("sensor"));
/// ```
#[derive(Debug)]
pub struct Envelope<S: Storage> {
    /// The `ResourceSpans` fields other than the scope groups, followed by the `ScopeSpans` fields other than the spans.
    bytes: S,
    resource_len: usize,
}

/// What makes the spans: a service, a process, a device (OpenTelemetry resource SDK).
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource<'a> {
    /// Its attributes; `service.name` should be among them.
    pub attributes: &'a [Attribute<'a>],
    /// The semantic-convention schema that the attributes follow; empty if none.
    pub schema_url: &'a str,
}

impl<'a> From<&'a [Attribute<'a>]> for Resource<'a> {
    fn from(attributes: &'a [Attribute<'a>]) -> Self {
        Self { attributes, schema_url: "" }
    }
}

impl<'a, const N: usize> From<&'a [Attribute<'a>; N]> for Resource<'a> {
    fn from(attributes: &'a [Attribute<'a>; N]) -> Self {
        attributes.as_slice().into()
    }
}

impl Resource<'_> {
    /// Writes the fields of `ResourceSpans` besides the spans, for hosts that build requests of several scopes themselves.
    ///
    /// # Errors
    /// `out` is full, or a value nests too deep.
    pub fn write_fields<V: StorageView + ?Sized>(&self, out: &mut V) -> Result<(), EncodeError> {
        write_message(out, FIRST, &[], self.attributes, FIRST)?;
        write_schema_url(out, self.schema_url)
    }
}

/// The instrumentation scope: the library or module that makes the spans (OpenTelemetry common, "Instrumentation Scope").
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// Its name, such as a crate or module path.
    pub name: &'a str,
    /// Its version; empty if none.
    pub version: &'a str,
    /// Its attributes.
    pub attributes: &'a [Attribute<'a>],
    /// The semantic-convention schema that the spans follow; empty if none.
    pub schema_url: &'a str,
}

impl Scope<'_> {
    /// Writes the fields of `ScopeSpans` besides the spans, for hosts that build requests of several scopes themselves.
    ///
    /// # Errors
    /// `out` is full, or a value nests too deep.
    pub fn write_fields<V: StorageView + ?Sized>(&self, out: &mut V) -> Result<(), EncodeError> {
        let texts = [(FIRST, self.name), (SECOND, self.version)];
        write_message(out, FIRST, &texts, self.attributes, THIRD)?;
        write_schema_url(out, self.schema_url)
    }
}

impl<S: Storage> Envelope<S> {
    /// Encodes resource and scope into `storage`, whose former content is forgotten. A slice of attributes is a resource.
    ///
    /// # Errors
    /// `storage` is too small, or a value nests too deep.
    pub fn new<'a>(mut storage: S, resource: impl Into<Resource<'a>>, scope: &Scope<'_>) -> Result<Self, EncodeError> {
        let view = storage.view_mut();
        view.truncate(0);
        resource.into().write_fields(view)?;
        let resource_len = view.as_slice().len();
        scope.write_fields(view)?;
        Ok(Self { bytes: storage, resource_len })
    }

    /// How long the request around `spans_len` bytes of spans is.
    #[must_use]
    pub fn request_len(&self, spans_len: usize) -> usize {
        field_len(self.resource_spans_len(spans_len))
    }

    /// Writes what comes before `spans_len` bytes of spans. The spans follow, nothing comes after them, and one request
    /// may stand directly behind another: protobuf reads both as one.
    ///
    /// # Errors
    /// `out` is full; nothing was added.
    pub fn write_prefix<O: Storage>(&self, spans_len: usize, out: &mut O) -> Result<(), CapacityError> {
        self.write(spans_len, &[], out)
    }

    /// Writes a whole `ExportTraceServiceRequest` around the bytes of a [`Batch`](crate::Batch).
    ///
    /// # Errors
    /// `out` is full; nothing was added.
    pub fn write_request<O: Storage>(&self, spans: &[u8], out: &mut O) -> Result<(), CapacityError> {
        self.write(spans.len(), spans, out)
    }

    /// The fields of `ResourceSpans` other than the scope groups, and those of `ScopeSpans` other than the spans.
    #[cfg(feature = "serde")]
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.view().as_slice().split_at_checked(self.resource_len).unwrap_or_default()
    }

    fn scope_spans_len(&self, spans_len: usize) -> usize {
        spans_len.saturating_add(self.bytes.view().as_slice().len().saturating_sub(self.resource_len))
    }

    fn resource_spans_len(&self, spans_len: usize) -> usize {
        field_len(self.scope_spans_len(spans_len)).saturating_add(self.resource_len)
    }

    fn write<O: Storage>(&self, spans_len: usize, spans: &[u8], out: &mut O) -> Result<(), CapacityError> {
        let length = self.request_len(spans_len).saturating_sub(spans_len).saturating_add(spans.len());
        let Some((resource, scope)) = self.bytes.view().as_slice().split_at_checked(self.resource_len) else {
            return Err(CapacityError);
        };
        let written = append(out.view_mut(), length, |cursor| {
            cursor.field_header(FIRST, self.resource_spans_len(spans_len));
            cursor.bytes(resource);
            cursor.field_header(SECOND, self.scope_spans_len(spans_len));
            cursor.bytes(scope);
            cursor.bytes(spans);
        });
        if written { Ok(()) } else { Err(CapacityError) }
    }
}

fn write_schema_url<V: StorageView + ?Sized>(out: &mut V, schema_url: &str) -> Result<(), EncodeError> {
    let written = schema_url.is_empty()
        || append(out, field_len(schema_url.len()), |cursor| cursor.field(THIRD, schema_url.as_bytes()));
    if written { Ok(()) } else { Err(EncodeError::Full) }
}

/// Writes a message of texts, of which empty ones are left out, and attributes.
fn write_message<V: StorageView + ?Sized>(
    out: &mut V,
    message_tag: u8,
    texts: &[(u8, &str)],
    attributes: &[Attribute<'_>],
    attribute_tag: u8,
) -> Result<(), EncodeError> {
    let texts = || texts.iter().filter(|(_, text)| !text.is_empty());
    let mut content = texts().fold(0_usize, |sum, (_, text)| sum.saturating_add(field_len(text.len())));
    for (key, value) in attributes {
        content = content.saturating_add(field_len(attribute_len(key, value)?));
    }
    let written = append(out, field_len(content), |cursor| {
        cursor.field_header(message_tag, content);
        for (text_tag, text) in texts() {
            cursor.field(*text_tag, text.as_bytes());
        }
        for (key, value) in attributes {
            cursor.field_header(attribute_tag, attribute_len(key, value).unwrap_or(0));
            cursor.field(FIRST, key.as_bytes());
            cursor.field_header(SECOND, value_len(value).unwrap_or(0));
            value::write(cursor, value, u32::MAX);
        }
    });
    if written { Ok(()) } else { Err(EncodeError::Full) }
}

fn value_len(value: &Value<'_>) -> Result<usize, EncodeError> {
    Measure { value_length: u32::MAX, clipped: false }.value(value).ok_or(EncodeError::TooDeep)
}

fn attribute_len(key: &str, value: &Value<'_>) -> Result<usize, EncodeError> {
    Ok(field_len(key.len()).saturating_add(field_len(value_len(value)?)))
}
