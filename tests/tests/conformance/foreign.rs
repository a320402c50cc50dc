//! Requests that other encoders made are read as they were meant.

use clewline_core::{RequestView, SpanView};
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
