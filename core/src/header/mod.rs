//! The headers that carry a context between processes.

mod joined;
pub mod ot;
mod text;
pub mod traceparent;
pub mod tracestate;

pub use text::HeaderText;
