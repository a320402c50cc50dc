//! A page where the sampler leaves everything out: nothing is sent, and the decision is handed on.
#![cfg(target_arch = "wasm32")]

use clewline_wasm::{ClientRequest, Ledger, context, inject, traceparent};
use tracing::info_span;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn what_is_sampled_out_is_handed_on_as_such_and_what_javascript_samples_is_recorded() {
    // No collector: what is sent fails, and is counted as pending.
    clewline_wasm::builder("shop-web").endpoint("http://127.0.0.1:9").sample_ratio(0.0).init().unwrap();
    let text = info_span!("root").in_scope(|| traceparent().unwrap());
    assert!(text.ends_with("-02"), "{text}: not sampled, and the trace id is random");
    let mut headers: Vec<(String, String)> = Vec::new();
    let request = ClientRequest::begin("GET", "/api", &mut headers);
    assert_eq!(headers.len(), 1, "the server is told");
    assert!(headers[0].1.ends_with("-02"), "{headers:?}");
    request.answered(200);
    info_span!("root").in_scope(|| inject(&mut headers));
    clewline_wasm::flush().await;
    assert_eq!(clewline_wasm::ledger(), Ledger::default());

    let _attached = context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").attach();
    info_span!("child").in_scope(|| ());
    clewline_wasm::flush().await;
    let ledger = clewline_wasm::ledger();
    assert_eq!((ledger.started, ledger.pending), (1, 1), "{ledger:?}");
}
