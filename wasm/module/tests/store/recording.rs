//! What is recorded through the store is what the OTLP request says, and whatever goes wrong is counted.

use crate::page::{Js, Page};
use clewline_core::{RequestView, SpanKind, StatusCode, ValueView};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// What is said of a span that is forgotten.
const NOBODY: &str = "00-00000000000000000000000000000000-0000000000000000-00";

#[test]
fn every_kind_of_record_arrives() {
    Page::run(1.0, |page| {
        let long = "ß".repeat(3000);
        let (name, parent) = (page.text("name"), page.text(PARENT));
        let span = page.store.start(name, 3, 0, parent);
        page.set(
            span,
            &[
                ("text", Js::Text("grün")),
                ("long", Js::Text(&long)),
                ("integer", Js::Integer(-9_007_199_254_740_991.0)),
                ("double", Js::Double(0.1)),
                ("flag", Js::Boolean(true)),
                ("list", Js::Array(vec![Js::Text("a"), Js::Integer(2.0), Js::Boolean(false), Js::Null])),
                ("other", Js::Other),
                ("nested", Js::Array(vec![Js::Array(vec![Js::Boolean(true)])])),
                ("", Js::Text("no key")),
            ],
        );
        page.set(span, &[("text", Js::Integer(1.0))]);
        let (name, attributes) =
            (page.text("happened"), page.attributes(&[("ratio", Js::Double(0.5)), ("odd", Js::Other)]));
        page.store.event(span, name, 2000.0, attributes);
        let (context, attributes) = (page.text(PARENT), page.attributes(&[("why", Js::Boolean(true)), ("", Js::Null)]));
        page.store.link(span, context, attributes);
        let (message, name) = (page.text("broken"), page.text("renamed"));
        page.store.status(span, 2, message);
        page.store.rename(span, name);
        assert!(page.store.end(span, 1000.0, 5000.0) > 0);

        assert_eq!(
            (page.store.counters.live, page.store.counters.batched, page.store.counters.truncated_texts),
            (0, 1, 1)
        );
        page.with_spans(|spans| {
            let [span] = spans else { panic!("{} spans", spans.len()) };
            assert_eq!((span.name(), span.kind()), ("renamed", SpanKind::Client));
            assert_eq!(span.trace_id().to_hex(), PARENT.as_bytes()[3..35]);
            assert_eq!(span.parent_span_id().unwrap().to_hex(), PARENT.as_bytes()[36..52]);
            assert_eq!(span.start_time_unix_nano(), 1_700_000_000_000_001_000);
            assert_eq!(span.end_time_unix_nano(), 1_700_000_000_000_005_000);
            assert_eq!((span.status().code, span.status().message), (StatusCode::Error, "broken"));
            let attributes = span.attributes();
            assert_eq!(attributes.get("text").and_then(|value| value.as_i64()), Some(1), "replaced");
            assert_eq!(attributes.get("long").and_then(|value| value.as_str()), Some("ß".repeat(2048).as_str()));
            assert_eq!(attributes.get("integer").and_then(|value| value.as_i64()), Some(-9_007_199_254_740_991));
            assert!(matches!(attributes.get("double"), Some(ValueView::F64(number)) if number == 0.1));
            assert!(matches!(attributes.get("flag"), Some(ValueView::Bool(true))));
            let Some(ValueView::List(list)) = attributes.get("list") else { panic!("no list") };
            assert_eq!(format!("{:?}", list.iter().collect::<Vec<_>>()), r#"["a", 2, false, null]"#);
            assert_eq!(span.attributes().count(), 6);
            assert_eq!(span.dropped_attributes_count(), 3, "the function, the nested list, the empty key");
            let event = span.events().next().unwrap();
            assert_eq!((event.name(), event.time_unix_nano()), ("happened", 1_700_000_000_000_002_000));
            assert!(matches!(event.attributes().get("ratio"), Some(ValueView::F64(number)) if number == 0.5));
            assert_eq!(event.dropped_attributes_count(), 1);
            let link = span.links().next().unwrap();
            assert_eq!(link.span_id().to_hex(), PARENT.as_bytes()[36..52]);
            assert_eq!((link.attributes().count(), link.dropped_attributes_count()), (1, 1));
        });
    });
}

#[test]
fn the_request_names_resource_and_scope() {
    Page::run(1.0, |page| {
        let span = page.start("n", 0);
        page.store.end(span, 0.0, 1.0);
        let bytes = page.store.request(1 << 20);
        let request = RequestView::parse(&bytes).unwrap();
        let group = request.resource_spans().next().unwrap();
        assert_eq!(group.resource().attributes().get("service.name").and_then(|value| value.as_str()), Some("test"));
        let scope = group.scope_spans().next().unwrap().scope();
        assert_eq!((scope.name(), scope.version()), ("clewline", env!("CARGO_PKG_VERSION")));
    });
}

#[test]
fn a_resource_without_otlp_form_or_room_is_refused() {
    Page::run(1.0, |page| {
        let odd = page.attributes(&[("service.name", Js::Text("test")), ("odd", Js::Other)]);
        assert!(!page.store.configure(odd, 1.0, 0.0));
        let long = "x".repeat(2000);
        let much = page.attributes(&["a", "b", "c", "d", "e"].map(|key| (key, Js::Text(&long))));
        assert!(!page.store.configure(much, 1.0, 0.0));
        for wrong in [f64::NAN, -0.1, 1.5] {
            assert!(!page.store.configure(0, wrong, 0.0), "{wrong} is no share");
        }
    });
}

#[test]
fn children_share_the_trace_even_after_the_parent_ended() {
    Page::run(1.0, |page| {
        let root = page.start("root", 0);
        let header = page.traceparent(root);
        assert!(header.ends_with("-03"), "sampled, and random: {header}");
        page.store.end(root, 0.0, 1.0);
        assert_eq!(page.traceparent(root), header);
        let child = page.start("child", root);
        page.store.end(child, 2.0, 3.0);
        page.with_spans(|spans| {
            assert_eq!(spans[1].trace_id(), spans[0].trace_id());
            assert_eq!(spans[1].parent_span_id(), Some(spans[0].span_id()));
            assert_eq!(spans[0].parent_span_id(), None);
            assert_eq!(spans[0].trace_id().to_hex(), header.as_bytes()[3..35]);
        });
    });
}

#[test]
fn stale_handles_do_nothing_and_are_counted() {
    Page::run(1.0, |page| {
        let span = page.start("n", 0);
        page.store.end(span, 0.0, 1.0);
        page.store.end(span, 0.0, 2.0);
        page.set(span, &[("k", Js::Integer(1.0))]);
        page.set(0, &[("k", Js::Boolean(true))]);
        page.store.event(u32::MAX, 0, 0.0, 0);
        assert_eq!(page.traceparent(u32::MAX), NOBODY);
        assert_eq!(page.store.counters.stale_handles, 5);
        page.with_spans(|spans| {
            assert_eq!(spans.len(), 1);
            assert_eq!((spans[0].attributes().count(), spans[0].duration_nanos()), (0, 1));
        });
    });
}

#[test]
fn malformed_parents_begin_a_new_trace_and_are_counted() {
    Page::run(1.0, |page| {
        for header in ["", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "garbage"] {
            let header = page.text(header);
            let name = page.text("n");
            let span = page.store.start(name, 1, 0, header);
            page.store.link(span, header, 0);
            page.store.end(span, 0.0, 1.0);
        }
        assert_eq!(page.store.counters.malformed_parents, 6);
        page.with_spans(|spans| {
            assert_eq!(spans.len(), 3);
            assert!(spans.iter().all(|span| span.parent_span_id().is_none() && span.links().count() == 0));
        });
    });
}

#[test]
fn nonsense_numbers_are_harmless() {
    Page::run(1.0, |page| {
        page.store.written().1.fill(0xff);
        for number in [u32::MAX, 0x8000_0000, 0xffff_c000, 0x3fff] {
            let span = page.store.start(number, number, 0, 0);
            page.store.set(span, number);
            page.store.event(span, number, f64::INFINITY, number);
            page.store.link(span, number, number);
            page.store.status(span, number, number);
            page.store.rename(span, number);
            page.store.end(span, f64::NAN, f64::NEG_INFINITY);
            assert_eq!(page.traceparent(number), NOBODY);
        }
        assert_eq!(page.store.counters.batched, 4);
        for max in [usize::MAX, 0] {
            let _ = page.store.take(max);
        }
    });
}

#[test]
fn a_span_that_nobody_can_end_makes_room_once() {
    Page::run(1.0, |page| {
        let name = page.text("forgotten");
        let [first, second] = [0; 2].map(|_| page.store.start(name, 1, 0, 0));
        page.store.end(second, 1.0, 2.0);
        for handle in [first, first, second, 0] {
            page.store.end(handle | 1 << 31, 0.0, 0.0);
        }
        let counters = page.store.counters;
        assert_eq!((counters.abandoned, counters.live, counters.batched, counters.stale_handles), (1, 0, 1, 0));
        for _ in 0..2048 {
            page.store.start(name, 1, 0, 0);
        }
        assert_eq!(
            (page.store.counters.abandoned, page.store.counters.live),
            (1, 2048),
            "every place is free again, once"
        );
    });
}

#[test]
fn the_oldest_of_too_many_live_spans_is_abandoned() {
    Page::run(1.0, |page| {
        let first = page.start("first", 0);
        let second = page.start("second", 0);
        page.store.end(first, 0.0, 1.0);
        let rest: Vec<_> = (0..2047).map(|_| page.start("rest", 0)).collect();
        assert_eq!((page.store.counters.abandoned, page.store.counters.live), (0, 2048));
        let newest = page.start("newest", 0);
        assert_eq!((page.store.counters.abandoned, page.store.counters.live), (1, 2048));
        assert_ne!(page.traceparent(second), NOBODY, "its context lives on");
        page.store.end(second, 0.0, 2.0);
        assert_eq!(page.store.counters.stale_handles, 1);
        for span in rest.into_iter().chain([newest]) {
            page.store.end(span, 0.0, 2.0);
        }
        assert_eq!((page.store.counters.live, page.store.counters.batched), (0, 2049));
    });
}

#[test]
fn requests_stay_below_their_limit_and_keep_the_order() {
    Page::run(1.0, |page| {
        for number in 0..500 {
            let span = page.start("n", 0);
            page.set(span, &[("number", Js::Integer(number.into()))]);
            page.store.end(span, 0.0, 1.0);
        }
        let mut numbers = Vec::new();
        for max in [600, 2_000, 30_000].into_iter().chain([10_000].into_iter().cycle()) {
            let request = page.store.request(max);
            if request.is_empty() {
                break;
            }
            assert!(request.len() <= max);
            for group in RequestView::parse(&request).unwrap().resource_spans().flat_map(|group| group.scope_spans()) {
                let spans = group.spans().map(|span| span.unwrap().1);
                numbers.extend(spans.map(|span| span.attributes().get("number").unwrap().as_i64().unwrap()));
            }
        }
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
        let span = page.start("n", 0);
        page.store.end(span, 0.0, 1.0);
        assert_eq!((page.store.take(100), page.store.counters.request_spans), (0, 0), "no room for a span");
        assert_eq!(page.store.counters.batched, 1, "it stays");
        assert!(page.store.take(1000) > 100);
        assert_eq!((page.store.counters.request_spans, page.store.counters.batched), (1, 0));
    });
}

#[test]
fn a_full_batch_counts_what_it_refuses() {
    Page::run(1.0, |page| {
        let big = "x".repeat(2000);
        for _ in 0..200 {
            let span = page.start("n", 0);
            page.set(span, &[("text", Js::Text(&big))]);
            page.store.end(span, 0.0, 1.0);
        }
        let counters = page.store.counters;
        assert!(counters.batch_full > 60 && counters.batched + counters.batch_full == 200, "{counters:?}");
    });
}

#[test]
fn times_before_1970_are_1970() {
    Page::run(1.0, |page| {
        let span = page.start("n", 0);
        // 1,700,000,000 s before the anchor, as a double that is a little too far from it.
        page.store.end(span, -1_700_000_000_000_000_256.0, -1e30);
        page.with_spans(|spans| assert_eq!((spans[0].start_time_unix_nano(), spans[0].end_time_unix_nano()), (0, 0)));
    });
}
