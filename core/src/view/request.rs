//! Views over a whole `ExportTraceServiceRequest`, of any origin.

use super::value::{DEPTH, check_attribute};
use super::{Attributes, SpanView, fields_of, is_identity, last_bytes, last_count, last_text};
use crate::error::DecodeError;
use crate::wire::{Field, Fields};

/// An OTLP request: spans grouped by resource and scope (opentelemetry-proto, `trace_service.proto`).
///
/// ```
/// use clewline_core::RequestView;
/// assert_eq!(RequestView::parse(&[]).unwrap().resource_spans().count(), 0);
/// assert!(RequestView::parse(b"not a request").is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    message: &'a [u8],
}

impl<'a> RequestView<'a> {
    /// Reads and checks the structure of a whole request. Ids are checked span by span, so that one span with a bad id
    /// costs that span and not the others: see [`ScopeSpansView::spans`].
    ///
    /// # Errors
    /// What is wrong with the bytes, and where.
    pub fn parse(message: &'a [u8]) -> Result<Self, DecodeError> {
        for field in Fields::new(message) {
            let field = field?;
            if field.number == 1 {
                check_resource_spans(&field)?;
            }
        }
        Ok(Self { message })
    }

    /// The message itself.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.message
    }

    /// The groups by resource.
    pub fn resource_spans(&self) -> impl Iterator<Item = ResourceSpansView<'a>> + use<'a> {
        fields_of(self.message, 1).filter_map(|field| Some(ResourceSpansView { message: field.bytes().ok()? }))
    }
}

/// The spans of one resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceSpansView<'a> {
    message: &'a [u8],
}

impl<'a> ResourceSpansView<'a> {
    /// What made the spans.
    #[must_use]
    pub fn resource(&self) -> ResourceView<'a> {
        ResourceView { message: last_bytes(self.message, 1) }
    }

    /// The groups by scope.
    pub fn scope_spans(&self) -> impl Iterator<Item = ScopeSpansView<'a>> + use<'a> {
        fields_of(self.message, 2).filter_map(|field| Some(ScopeSpansView { message: field.bytes().ok()? }))
    }

    /// The schema of the resource's attributes; empty if none.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        last_text(self.message, 3)
    }
}

/// What made the spans: a service, a process, a device.
#[derive(Clone, Copy, Debug)]
pub struct ResourceView<'a> {
    message: &'a [u8],
}

impl<'a> ResourceView<'a> {
    /// Its attributes, `service.name` among them.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 1)
    }

    /// How many attributes were refused.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_count(self.message, 2)
    }
}

/// The spans of one scope.
#[derive(Clone, Copy, Debug)]
pub struct ScopeSpansView<'a> {
    message: &'a [u8],
}

impl<'a> ScopeSpansView<'a> {
    /// What the spans were made with.
    #[must_use]
    pub fn scope(&self) -> ScopeView<'a> {
        ScopeView { message: last_bytes(self.message, 1) }
    }

    /// The spans with their bytes; an error, whose offset counts from the start of this group, for a span with an invalid
    /// id, be it in a link.
    pub fn spans(&self) -> impl Iterator<Item = Result<(&'a [u8], SpanView<'a>), DecodeError>> + use<'a> {
        fields_of(self.message, 2).map(|field| Ok((field.bytes()?, SpanView::parse_field(&field)?)))
    }

    /// The schema of the spans' attributes; empty if none.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        last_text(self.message, 3)
    }
}

/// The instrumentation scope: the library or module that made the spans.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a> {
    message: &'a [u8],
}

impl<'a> ScopeView<'a> {
    /// Its name; empty if none.
    #[must_use]
    pub fn name(&self) -> &'a str {
        last_text(self.message, 1)
    }

    /// Its version; empty if none.
    #[must_use]
    pub fn version(&self) -> &'a str {
        last_text(self.message, 2)
    }

    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 3)
    }

    /// How many attributes were refused.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_count(self.message, 4)
    }
}

fn check_resource_spans(field: &Field<'_>) -> Result<(), DecodeError> {
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => {
                for field in field.message()? {
                    let field = field?;
                    match field.number {
                        1 => check_attribute(&field, DEPTH)?,
                        2 => drop(field.varint()?),
                        3 => check_entity_ref(&field)?,
                        _ => {}
                    }
                }
            }
            2 => check_scope_spans(&field)?,
            3 => drop(field.text()?),
            _ => {}
        }
    }
    Ok(())
}

/// Type and keys of an entity (opentelemetry-proto, `common.proto`, `EntityRef`). No view reads them; JSON does.
fn check_entity_ref(field: &Field<'_>) -> Result<(), DecodeError> {
    for field in field.message()? {
        let field = field?;
        if (1..=4).contains(&field.number) {
            field.text()?;
        }
    }
    Ok(())
}

fn check_scope_spans(field: &Field<'_>) -> Result<(), DecodeError> {
    for field in field.message()? {
        let field = field?;
        match field.number {
            1 => {
                for field in field.message()? {
                    let field = field?;
                    match field.number {
                        1 | 2 => drop(field.text()?),
                        3 => check_attribute(&field, DEPTH)?,
                        4 => drop(field.varint()?),
                        _ => {}
                    }
                }
            }
            2 => match SpanView::parse_field(&field) {
                Err(error) if !is_identity(error.kind) => return Err(error),
                _ => {}
            },
            3 => drop(field.text()?),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;

    #[test]
    fn an_invalid_link_does_not_hide_other_damage() {
        // A span with a link without ids (tag 0x6a) and a name (tag 0x2a), in a scope, in a resource.
        let request = |name: u8| [0x0a, 9, 0x12, 7, 0x12, 5, 0x6a, 0, 0x2a, 1, name];
        let bytes = request(b'a');
        let scope = RequestView::parse(&bytes).unwrap().resource_spans().next().unwrap().scope_spans().next().unwrap();
        let error = scope.spans().next().unwrap().unwrap_err();
        assert_eq!((error.kind, error.offset), (DecodeErrorKind::InvalidTraceId, 4), "counted from the group's start");
        let error = RequestView::parse(&request(0xff)).unwrap_err();
        assert_eq!((error.kind, error.offset), (DecodeErrorKind::NotUtf8 { field: 5 }, 10));
    }
}
