//! The headers that carry a context between processes.

pub mod b3;
pub mod baggage;
pub mod binary;
pub mod environment;
pub mod jaeger;
mod joined;
pub mod ot;
mod percent;
pub mod propagation;
pub mod server_timing;
mod text;
pub mod traceparent;
pub mod tracestate;

pub use text::HeaderText;
