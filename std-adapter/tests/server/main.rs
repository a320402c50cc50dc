//! The server over real sockets: receiving, keeping, finding and telling, and the `clewline` binary in front of it.
#![cfg(feature = "server")]

#[cfg(feature = "cli")]
mod binary;
mod browsers;
mod connections;
mod grpc;
mod json;
#[path = "../nobody/mod.rs"]
mod nobody;
mod query;
mod receive;
mod spans;
mod store;
mod stream;
mod support;
