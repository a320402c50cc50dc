//! The host side of Clewline.

pub mod config;
#[cfg(feature = "server")]
pub mod server;
