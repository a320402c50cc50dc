//! `clewline::http` over real sockets: what servers and clients record, and how traces go through them.

mod client;
mod client_layer;
mod concurrent;
mod ending;
mod grpc;
mod handed_on;
#[path = "../nobody/mod.rs"]
mod nobody;
mod options;
mod server;
mod support;
