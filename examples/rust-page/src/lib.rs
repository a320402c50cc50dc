//! A page whose checkout is written in Rust: one trace from JavaScript's click through Rust to the server, and back.
//!
//! Built by `cargo build --package rust-page --target wasm32-unknown-unknown` and `wasm-bindgen --target web --out-dir pkg …`, as
//! `cargo xtask test --only e2e` does; a bundler such as trunk does both.

use clewline_wasm::{SendTraced as _, WithContext as _};
use gloo_net::http::Request;
use js_sys::Function;
use tracing::Instrument as _;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};
use wasm_bindgen_futures::spawn_local;

/// Starts tracing as soon as the module is loaded. Spans go to the page's own origin, which hands them on to a collector.
///
/// # Errors
/// Tracing could not be started; the page works without.
#[wasm_bindgen(start)]
pub fn start() -> Result<(), JsError> {
    Ok(clewline_wasm::builder("shop-rust").endpoint("/").init()?)
}

/// Checks a cart out for JavaScript, whose span is `parent`, the value of a `traceparent` header. `told` is called with the receipt
/// and with the span that JavaScript continues the trace from.
///
/// # Errors
/// The server does not answer.
#[wasm_bindgen]
pub async fn checkout(cart: u32, parent: String, told: Function) -> Result<(), JsError> {
    Ok(buy(cart, told).with_context(clewline_wasm::context(&parent)).await?)
}

/// Continues JavaScript's span: the context that it is in is the parent.
#[tracing::instrument(skip(told))]
async fn buy(cart: u32, told: Function) -> Result<(), gloo_net::Error> {
    // A task of its own, within this span; the two take turns.
    spawn_local(remember(cart).in_current_span());
    let response = Request::post("/api/checkout").send_traced().await?;
    let receipt = response.text().await?;
    tracing::info!(bytes = receipt.len(), "receipt");
    if told.call2(&JsValue::UNDEFINED, &receipt.into(), &clewline_wasm::traceparent().into()).is_err() {
        tracing::warn!("the page cannot show the receipt");
    }
    Ok(())
}

#[tracing::instrument]
async fn remember(cart: u32) {
    if let Err(error) = Request::put(&format!("/api/carts/{cart}")).send_traced().await {
        tracing::error!(%error, "not remembered");
    }
}

/// What became of the spans of Rust, for the page to show.
#[must_use]
#[wasm_bindgen]
pub fn ledger() -> String {
    let ledger = clewline_wasm::ledger();
    format!(
        "{} started, {} delivered, {} dropped",
        ledger.started,
        ledger.delivered,
        ledger.dropped() + ledger.rejected
    )
}
