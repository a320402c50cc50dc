//! Clewline behind the OpenTelemetry API: what a library that is instrumented with that API costs when it records through us.
//!
//! Configuration: the pipeline as in [`clewline_native`](crate::clewline_native), and the same calls as those of the
//! SDK's rows ([`peers::opentelemetry`](crate::peers::opentelemetry)): the tracer itself, an explicit parent context, the
//! smallest carrier for headers, `traceparent` and `tracestate` alone.

use crate::case::{Case, Mode};
use crate::clewline_native::{flush, pipeline};
use crate::library::{Installed, Library, Role};
use crate::peers::opentelemetry::{format, parse, recording};
use crate::routine::Routine;
use crate::workload;
use clewline::Pipeline;
use clewline::opentelemetry::{Propagator, TracerProvider};
use clewline::propagation::Propagators;
use opentelemetry::trace::TracerProvider as _;

/// The OpenTelemetry API in front of Clewline.
#[derive(Clone, Copy, Debug)]
pub struct ClewlineOpenTelemetry;

impl Library for ClewlineOpenTelemetry {
    fn label(&self) -> &'static str {
        "OpenTelemetry API + Clewline + batch"
    }

    fn name(&self) -> &'static str {
        "clewline-opentelemetry"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        // Not installed is the same as the API alone.
        let pipeline = pipeline(mode)?;
        Some(Box::new(Bridged { provider: TracerProvider::from(pipeline), pipeline }))
    }
}

struct Bridged {
    provider: TracerProvider,
    pipeline: &'static Pipeline,
}

impl Installed for Bridged {
    fn routine(&self, case: Case) -> Option<Routine> {
        let propagator = || Propagator::from("tracecontext".parse::<Propagators>().expect("a known name"));
        match case {
            Case::ParseTraceparent => Some(parse(propagator())),
            Case::FormatTraceparent => Some(format(propagator())),
            _ => recording(self.provider.tracer(workload::SCOPE), case),
        }
    }

    fn flush(&self) {
        flush(self.pipeline);
    }

    fn role(&self) -> Role {
        Role::Pipeline
    }

    fn dropped(&self) -> Option<u64> {
        Some(self.pipeline.ledger().dropped())
    }
}
