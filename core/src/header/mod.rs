//! The headers that carry a context between processes.

pub mod baggage;
pub mod binary;
mod joined;
pub mod ot;
mod percent;
pub mod server_timing;
mod text;
pub mod traceparent;
pub mod tracestate;

pub use text::HeaderText;
