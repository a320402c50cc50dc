//! The exporter that keeps spans in memory: nothing of a span is lost, and the memory is bounded.

use clewline::exporter::{ExportOutcome, MemoryExporter, OwnedValue, Request, SpanExporter};
use clewline::{SpanKind, StatusCode};
use prost::Message as _;

use crate::full::{self, START};

fn export(exporter: &mut MemoryExporter, message: &[u8]) -> ExportOutcome {
    // The spans of a request come in several slices.
    let (front, back) = message.split_at(message.len() / 2);
    exporter.export(&Request::new(&[front, back], 2), None)
}

#[test]
fn everything_a_span_holds_can_be_read() {
    let mut exporter = MemoryExporter::new(10);
    assert_eq!(export(&mut exporter, &full::request().encode_to_vec()), ExportOutcome::Delivered);
    let spans = exporter.spans();
    assert_eq!((spans.len(), exporter.len(), exporter.evicted()), (2, 2, 0));

    let span = &spans[0];
    assert_eq!((span.trace_id.to_string(), span.span_id.to_string()), ("ab".repeat(16), "01".repeat(8)));
    assert_eq!(span.parent_span_id.map(|parent| parent.to_string()), Some("0f".repeat(8)));
    assert_eq!((span.name.as_str(), span.kind, span.flags), ("GET /cart", SpanKind::Server, 0x301));
    assert_eq!((span.trace_state.as_str(), span.start_time_unix_nano), ("vendor=1", START));
    assert_eq!(span.duration().as_nanos(), 12_345_678);
    assert_eq!((span.status, span.status_message.as_str()), (StatusCode::Error, "no such cart"));
    assert_eq!((span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count), (1, 2, 3));

    assert_eq!(span.attributes.len(), 9);
    let table = [
        ("text", "quote \" and \u{1} and é".into()),
        ("truth", false.into()),
        ("integer", i64::MIN.into()),
        ("double", 1.5.into()),
        ("bytes", OwnedValue::Bytes(vec![0, 255])),
        ("map", OwnedValue::Map(vec![("inner".to_owned(), OwnedValue::Bytes(vec![1, 2, 255]))])),
        ("empty", "".into()),
        ("nothing", OwnedValue::Empty),
    ];
    for (key, expected) in table {
        assert_eq!(span.attribute(key), Some(&expected), "{key}");
    }
    let Some(OwnedValue::List(list)) = span.attribute("array") else { panic!("an array") };
    assert_eq!(list[..2], ["a".into(), 2.into()]);
    assert!(matches!(list[2], OwnedValue::F64(number) if number.is_nan()), "{list:?}");
    assert_eq!(span.attribute("absent"), None);

    assert_eq!(span.events.len(), 2);
    let event = span.event("retry").expect("an event");
    assert_eq!((event.time_unix_nano, event.dropped_attributes_count), (START + 2000, 4));
    assert_eq!(event.attribute("attempt").and_then(OwnedValue::as_i64), Some(2));
    assert_eq!(event.attribute("why").and_then(OwnedValue::as_str), Some("timeout"));
    let link = &span.links[0];
    assert_eq!((link.trace_id.to_string(), link.span_id.to_string()), ("cd".repeat(16), "0c".repeat(8)));
    assert_eq!((link.trace_state.as_str(), link.flags, link.dropped_attributes_count), ("other=2", 0x101, 5));
    assert_eq!(link.attribute("reason"), Some(&"batch".into()));

    assert_eq!(span.resource.attribute("service.name"), Some(&"shop".into()));
    assert_eq!(
        (span.resource.schema_url.as_str(), span.resource.dropped_attributes_count),
        ("https://schema.example", 6)
    );
    assert_eq!((span.scope.name.as_str(), span.scope.version.as_str()), ("cart", "1.2.3"));
    assert_eq!(span.scope.attribute("scope.kind"), Some(&"lib".into()));
    assert_eq!((spans[1].scope.name.as_str(), spans[1].status), ("sql", StatusCode::Ok));
}

#[test]
fn the_oldest_spans_make_room_and_are_counted() {
    let mut exporter = MemoryExporter::new(3);
    let reader = exporter.clone();
    for _ in 0..4 {
        assert_eq!(export(&mut exporter, &full::request().encode_to_vec()), ExportOutcome::Delivered);
    }
    assert_eq!((reader.len(), reader.evicted()), (3, 5));
    let names: Vec<_> = reader.take().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["SELECT", "GET /cart", "SELECT"]);
    assert!(exporter.is_empty() && reader.is_empty());
}

#[test]
fn spans_with_an_invalid_id_cost_themselves_only() {
    let mut request = full::request();
    request.resource_spans[0].scope_spans[0].spans[0].span_id = vec![0; 8];
    let mut exporter = MemoryExporter::new(10);
    let outcome = export(&mut exporter, &request.encode_to_vec());
    assert!(matches!(outcome, ExportOutcome::PartiallyRejected { rejected: 1, .. }), "{outcome:?}");
    assert_eq!(exporter.take()[0].name, "SELECT");
    let outcome = exporter.export(&Request::new(&[b"no protobuf"], 1), None);
    assert!(matches!(outcome, ExportOutcome::Rejected { .. }), "{outcome:?}");
}
