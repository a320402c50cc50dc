//! Rust in a real page: spans, parents, headers and delivery, as a collector behind `fetch` sees them.
#![cfg(target_arch = "wasm32")]

mod context;
mod delivery;
mod requests;
mod spans;
mod support;

use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);
