//! `clewline::http` over real sockets: what servers and clients record, and how traces go through them.

mod client;
mod concurrent;
mod ending;
mod server;
mod support;
