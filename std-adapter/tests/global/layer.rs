//! The layer on a registry as the process's default.

#[path = "../counting/mod.rs"]
mod counting;
#[path = "../layer/door_layer.rs"]
mod door;
mod steady;
