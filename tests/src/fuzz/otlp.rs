//! Requests of anybody, in protobuf and in JSON.

use clewline_core::{Attributes, RequestView, ScopeSpansView, SpanView, ValueView, json};

/// Room for what a small input can become.
type Room = heapless::Vec<u8, { 64 * 1024 }>;

/// Whatever is accepted can be read to the last field, and written as JSON which reads back as the same.
pub(super) fn protobuf(data: &[u8]) {
    if let Ok(view) = SpanView::parse(data) {
        span(&view);
    }
    match RequestView::parse(data) {
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
        Ok(view) => {
            request(&view);
            round_trip(&view);
        }
    }
}

/// JSON that is accepted becomes protobuf that is accepted, and that is written as JSON which says the same.
pub(super) fn json(data: &[u8]) {
    let mut text = data.to_vec();
    let mut protobuf = Room::new();
    match json::read_request(&mut text, &mut protobuf) {
        Err(error) => {
            assert!(error.offset <= data.len(), "{error}");
            assert!(protobuf.is_empty(), "nothing is added by what fails");
        }
        Ok(()) => {
            if let Ok(view) = RequestView::parse(&protobuf) {
                request(&view);
                round_trip(&view);
            }
        }
    }
}

/// To JSON and back, twice: the second time nothing changes any more.
fn round_trip(view: &RequestView<'_>) {
    let (mut text, mut protobuf) = (Room::new(), Room::new());
    // JSON has no place for spans with invalid ids, and may be too long for the room.
    if json::write(view, &mut text).is_err() || json::read_request(&mut text, &mut protobuf).is_err() {
        return;
    }
    let first = RequestView::parse(&protobuf).expect("what JSON was read into is a request");
    let (mut text, mut again) = (Room::new(), Room::new());
    if json::write(&first, &mut text).is_ok() {
        json::read_request(&mut text, &mut again).expect("it was written by us");
        assert_eq!(again, protobuf);
    }
}

fn request(view: &RequestView<'_>) {
    for group in view.resource_spans() {
        let _ = (group.schema_url(), group.resource().dropped_attributes_count());
        attributes(group.resource().attributes());
        group.scope_spans().for_each(|scope| self::scope(&scope));
    }
}

fn scope(group: &ScopeSpansView<'_>) {
    let scope = group.scope();
    let _ = (scope.name(), scope.version(), group.schema_url(), scope.dropped_attributes_count());
    attributes(scope.attributes());
    for (bytes, span) in group.spans().flatten() {
        self::span(&span);
        assert!(SpanView::parse(bytes).is_ok());
    }
}

/// Reads everything that a view offers.
pub(super) fn span(view: &SpanView<'_>) {
    let _ = (view.trace_id(), view.span_id(), view.parent_span_id(), view.name(), view.trace_state(), view.kind());
    let _ = (view.flags(), view.duration_nanos(), view.status());
    attributes(view.attributes());
    for event in view.events() {
        let _ = (event.name(), event.time_unix_nano(), event.dropped_attributes_count());
        attributes(event.attributes());
    }
    for link in view.links() {
        let _ = (link.trace_id(), link.span_id(), link.trace_state(), link.flags(), link.dropped_attributes_count());
        attributes(link.attributes());
    }
}

fn attributes(attributes: Attributes<'_>) {
    attributes.for_each(|(_, value)| self::value(value));
}

fn value(value: ValueView<'_>) {
    match value {
        ValueView::List(list) => list.iter().for_each(self::value),
        ValueView::Map(map) => attributes(map),
        _ => {}
    }
}
