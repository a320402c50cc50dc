//! Clewline's own subscriber as the process's default.

#[path = "../counting/mod.rs"]
mod counting;
#[path = "../layer/door_subscriber.rs"]
mod door;
mod steady;
