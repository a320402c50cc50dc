//! The `tracing` layer, from call sites to the bytes that leave, read back with OpenTelemetry's own messages.

mod asynchronous;
mod carried;
mod disabled;
#[path = "door_layer.rs"]
mod door;
mod errors;
mod events;
mod fields;
mod filters;
mod hostile;
mod late_parents;
mod native;
mod options;
mod parents;
mod shutdown;
mod support;
mod threads;
