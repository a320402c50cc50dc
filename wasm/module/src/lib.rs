//! The WebAssembly module inside the npm package `clewline`: spans, sampling, `traceparent` and OTLP behind exports that take numbers.
//!
//! What the exports mean is in `wasm/js/wasm-exports.d.ts`, beside the JavaScript that calls them. Every decision is core's
//! (`clewline_core::direct`); here is where spans are kept.
//!
//! - All memory is there from the start and never grows: growth would detach the views that JavaScript has on it.
//! - Neither std nor an allocator, and no panic that can be reached: a test looks for their traces in the module.
//! - A handle that is stale does nothing and is counted. No number that arrives can do harm.
//!
//! It knows no clock, no transport and no active span; those are JavaScript's.
#![cfg_attr(target_arch = "wasm32", no_std)]

mod contexts;
#[cfg(target_arch = "wasm32")]
mod exports;
mod ids;
mod records;
mod slots;
mod store;

pub use ids::Ids;
pub use records::{Kind, Record};
pub use store::{Counters, Store};

#[cfg(all(target_arch = "wasm32", feature = "panic-handler"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
