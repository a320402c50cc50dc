//! The door of this test program: Clewline's own subscriber.

use clewline::ClewlineSubscriber;
use tracing::Dispatch;

pub(crate) type Door = ClewlineSubscriber;

pub(crate) fn dispatch(door: Door) -> Dispatch {
    Dispatch::new(door)
}
