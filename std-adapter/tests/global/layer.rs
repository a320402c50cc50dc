//! The layer on a registry as the process's default.

#[path = "../layer/door_layer.rs"]
mod door;
mod steady;
