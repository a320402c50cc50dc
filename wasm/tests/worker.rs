//! Rust in a dedicated worker: there is no document and no page that is left, and spans leave all the same.
#![cfg(target_arch = "wasm32")]

use clewline_wasm::{Carrier as _, ClientRequest, page_context};
use js_sys::{Function, Reflect, global};
use tracing::info_span;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn spans_of_a_worker_leave_and_its_requests_are_traced() {
    let collector = "globalThis.sent = url; return Promise.resolve(new Response(''))";
    let collector = Function::new_with_args("url", collector);
    clewline_wasm::builder("shop-worker").endpoint("/otlp").fetch(collector).init().unwrap();
    assert!(page_context().is_empty());
    let mut headers: Vec<(String, String)> = Vec::new();
    info_span!("work").in_scope(|| ClientRequest::begin("GET", "/api", &mut headers).answered(200));
    assert!(headers.has("traceparent"), "the worker's origin is the page's");
    clewline_wasm::flush().await;
    let ledger = clewline_wasm::ledger();
    assert_eq!((ledger.started, ledger.delivered), (2, 2), "{ledger:?}");
    let sent = Reflect::get(&global(), &"sent".into()).unwrap().as_string().unwrap();
    assert!(sent.starts_with("http://127.0.0.1:") && sent.ends_with("/otlp/v1/traces"), "{sent}");
}
