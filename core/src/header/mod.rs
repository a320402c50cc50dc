//! The headers that carry a context between processes.

pub mod traceparent;
