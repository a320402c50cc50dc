//! `tracing-opentelemetry`: the bridge from `tracing` to `opentelemetry_sdk`.
//!
//! Configuration: the process-wide default subscriber, and everything off that the layer would add by itself (source
//! location, thread, target, busy and idle time), so that it records exactly the workload. With its default settings it
//! is slower than this row.

use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::peers::opentelemetry::{OpenTelemetry, provider};
use crate::peers::tracing_plain::{routine, set_default};
use crate::routine::Routine;
use crate::workload;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

/// The bridge, by the processor behind it.
#[derive(Clone, Copy, Debug)]
pub struct TracingOpenTelemetry(pub OpenTelemetry);

impl Library for TracingOpenTelemetry {
    fn label(&self) -> &'static str {
        match self.0 {
            OpenTelemetry::Discarding => "tracing + tracing-opentelemetry, spans discarded",
            OpenTelemetry::Batching => "tracing + tracing-opentelemetry + batch",
        }
    }

    fn name(&self) -> &'static str {
        match self.0 {
            OpenTelemetry::Discarding => "tracing-opentelemetry-discarding",
            OpenTelemetry::Batching => "tracing-opentelemetry-batching",
        }
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        let sampler = match mode {
            Mode::Recording => Sampler::AlwaysOn,
            Mode::SampledOut => Sampler::AlwaysOff,
            // The same as `tracing` alone.
            Mode::NotInstalled => return None,
        };
        let provider = provider(self.0, sampler);
        set_default(
            Registry::default().with(
                OpenTelemetryLayer::new(provider.tracer(workload::SCOPE))
                    .with_location(false)
                    .with_threads(false)
                    .with_target(false)
                    .with_tracked_inactivity(false),
            ),
        );
        Some(Box::new(Bridge { provider, role: self.0.role() }))
    }
}

struct Bridge {
    provider: SdkTracerProvider,
    role: Role,
}

impl Installed for Bridge {
    fn routine(&self, case: Case) -> Option<Routine> {
        routine(case)
    }

    fn flush(&self) {
        self.provider.force_flush().expect("nothing here can fail to flush");
    }

    fn role(&self) -> Role {
        self.role
    }
}
