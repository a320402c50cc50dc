//! What is recorded through the exports is what the OTLP request says, and whatever goes wrong is counted.
#![cfg(target_arch = "wasm32")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use clewline_core::{RequestView, SpanKind, SpanView, StatusCode, ValueView};
use clewline_wasm::exports::*;
use common::{entry, intern, take, traceparent, write};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// From here on a text is a length in the scratch buffer (`js/wasm-exports.d.ts`).
const TEXT: u32 = 0x1_0000;

const LIVE: u32 = 3;
const BATCHED: u32 = 4;
const ABANDONED: u32 = 5;
const BATCH_FULL: u32 = 6;
const STALE: u32 = 7;
const MALFORMED: u32 = 8;

/// Each test finds an empty batch and no live span of its own making.
fn begin() {
    static CONFIGURED: AtomicBool = AtomicBool::new(false);
    assert!(CONFIGURED.swap(true, Ordering::Relaxed) || common::configure(1.0));
    while take(65_536).is_some() {}
    assert_eq!((counter(LIVE), counter(BATCHED)), (0.0, 0.0));
}

/// The spans of the next request, oldest first.
fn with_spans(check: impl FnOnce(&[SpanView<'_>])) {
    let request = take(65_536).unwrap();
    let request = RequestView::parse(&request).unwrap();
    let spans: Vec<_> = request
        .resource_spans()
        .flat_map(|group| group.scope_spans())
        .flat_map(|group| group.spans())
        .map(|span| span.unwrap().1)
        .collect();
    check(&spans);
}

#[wasm_bindgen_test]
fn every_kind_of_record_arrives() {
    begin();
    let text_key = intern("text");
    let long = "ß".repeat(3000);
    let span = span_start_remote(TEXT + 4, 3, write(&[b"name", PARENT.as_bytes()]) - 4, 1000.0);
    set_str(span, text_key, write(&["grün".as_bytes()]));
    // A key that is not interned: its text first, the value behind it.
    set_str(span, TEXT + 4, write(&[b"long", long.as_bytes()]) - 4);
    set_i64(span, intern("integer"), -9_007_199_254_740_991.0);
    set_f64(span, intern("double"), 0.1);
    set_bool(span, intern("flag"), 1);
    let list = [entry(1, "", b"a"), entry(2, "", &2_f64.to_le_bytes()), entry(4, "", &[0]), entry(0, "", &[])].concat();
    let key = intern("list");
    set_array(span, key, write(&[&list]));
    refuse_attribute(span);
    let nested = [entry(5, "", &entry(4, "", &[1]))].concat();
    set_array(span, key, write(&[&nested]));
    set_i64(span, text_key, 1.0);
    let attributes = [entry(3, "ratio", &0.5_f64.to_le_bytes()), entry(255, "odd", &[])].concat();
    let name = intern("happened");
    event(span, name, write(&[&attributes]), 2000.0);
    link(span, write(&[PARENT.as_bytes(), &entry(4, "why", &[1])]) - 55);
    set_status(span, 2, write(&[b"broken"]));
    update_name(span, intern("renamed"));
    assert!(end(span, 4999.6) > 0, "rounded");

    with_spans(|spans| {
        let [span] = spans else { panic!("{} spans", spans.len()) };
        assert_eq!((span.name(), span.kind()), ("renamed", SpanKind::Client));
        assert_eq!(span.trace_id().to_hex(), PARENT.as_bytes()[3..35]);
        assert_eq!(span.parent_span_id().unwrap().to_hex(), PARENT.as_bytes()[36..52]);
        assert_eq!(span.start_time_unix_nano(), 1_700_000_000_000_001_005);
        assert_eq!(span.end_time_unix_nano(), 1_700_000_000_000_005_005);
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
        assert_eq!(span.dropped_attributes_count(), 2, "the refused one and the nested list");
        let event = span.events().next().unwrap();
        assert_eq!((event.name(), event.time_unix_nano()), ("happened", 1_700_000_000_000_002_005));
        assert!(matches!(event.attributes().get("ratio"), Some(ValueView::F64(number)) if number == 0.5));
        assert_eq!(event.dropped_attributes_count(), 1);
        let link = span.links().next().unwrap();
        assert_eq!(link.span_id().to_hex(), PARENT.as_bytes()[36..52]);
        assert_eq!(link.attributes().count(), 1);
    });
}

#[wasm_bindgen_test]
fn the_request_names_resource_and_scope() {
    begin();
    let _ = end(span_start(intern("n"), 1, 0, 0.0), 1.0);
    let bytes = take(65_536).unwrap();
    let request = RequestView::parse(&bytes).unwrap();
    let group = request.resource_spans().next().unwrap();
    let resource = group.resource().attributes();
    let text = |key| resource.get(key).and_then(|value| value.as_str());
    assert_eq!(text("service.name"), Some("test"));
    assert_eq!((text("telemetry.sdk.name"), text("telemetry.sdk.language")), (Some("clewline"), Some("webjs")));
    let scope = group.scope_spans().next().unwrap().scope();
    assert_eq!((scope.name(), scope.version()), ("clewline", env!("CARGO_PKG_VERSION")));
    let _ = end(span_start(intern("n"), 1, 0, 0.0), 1.0);
    assert!(!common::configure(1.0), "a second time");
    assert_eq!(counter(BATCHED), 1.0, "which changes nothing");
}

#[wasm_bindgen_test]
fn children_share_the_trace_even_after_the_parent_ended() {
    begin();
    let name = intern("n");
    let root = span_start(name, 1, 0, 0.0);
    let header = traceparent(root).unwrap();
    assert!(header.ends_with("-03"), "sampled, and random: {header}");
    let _ = end(root, 1.0);
    assert_eq!(traceparent(root).as_ref(), Some(&header));
    let child = span_start(name, 1, root, 2.0);
    let _ = end(child, 3.0);
    with_spans(|spans| {
        assert_eq!(spans[1].trace_id(), spans[0].trace_id());
        assert_eq!(spans[1].parent_span_id(), Some(spans[0].span_id()));
        assert_eq!(spans[0].parent_span_id(), None);
        assert_eq!(spans[0].trace_id().to_hex(), header.as_bytes()[3..35]);
    });
}

#[wasm_bindgen_test]
fn stale_handles_do_nothing_and_are_counted() {
    begin();
    let before = counter(STALE);
    let span = span_start(intern("n"), 1, 0, 0.0);
    let _ = end(span, 1.0);
    let length = end(span, 2.0);
    set_i64(span, intern("k"), 1.0);
    set_bool(0, intern("k"), 1);
    set_f64(u32::MAX, intern("k"), 1.0);
    assert_eq!(traceparent(u32::MAX), None);
    assert_eq!(counter(STALE) - before, 5.0);
    with_spans(|spans| {
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].attributes().count(), spans[0].duration_nanos()), (0, 1));
    });
    assert!(length > 0);
}

#[wasm_bindgen_test]
fn malformed_parents_begin_a_new_trace_and_are_counted() {
    begin();
    let before = counter(MALFORMED);
    let name = intern("n");
    for header in ["", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "garbage"] {
        let span = span_start_remote(name, 1, write(&[header.as_bytes()]), 0.0);
        link(span, write(&["x".repeat(55).as_bytes()]) - 55);
        let _ = end(span, 1.0);
    }
    assert_eq!(counter(MALFORMED) - before, 6.0);
    with_spans(|spans| {
        assert_eq!(spans.len(), 3);
        assert!(spans.iter().all(|span| span.parent_span_id().is_none() && span.links().count() == 0));
    });
}

#[wasm_bindgen_test]
fn nonsense_lengths_and_ids_are_harmless() {
    begin();
    let span = span_start(u32::MAX, 99, 0, f64::NAN);
    write(&[&[0xff; 64]]);
    set_str(span, 60_000, u32::MAX);
    set_array(span, intern("k"), u32::MAX);
    event(span, u32::MAX, u32::MAX, f64::INFINITY);
    link(span, u32::MAX);
    set_status(span, 77, u32::MAX);
    set_start(span, -1e300);
    let _ = end(span, f64::NEG_INFINITY);
    assert_eq!(counter(1000), 0.0);
    let bytes = take(65_536).unwrap();
    assert!(RequestView::parse(&bytes).is_ok());
}

#[wasm_bindgen_test]
fn the_oldest_of_too_many_live_spans_is_abandoned() {
    begin();
    let (name, before) = (intern("n"), counter(ABANDONED));
    let first = span_start(name, 1, 0, 10.0);
    let second = span_start(name, 1, 0, 5.0);
    let rest: Vec<_> = (0..254).map(|index| span_start(name, 1, 0, 20.0 + f64::from(index))).collect();
    assert_eq!((counter(ABANDONED) - before, counter(LIVE)), (0.0, 256.0));
    let newest = span_start(name, 1, 0, 1000.0);
    assert_eq!((counter(ABANDONED) - before, counter(LIVE)), (1.0, 256.0));
    assert!(traceparent(second).is_some(), "its context lives on");
    let stale = counter(STALE);
    let _ = end(second, 2000.0);
    assert_eq!(counter(STALE) - stale, 1.0);
    for span in rest.into_iter().chain([first, newest]) {
        let _ = end(span, 2000.0);
    }
    assert_eq!((counter(LIVE), counter(BATCHED)), (0.0, 256.0));
}

#[wasm_bindgen_test]
fn requests_stay_below_their_limit_and_keep_the_order() {
    begin();
    let (name, key) = (intern("n"), intern("number"));
    for number in 0..500 {
        let span = span_start(name, 1, 0, 0.0);
        set_i64(span, key, f64::from(number));
        let _ = end(span, 1.0);
    }
    let mut numbers = Vec::new();
    for max in [600, 2_000, 30_000].into_iter().chain([10_000].into_iter().cycle()) {
        let spans_before = counter(BATCHED);
        let Some(request) = take(max) else { break };
        assert!(request.len() <= max as usize && request.len() + 100 > max as usize || counter(BATCHED) == 0.0);
        assert_eq!(spans_before - counter(BATCHED), f64::from(request_spans()));
        for group in RequestView::parse(&request).unwrap().resource_spans().flat_map(|group| group.scope_spans()) {
            numbers.extend(
                group.spans().map(|span| span.unwrap().1.attributes().get("number").unwrap().as_i64().unwrap()),
            );
        }
    }
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    let _ = end(span_start(name, 1, 0, 0.0), 1.0);
    assert_eq!(take(100), None, "no room for a span");
    assert_eq!(counter(BATCHED), 1.0, "it stays");
}

#[wasm_bindgen_test]
fn a_full_batch_counts_what_it_refuses() {
    begin();
    let (name, key, before) = (intern("n"), intern("text"), counter(BATCH_FULL));
    let big = [b'x'; 2000];
    for _ in 0..200 {
        let span = span_start(name, 1, 0, 0.0);
        set_str(span, key, write(&[&big]));
        let _ = end(span, 1.0);
    }
    let refused = counter(BATCH_FULL) - before;
    assert!(refused > 60.0 && counter(BATCHED) + refused == 200.0, "{refused}");
}
