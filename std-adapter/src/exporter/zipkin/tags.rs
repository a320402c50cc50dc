//! The tags of a Zipkin span: everything that has no field of its own, each key once.

use std::borrow::Cow;

use clewline_core::{LinkView, StatusCode, ValueView};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::span::ZipkinSpan;
use crate::exporter::text::{JsonObject, json, text};

/// The tags of a span. Where two sources have the same key, what the specification defines comes first, then the span's own
/// attributes, then those of its scope and its resource.
pub(super) struct Tags<'s, 'a>(pub(super) &'s ZipkinSpan<'a>);

impl Serialize for Tags<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = List::default();
        self.defined(&mut list);
        let Self(ZipkinSpan { span, scope, resource }) = self;
        let is_error = span.status().code == StatusCode::Error;
        // Zipkin takes any `error` for a failure, also one that says there was none.
        let denies =
            |key: &str, value| key == "error" && matches!(value, ValueView::Bool(false) | ValueView::Str("false"));
        list.extend(span.attributes().filter(|(key, value)| is_error || !denies(key, *value)));
        list.extend(scope.attributes());
        list.extend(resource.attributes().filter(|(key, _)| *key != "service.name"));
        let mut object = serializer.serialize_map(Some(list.tags.len()))?;
        list.tags.iter().try_for_each(|(key, value)| object.serialize_entry(key, value))?;
        object.end()
    }
}

impl<'a> Tags<'_, 'a> {
    /// The tags that the specification names.
    fn defined(&self, list: &mut List<'a>) {
        let Self(ZipkinSpan { span, scope, .. }) = self;
        let status = span.status();
        match status.code {
            StatusCode::Unset => {}
            StatusCode::Ok => list.add("otel.status_code", "OK"),
            StatusCode::Error => {
                list.add("otel.status_code", "ERROR");
                list.add("error", status.message);
            }
        }
        // The second name of each is deprecated and still asked for (`common/mapping-to-non-otlp.md`).
        for (keys, value) in [
            (["otel.scope.name", "otel.library.name"], scope.name()),
            (["otel.scope.version", "otel.library.version"], scope.version()),
            (["w3c.tracestate", ""], span.trace_state()),
        ] {
            for key in keys.into_iter().filter(|key| !key.is_empty() && !value.is_empty()) {
                list.add(key, value);
            }
        }
        for (key, count) in [
            ("otel.dropped_attributes_count", span.dropped_attributes_count()),
            ("otel.dropped_events_count", span.dropped_events_count()),
            ("otel.dropped_links_count", span.dropped_links_count()),
        ] {
            if count > 0 {
                list.add(key, count.to_string());
            }
        }
        for (index, link) in span.links().enumerate() {
            list.add(format!("otlp.link.{index}"), link_text(&link));
        }
    }
}

/// A link as the OpenTelemetry Collector writes it in a tag: ids, tracestate, attributes, dropped count.
fn link_text(link: &LinkView<'_>) -> String {
    let attributes = json(&JsonObject { attributes: link.attributes(), dropped: 0 });
    let (trace_id, span_id, trace_state) = (link.trace_id(), link.span_id(), link.trace_state());
    format!("{trace_id}|{span_id}|{trace_state}|{attributes}|{}", link.dropped_attributes_count())
}

/// Keys and values, each key once.
#[derive(Default)]
struct List<'a> {
    tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> List<'a> {
    fn add(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.tags.push((key.into(), value.into()));
    }

    /// Adds attributes whose keys no earlier source has. Of a key that comes twice in one source, the last value counts.
    fn extend(&mut self, attributes: impl Iterator<Item = (&'a str, ValueView<'a>)>) {
        let earlier = self.tags.len();
        for (key, value) in attributes {
            match self.tags.iter().position(|(known, _)| known == key) {
                Some(index) if index < earlier => {}
                Some(index) => self.tags[index].1 = text(value),
                None => self.add(key, text(value)),
            }
        }
    }
}
