//! The host side of Clewline.

#[cfg(feature = "server")]
pub mod server;
