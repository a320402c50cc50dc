//! The headers that carry a context between processes.

pub mod baggage;
mod joined;
pub mod ot;
mod percent;
mod text;
pub mod traceparent;
pub mod tracestate;

pub use text::HeaderText;
