//! Clewline for Rust in browsers and edge runtimes: what a page or worker lends to [`clewline_core`].
//!
//! The npm package `clewline`, for JavaScript, is built from `wasm/module` and `wasm/js` beside this crate.

pub mod host;
