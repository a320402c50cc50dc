//! Clewline on a server through `tracing`: the layer, a ring per thread, and the exporter thread.
//!
//! Configuration: the registry and the layer as the process-wide default subscriber, with no option set; the pipeline as in
//! [`clewline_native`](crate::clewline_native). Events carry `level` and `target` beside their name. Sampled out is the sampler
//! `AlwaysOff`: `tracing` makes the span, and its context is there to be passed on.

use crate::case::{Case, Mode};
use crate::clewline_native::{flush, pipeline};
use crate::library::{Installed, Library, Role};
use crate::peers::tracing_plain::{routine, set_default};
use crate::routine::Routine;
use clewline::{ClewlineLayer, Pipeline};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

/// The layer.
#[derive(Clone, Copy, Debug)]
pub struct ClewlineTracing;

impl Library for ClewlineTracing {
    fn label(&self) -> &'static str {
        "tracing + Clewline + batch"
    }

    fn name(&self) -> &'static str {
        "clewline-tracing"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        // Not installed is the same as `tracing` alone.
        let pipeline = pipeline(mode)?;
        set_default(Registry::default().with(ClewlineLayer::new(pipeline)));
        Some(Box::new(Layered(pipeline)))
    }
}

struct Layered(&'static Pipeline);

impl Installed for Layered {
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
