//! How much one span may hold: the limits of the specification and their variables.

use clewline_core::SpanLimits;

use super::environment::Environment;
use super::setting::Setting;

/// How much one span may hold (`trace/sdk.md`, "Span limits"; `common/README.md`, "Attribute limits").
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Attributes of a span.
    pub attribute_count: Setting<usize>,
    /// Length of a text value in characters; `None` is no limit.
    pub attribute_value_length: Setting<Option<usize>>,
    /// Events of a span.
    pub event_count: Setting<usize>,
    /// Links of a span.
    pub link_count: Setting<usize>,
    /// Attributes of one event.
    pub event_attribute_count: Setting<usize>,
    /// Attributes of one link.
    pub link_attribute_count: Setting<usize>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            attribute_count: Setting::default(128),
            attribute_value_length: Setting::default(None),
            event_count: Setting::default(128),
            link_count: Setting::default(128),
            event_attribute_count: Setting::default(128),
            link_attribute_count: Setting::default(128),
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        environment.count(
            &["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
            0,
            &mut self.attribute_count,
        );
        environment.limit(
            &["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
            &mut self.attribute_value_length,
        );
        environment.count(&["OTEL_SPAN_EVENT_COUNT_LIMIT"], 0, &mut self.event_count);
        environment.count(&["OTEL_SPAN_LINK_COUNT_LIMIT"], 0, &mut self.link_count);
        environment.count(&["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"], 0, &mut self.event_attribute_count);
        environment.count(&["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"], 0, &mut self.link_attribute_count);
    }

    /// The limits as spans know them. Counts beyond 65,535 are as good as none: the bytes of a span end before.
    pub(crate) fn span_limits(&self, include_events: bool, include_links: bool) -> SpanLimits {
        let count = |setting: &Setting<usize>| u16::try_from(*setting.get()).unwrap_or(u16::MAX);
        let length = *self.attribute_value_length.get();
        SpanLimits {
            attributes: count(&self.attribute_count),
            events: if include_events { count(&self.event_count) } else { 0 },
            links: if include_links { count(&self.link_count) } else { 0 },
            event_attributes: count(&self.event_attribute_count),
            link_attributes: count(&self.link_attribute_count),
            value_length: length.map_or(u32::MAX, |length| u32::try_from(length).unwrap_or(u32::MAX)),
        }
    }
}
