//! Clewline's own subscriber, held to the tests of the layer.

mod asynchronous;
mod carried;
mod disabled;
#[path = "door_subscriber.rs"]
mod door;
mod errors;
mod events;
mod fields;
mod hostile;
mod late_parents;
mod native;
mod options;
mod parents;
mod shutdown;
mod support;
mod threads;
