//! The host side of Clewline.

pub mod config;
pub mod exporter;
#[cfg(feature = "server")]
pub mod server;
