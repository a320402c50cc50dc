//! `SpanLimits`: how much one span may record.

/// How much one span may record (OpenTelemetry trace SDK, "Span Limits"); what exceeds a limit is counted as dropped.
///
/// These are limits by number. The span's capacity in bytes is a limit too, and whichever is reached first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanLimits {
    /// Attributes of a span.
    pub attributes: u16,
    /// Events of a span.
    pub events: u16,
    /// Links of a span.
    pub links: u16,
    /// Attributes of one event.
    pub event_attributes: u16,
    /// Attributes of one link.
    pub link_attributes: u16,
    /// Characters of a text value, bytes of a bytes value; longer ones are cut (texts between two characters).
    pub value_length: u32,
}

impl SpanLimits {
    /// The defaults of the OpenTelemetry specification: 128 of each, values of any length.
    pub const DEFAULT: Self = Self {
        attributes: 128,
        events: 128,
        links: 128,
        event_attributes: 128,
        link_attributes: 128,
        value_length: u32::MAX,
    };
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
