//! Clewline's own subscriber as the process's default.

#[path = "../layer/door_subscriber.rs"]
mod door;
mod steady;
