//! Clewline in browsers and edge runtimes: spans live and are encoded here, JavaScript holds numbers.
//!
//! The npm package `clewline` is this crate's main user: it calls the functions of [`exports`] through hand-owned
//! JavaScript in `wasm/js`. A Rust program in the browser takes its clock and its ids from [`host`].
//!
//! - Every decision is core's: ids, sampling, limits, headers, encoding. Here is only where spans are kept.
//! - Memory is fixed: 256 live spans of 8 KiB, a batch of 256 KiB, no allocator in the recording path.
//! - A handle that is stale does nothing and is counted.
//!
//! It does not know time, transport or the active span; those belong to the host's language.

mod contexts;
pub mod exports;
pub mod host;
mod list;
mod memory;
mod store;
mod texts;
