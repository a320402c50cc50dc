//! Clewline on a server through `tracing`: its subscriber or its layer, a ring per thread, and the exporter thread.
//!
//! Configuration: the subscriber that `clewline::init` sets, or a registry with the layer, as the process-wide default, with
//! no option set; the pipeline as in [`clewline_native`](crate::clewline_native). Events carry `level` and `target` beside their name. Sampled out is the sampler
//! `AlwaysOff`: `tracing` makes the span, and its context is there to be passed on.

use crate::case::{Case, Mode};
use crate::clewline_native::{flush, pipeline};
use crate::library::{Installed, Library, Role};
use crate::peers::tracing_plain::{routine, set_default};
use crate::routine::Routine;
use clewline::{ClewlineLayer, ClewlineSubscriber, Pipeline};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

/// The doors for `tracing`.
#[derive(Clone, Copy, Debug)]
pub enum ClewlineTracing {
    /// A subscriber of its own, as `clewline::init` sets it.
    Subscriber,
    /// A layer of `tracing-subscriber`'s registry.
    Layer,
}

impl Library for ClewlineTracing {
    fn label(&self) -> &'static str {
        match self {
            Self::Subscriber => "tracing + Clewline + batch",
            Self::Layer => "tracing + registry with Clewline's layer + batch",
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Subscriber => "clewline-tracing",
            Self::Layer => "clewline-layer",
        }
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        // Not installed is the same as `tracing` alone.
        let pipeline = pipeline(mode)?;
        match self {
            Self::Subscriber => set_default(ClewlineSubscriber::new(pipeline)),
            Self::Layer => set_default(Registry::default().with(ClewlineLayer::new(pipeline))),
        }
        Some(Box::new(Tracing(pipeline)))
    }
}

struct Tracing(&'static Pipeline);

impl Installed for Tracing {
    fn routine(&self, case: Case) -> Option<Routine> {
        routine(case)
    }

    fn flush(&self) {
        flush(self.0);
    }

    fn role(&self) -> Role {
        Role::Pipeline
    }

    fn dropped(&self) -> Option<u64> {
        Some(self.0.ledger().dropped())
    }
}
