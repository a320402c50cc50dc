//! A span that is not sampled records nothing and still carries its context.
#![cfg(target_arch = "wasm32")]

mod common;

use clewline_wasm::exports::*;
use common::{intern, take, traceparent, write};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const NOT_SAMPLED: u32 = 1;

#[wasm_bindgen_test]
fn the_decision_travels_with_the_context() {
    assert!(!common::configure(f64::NAN) && !common::configure(1.5), "no share of anything");
    assert!(common::configure(0.0));
    let name = intern("n");

    let root = span_start(name, 1, 0, f64::NAN);
    let header = traceparent(root).unwrap();
    assert_eq!((root & 1, header.len()), (0, 55));
    assert!(header.ends_with("-02"), "random, not sampled: {header}");
    let child = span_start(name, 1, root, f64::NAN);
    assert_eq!(child & 1, 0);
    assert_eq!(traceparent(child).unwrap()[..35], header[..35]);
    assert_eq!(counter(NOT_SAMPLED), 2.0);

    // Somebody else's decision counts more than our share.
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let span = span_start_remote(name, 2, write(&[sampled.as_bytes()]), f64::NAN);
    assert_eq!(span & 1, 1);
    set_start(span, 7.0);
    assert_eq!(take(65_536), None);
    let _ = end(span, 9.0);
    let request = take(65_536).unwrap();
    let request = clewline_core::RequestView::parse(&request).unwrap();
    let group = request.resource_spans().next().unwrap().scope_spans().next().unwrap();
    let (_, span) = group.spans().next().unwrap().unwrap();
    assert_eq!((span.start_time_unix_nano(), span.duration_nanos()), (1_700_000_000_000_000_012, 2));
    assert_eq!(group.spans().count(), 1);
}
