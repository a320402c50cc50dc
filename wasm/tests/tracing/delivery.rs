//! Delivery: batches, retry, and the page that is left; no span is lost without being counted.

use clewline_wasm::{InitError, Ledger, builder, init};
use tracing::info_span;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{Answer, INTERVAL, answer, answer_late, begin, dispatch, js, sent, until};

const LARGEST: usize = 60 * 1024;

fn record(count: usize, bytes: usize) {
    let text = "x".repeat(bytes);
    (0..count).for_each(|number| info_span!("work", number, text).in_scope(|| ()));
}

/// What happened since `before`: delivered, rejected, undeliverable, pending.
fn since(before: &Ledger) -> [u64; 4] {
    let now = clewline_wasm::ledger();
    assert_eq!(now.started, now.delivered + now.rejected + now.dropped() + now.not_exported + now.pending, "{now:?}");
    [
        now.delivered - before.delivered,
        now.rejected - before.rejected,
        now.dropped() - before.dropped(),
        now.pending - before.pending,
    ]
}

#[wasm_bindgen_test]
async fn spans_that_end_within_the_interval_leave_together() {
    let before = begin().await;
    let began = js_sys::Date::now();
    record(3, 10);
    assert!(sent().is_empty(), "not at once");
    until("a request", || since(&before)[0] == 3).await;
    assert!(js_sys::Date::now() - began >= INTERVAL.as_secs_f64() * 1000.0 - 2.0);
    let requests = sent();
    assert_eq!((requests.len(), requests[0].spans.len(), requests[0].is_kept_alive), (1, 3, true));
}

#[wasm_bindgen_test]
async fn many_spans_do_not_wait_and_no_request_is_over_the_limit() {
    let before = begin().await;
    record(600, 300);
    until("all of them", || since(&before)[0] == 600).await;
    let requests = sent();
    assert!(
        requests.len() >= 5 && requests.iter().all(|request| request.size <= LARGEST),
        "{} requests",
        requests.len()
    );
    let numbers =
        requests.iter().flat_map(|request| &request.spans).map(|span| format!("{:?}", span.attribute("number")));
    assert!(
        numbers.eq((0..600).map(|number| format!("{:?}", Some(clewline::exporter::OwnedValue::I64(number))))),
        "in order"
    );
}

#[wasm_bindgen_test]
async fn what_may_be_retried_is_and_what_may_not_is_counted() {
    let before = begin().await;
    answer([Answer::Status(503), Answer::NoNetwork]);
    record(1, 10);
    clewline_wasm::flush().await;
    assert_eq!(since(&before), [0, 0, 0, 1]);
    clewline_wasm::flush().await;
    clewline_wasm::flush().await;
    assert_eq!(since(&before), [1, 0, 0, 0]);
    let kept_alive: Vec<_> = sent().iter().map(|request| request.is_kept_alive).collect();
    assert_eq!(kept_alive, [true, false, false], "the first attempt only");

    answer([Answer::Status(400)]);
    record(2, 10);
    clewline_wasm::flush().await;
    assert_eq!(since(&before), [1, 2, 0, 0]);

    // Field 1 in field 1: one span was refused.
    answer([Answer::Body(&[0x0a, 0x02, 0x08, 0x01])]);
    record(3, 10);
    clewline_wasm::flush().await;
    assert_eq!(since(&before), [3, 3, 0, 0]);

    answer([504; 5].map(Answer::Status));
    record(4, 10);
    for _ in 0..5 {
        clewline_wasm::flush().await;
    }
    assert_eq!(since(&before), [3, 3, 4, 0], "given up after five attempts");
    record(1, 10);
    clewline_wasm::flush().await;
    assert_eq!(since(&before), [4, 3, 4, 0]);
}

#[wasm_bindgen_test]
async fn a_collector_that_asks_for_time_gets_it() {
    let before = begin().await;
    answer([Answer::RetryAfter(429, "2")]);
    let began = js_sys::Date::now();
    record(1, 10);
    until("the first attempt", || !sent().is_empty()).await;
    until("another", || since(&before)[0] == 1).await;
    assert!(js_sys::Date::now() - began >= 1990.0);
}

#[wasm_bindgen_test]
async fn a_page_that_is_left_sends_what_the_budget_allows_at_once_and_the_rest_if_it_comes_back() {
    let before = begin().await;
    answer([Answer::Later]);
    record(60, 1000);
    dispatch("pagehide");
    // Nothing was awaited: this is what a page that is gone has sent.
    let requests = sent();
    assert!(requests.iter().all(|request| request.is_kept_alive));
    let size: usize = requests.iter().map(|request| request.size).sum();
    assert!((LARGEST - 3000..=LARGEST).contains(&size), "{size} bytes");
    let left: usize = requests.iter().map(|request| request.spans.len()).sum();
    assert!(left < 60, "{left} spans");
    let number = requests[0].spans[0].attribute("number").cloned();
    assert_eq!(number, Some(0.into()), "the oldest first");
    dispatch("pagehide");
    assert!(sent().is_empty(), "the budget is spent");
    let unanswered = requests[0].spans.len() as u64;
    until("the rest", || since(&before) == [60 - unanswered, 0, 0, unanswered]).await;
    answer_late();
    until("the answer", || since(&before) == [60, 0, 0, 0]).await;
}

#[wasm_bindgen_test]
async fn a_span_that_is_too_large_for_the_budget_holds_no_others_up_and_is_not_lost() {
    let before = begin().await;
    record(20, 1000);
    record(1, 45_000);
    record(5, 1000);
    dispatch("pagehide");
    let left: Vec<_> = sent().iter().map(|request| request.spans.len()).collect();
    assert_eq!(left, [20, 5]);
    clewline_wasm::flush().await;
    let rest = sent();
    assert_eq!((rest.len(), rest[0].spans.len(), rest[0].size > 45_000), (1, 1, true));
    assert_eq!(since(&before), [26, 0, 0, 0]);
}

#[wasm_bindgen_test]
async fn a_page_that_is_hidden_sends_at_once() {
    begin().await;
    record(2, 10);
    js("Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })");
    js("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))");
    js("delete document.visibilityState");
    assert_eq!(sent().iter().map(|request| request.spans.len()).sum::<usize>(), 2);
}

#[wasm_bindgen_test]
async fn wrong_options_are_named_and_start_nothing() {
    begin().await;
    let not_again = |builder: clewline_wasm::Builder| builder.start().unwrap_err();
    assert_eq!(not_again(builder("")), InitError::ServiceName);
    assert_eq!(not_again(builder("a").sample_ratio(1.5)), InitError::SampleRatio);
    assert_eq!(not_again(builder("a").propagate_to("mailto:me")), InitError::PropagateTo("mailto:me".to_owned()));
    assert_eq!(not_again(builder("a")), InitError::AlreadyInitialised);
    assert_eq!(init("a").unwrap_err(), InitError::SubscriberSet);
}
