//! Requests that other encoders made are read as they were meant.

use clewline_core::{DecodeErrorKind, RequestView, SpanId, SpanView};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message as _;

use crate::tree::{self, Change, Message, unknown_field};
use crate::{config, official, strategy, views};

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn official_requests_are_read_equal(request in strategy::model_request()) {
        let bytes = official::write(&request).encode_to_vec();
        let view = RequestView::parse(&bytes).unwrap();
        prop_assert_eq!(views::request(&view), Some(request));
    }

    /// Fields that a later version may add, of every wire type and in every message, are skipped.
    #[test]
    fn unknown_fields_change_nothing(
        request in strategy::model_request(),
        unknown in vec((any::<Index>(), unknown_field()), 1..20),
    ) {
        let bytes = official::write(&request).encode_to_vec();
        let mut fields = tree::parse(&bytes, Message::Request).unwrap();
        prop_assert_eq!(&tree::write(&fields), &bytes, "the tree keeps what it reads");
        for (place, field) in unknown {
            tree::apply(&mut fields, place, &Change::Insert(field));
        }
        let bytes = tree::write(&fields);
        let view = RequestView::parse(&bytes).unwrap();
        prop_assert_eq!(views::request(&view), Some(request));
    }

    /// Protobuf: of a field that is there several times, though it holds one value, the last counts.
    #[test]
    fn the_last_of_several_counts(request in strategy::model_request()) {
        let bytes = official::write(&request).encode_to_vec();
        let fields = tree::parse(&bytes, Message::Request).unwrap();
        let bytes = tree::write(&tree::with_decoys(&fields, Message::Request));
        let official = official::read(&official::Request::decode(bytes.as_slice()).unwrap());
        prop_assert_eq!(official.as_ref(), Some(&request), "prost reads it so");
        prop_assert_eq!(views::request(&RequestView::parse(&bytes).unwrap()), Some(request));
    }

    /// A single message too, as a bridge or a test holds it; and its bytes are what the request's iterator hands out.
    #[test]
    fn a_span_alone_is_read_as_in_a_request(span in strategy::model_span()) {
        let request = crate::model::Request { resource_spans: vec![crate::model::ResourceSpans {
            scope_spans: vec![crate::model::ScopeSpans { spans: vec![span.clone()], ..Default::default() }],
            ..Default::default()
        }]};
        let mut request = official::write(&request);
        let bytes = request.encode_to_vec();
        let official = request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0).encode_to_vec();
        prop_assert_eq!(views::span(&SpanView::parse(&official).unwrap()), span.clone());
        let view = RequestView::parse(&bytes).unwrap();
        let scope = view.resource_spans().next().unwrap().scope_spans().next().unwrap();
        let (within, view) = scope.spans().next().unwrap().unwrap();
        prop_assert_eq!(within, &official);
        prop_assert_eq!(view.duration_nanos(), span.end.saturating_sub(span.start));
    }
}

/// Some encoders write a root's parent as zeros instead of leaving it out; of another width it is an error.
#[test]
fn a_parent_of_zeros_is_none() {
    let span = |parent_span_id: &[u8]| {
        let (trace_id, span_id) = (vec![1; 16], vec![2; 8]);
        let parent_span_id = parent_span_id.to_vec();
        opentelemetry_proto::tonic::trace::v1::Span { trace_id, span_id, parent_span_id, ..Default::default() }
    };
    let parent = |bytes: &[u8]| {
        let bytes = span(bytes).encode_to_vec();
        SpanView::parse(&bytes).map(|span| span.parent_span_id()).map_err(|error| error.kind)
    };
    assert_eq!(parent(&[]), Ok(None));
    assert_eq!(parent(&[0; 8]), Ok(None));
    assert_eq!(parent(&[3; 8]), Ok(SpanId::from_bytes([3; 8])));
    for wrong in [1, 7, 9, 16] {
        assert_eq!(parent(&vec![0; wrong]), Err(DecodeErrorKind::InvalidParentSpanId));
    }
}
