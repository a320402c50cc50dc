//! `init` as a program meets it: each case in a process of its own, with an environment of its own.
#![cfg(all(feature = "console", feature = "serde", feature = "spool", feature = "tracing", feature = "zipkin"))]

mod alone;
mod collector;
mod running;
mod setup;
mod starting;
