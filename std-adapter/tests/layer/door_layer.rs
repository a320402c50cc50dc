//! The door of this test program: a registry with the layer.

use clewline::ClewlineLayer;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;

pub(crate) type Door = ClewlineLayer;

pub(crate) fn dispatch(door: Door) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(door))
}
