//! The layer on a registry, behind a filter of its own, as the process's default: what the filter keeps from it allocates
//! nothing either.

#[path = "../counting/mod.rs"]
mod counting;
mod door {
    use clewline::ClewlineLayer;
    use tracing::{Dispatch, Subscriber};
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::{Layer, SubscriberExt as _};

    pub(crate) type Door = ClewlineLayer;

    /// Wants everything, so that spans exist which Clewline's layer does not see.
    struct Everything;

    impl<S: Subscriber> Layer<S> for Everything {}

    pub(crate) fn dispatch(door: Door) -> Dispatch {
        Dispatch::new(tracing_subscriber::registry().with(door.with_filter(LevelFilter::INFO)).with(Everything))
    }
}
mod steady;
