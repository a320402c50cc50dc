//! The clock and the randomness of a real page.
#![cfg(target_arch = "wasm32")]

use clewline_core::{Clock, IdSource};
use clewline_wasm::host::{PageClock, random_ids};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn the_clock_agrees_with_date_and_never_runs_backwards() {
    let earliest = js_sys::Date::now();
    let clock = PageClock::new();
    // What it took to read both clocks is how far they may be apart: a busy computer rests whenever it likes.
    let tolerance = 50.0 + js_sys::Date::now() - earliest;
    let mut last = 0;
    for _ in 0..10_000 {
        let now = clock.unix_nanos().unwrap();
        assert!(now >= last);
        last = now;
    }
    let before = js_sys::Date::now();
    let now = clock.unix_nanos().unwrap() as f64 / 1e6;
    let after = js_sys::Date::now();
    assert!(
        before - tolerance < now && now < after + tolerance,
        "{now} is not between {before} and {after}, give or take {tolerance}"
    );
}

#[wasm_bindgen_test]
fn two_sources_make_different_random_ids() {
    let (one, other) = (random_ids().unwrap(), random_ids().unwrap());
    assert!(one.is_random());
    assert_ne!(one.trace_id(), other.trace_id());
    assert_ne!(one.span_id(), other.span_id());
}
