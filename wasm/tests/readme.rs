//! The page of README.md for Rust in a page, word for word, on a stand-in for the part of Leptos that it uses.
#![cfg(target_arch = "wasm32")]

use js_sys::{Function, Promise};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// A view of one button, which is clicked at once.
macro_rules! view {
    (<button on:click=|_| $call:ident $arguments:tt>$label:literal</button>) => {{
        assert_eq!($label, "Checkout");
        $call $arguments
    }};
}

mod leptos {
    pub(crate) mod prelude {
        pub(crate) fn mount_to_body(view: impl FnOnce()) {
            view();
        }
    }
    pub(crate) mod task {
        pub(crate) use wasm_bindgen_futures::spawn_local;
    }
}

#[rustfmt::skip]
mod page {
    use super::leptos;

    use clewline_wasm::SendTraced as _;
    use gloo_net::http::Request;
    use leptos::{prelude::*, task::spawn_local};

    #[tracing::instrument]                                            // a span, also across `await`
    async fn checkout(cart: u32) -> Result<String, gloo_net::Error> {
        Request::post("/api/checkout").send_traced().await?.text().await       // a CLIENT span; the server continues the trace
    }

    pub(super) fn main() {
        clewline_wasm::builder("shop-web").endpoint("/otlp").init().expect("it is started once");
        mount_to_body(|| view! { <button on:click=|_| spawn_local(async { _ = checkout(7).await; })>"Checkout"</button> });
    }
}

/// Waits for a moment, so that what is under way goes on.
async fn rest() {
    let timer = Function::new_with_args("done", "setTimeout(done, 20)");
    let promise = Promise::new(&mut |done, _| drop(timer.call1(&done, &done)));
    JsFuture::from(promise).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_click_makes_two_spans_and_they_leave() {
    page::main();
    for _ in 0..500 {
        clewline_wasm::flush().await;
        let ledger = clewline_wasm::ledger();
        // Whoever serves this test knows no spans, and says so.
        if ledger.delivered + ledger.rejected == 2 {
            assert_eq!(ledger.started, 2, "{ledger:?}");
            return;
        }
        rest().await;
    }
    panic!("the spans did not leave: {:?}", clewline_wasm::ledger());
}
