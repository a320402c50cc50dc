//! Bytes of unknown origin: views never panic, and agree with `prost` on what is a request.
//!
//! Where they differ, on purpose:
//! - Groups (wire types 3 and 4) were abandoned before OTLP existed; `prost` skips unknown ones, core refuses them.
//! - Values nested deeper than `MAX_VALUE_DEPTH` are refused by core, which bounds its stack; `prost` stops at 100 messages.
//! - Fields that the profiles signal and entities added to shared messages are checked by `prost` and skipped by core.
//! - A request with an invalid id is a request for both; the span with that id is an error of core's, and only that span.
//! - A message that is there twice where one belongs is merged by `prost`; core takes the last one. No encoder writes that.

use clewline_core::{DecodeErrorKind, MAX_VALUE_DEPTH, RequestView, SpanView};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message as _;

use crate::tree::{self, Message, change};
use crate::{config, official, strategy, views};

/// Reads everything that a view offers.
fn walk(bytes: &[u8]) {
    if let Ok(span) = SpanView::parse(bytes) {
        let _ = (views::span(&span), format!("{span:?}"));
    }
    match RequestView::parse(bytes) {
        Err(error) => {
            let text = error.to_string();
            assert!(error.offset <= bytes.len(), "{text}, of {} bytes", bytes.len());
        }
        Ok(request) => {
            for scope in request.resource_spans().flat_map(|group| group.scope_spans()) {
                for error in scope.spans().filter_map(Result::err) {
                    assert!(error.offset <= bytes.len());
                }
            }
            let _ = views::request(&request);
        }
    }
}

/// Holds core's verdict, and what it reads, against `prost`'s.
fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    walk(bytes);
    let official = official::Request::decode(bytes);
    match (RequestView::parse(bytes), official) {
        (Ok(_), Err(error)) => {
            let fields = tree::parse(bytes, Message::Request);
            let is_excused = fields.is_some_and(|fields| tree::goes_beyond_core(&fields, Message::Request));
            prop_assert!(is_excused, "accepted, but prost says: {error}");
        }
        (Err(error), Ok(_)) => {
            let is_excused = matches!(
                error.kind,
                DecodeErrorKind::UnsupportedWireType { wire_type: 3 | 4 } | DecodeErrorKind::TooDeep
            );
            prop_assert!(is_excused, "prost accepts it, but: {error}");
        }
        (Ok(view), Ok(official)) => {
            // Of the same length when written again: nothing was merged, unknown, or of more bits than its type.
            let fields = tree::parse(bytes, Message::Request);
            let is_plain = fields.is_some_and(|fields| !tree::goes_beyond_core(&fields, Message::Request));
            if is_plain && official.encoded_len() == bytes.len() {
                prop_assert_eq!(views::request(&view), official::read(&official));
            }
        }
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        compare(&bytes)?;
    }

    /// Bytes that look like protobuf: low field numbers, short lengths.
    #[test]
    fn plausible_bytes_never_panic(bytes in vec(prop_oneof![0..0x80_u8, Just(0x80), Just(0xff), 0..0x20_u8], 0..100)) {
        compare(&bytes)?;
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn damaged_requests_never_panic(
        request in strategy::model_request(),
        damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = official::write(&request).encode_to_vec();
        for (place, byte, how) in damage {
            let at = place.index(bytes.len() + 1);
            match how {
                0 if at < bytes.len() => bytes[at] ^= byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
            compare(&bytes)?;
        }
    }

    /// Damage that keeps all lengths right reaches the rules behind them.
    #[test]
    fn changed_requests_get_the_verdict_of_prost(
        request in strategy::model_request(),
        has_invalid_links in any::<bool>(),
        changes in vec((any::<Index>(), change()), 1..8),
    ) {
        let mut request = official::write(&request);
        if has_invalid_links {
            // One broken rule must not hide the next.
            let scopes = request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans);
            scopes.flat_map(|group| &mut group.spans).flat_map(|span| &mut span.links).for_each(|link| link.span_id.clear());
        }
        let bytes = request.encode_to_vec();
        let mut fields = tree::parse(&bytes, Message::Request).unwrap();
        for (place, change) in changes {
            tree::apply(&mut fields, place, &change);
            compare(&tree::write(&fields))?;
        }
    }

}

proptest! {
    #![proptest_config(config(100))]

    /// Every place where a stream may break off.
    #[test]
    fn every_beginning_of_a_span_is_handled(span in strategy::model_span()) {
        let request = crate::model::Request { resource_spans: vec![crate::model::ResourceSpans {
            scope_spans: vec![crate::model::ScopeSpans { spans: vec![span], ..Default::default() }],
            ..Default::default()
        }]};
        let mut official = official::write(&request);
        let bytes = official.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0).encode_to_vec();
        let whole = SpanView::parse(&bytes).unwrap();
        for length in 0..bytes.len() {
            if let Ok(part) = SpanView::parse(&bytes[..length]) {
                prop_assert_eq!(part.trace_id(), whole.trace_id());
                let _ = views::span(&part);
            }
        }
    }
}

/// Nesting is bounded while reading as it is while writing: a few kilobytes must not cost the stack.
#[test]
fn values_are_nested_to_the_greatest_depth_and_no_further() {
    let nested = |levels: usize, is_map: bool| {
        let mut value = tree::Content::Varint(1);
        let mut number = 3;
        for _ in 0..levels {
            let any_value = vec![tree::Field { number, content: value }];
            let element = if is_map {
                let value = tree::Content::Message(Message::AnyValue, any_value);
                vec![tree::Field { number: 2, content: value }]
            } else {
                any_value
            };
            let element = tree::Content::Bytes(tree::write(&element));
            value = tree::Content::Bytes(tree::write(&[tree::Field { number: 1, content: element }]));
            number = if is_map { 6 } else { 5 };
        }
        let any_value = tree::Content::Bytes(tree::write(&[tree::Field { number, content: value }]));
        let pair = tree::Content::Bytes(tree::write(&[tree::Field { number: 2, content: any_value }]));
        let id = |number, width| tree::Field { number, content: tree::Content::Bytes(vec![1; width]) };
        tree::write(&[id(1, 16), id(2, 8), tree::Field { number: 9, content: pair }])
    };
    for is_map in [false, true] {
        let greatest = nested(MAX_VALUE_DEPTH, is_map);
        assert_eq!(SpanView::parse(&greatest).unwrap().attributes().count(), 1);
        let official = opentelemetry_proto::tonic::trace::v1::Span::decode(greatest.as_slice());
        assert!(official.is_ok(), "and the official messages read as much");
        for levels in [MAX_VALUE_DEPTH + 1, 2_000] {
            let verdict = SpanView::parse(&nested(levels, is_map)).map(|_| ()).map_err(|error| error.kind);
            assert_eq!(verdict, Err(DecodeErrorKind::TooDeep), "{levels} levels");
        }
    }
}

/// The rule of the module's exceptions: an id costs its span and nothing else, wherever in the span it is.
#[test]
fn an_invalid_id_costs_its_span_only() {
    let span = |edit: fn(&mut crate::model::Span)| {
        let mut span = crate::model::Span { trace_id: [1; 16], span_id: [2; 8], ..Default::default() };
        span.links.push(crate::model::Link { trace_id: [3; 16], span_id: [4; 8], ..Default::default() });
        edit(&mut span);
        span
    };
    let spans = vec![
        span(|_| {}),
        span(|span| span.trace_id = [0; 16]),
        span(|span| span.span_id = [0; 8]),
        span(|span| span.links[0].trace_id = [0; 16]),
        span(|span| span.links[0].span_id = [0; 8]),
        span(|span| span.name = "last".to_owned()),
    ];
    let scope_spans = vec![crate::model::ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![crate::model::ResourceSpans { scope_spans, ..Default::default() }];
    let bytes = official::write(&crate::model::Request { resource_spans }).encode_to_vec();
    let request = RequestView::parse(&bytes).unwrap();
    let scope = request.resource_spans().next().unwrap().scope_spans().next().unwrap();
    let verdicts: Vec<_> = scope.spans().map(|span| span.map(|(_, span)| span.name()).map_err(|e| e.kind)).collect();
    assert_eq!(
        verdicts,
        [
            Ok(""),
            Err(DecodeErrorKind::InvalidTraceId),
            Err(DecodeErrorKind::InvalidSpanId),
            Err(DecodeErrorKind::InvalidTraceId),
            Err(DecodeErrorKind::InvalidSpanId),
            Ok("last"),
        ]
    );
}
