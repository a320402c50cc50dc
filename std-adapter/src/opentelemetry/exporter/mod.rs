//! `OpenTelemetryExporter`: exporters written for `opentelemetry_sdk` behind a Clewline pipeline.

mod data;
mod drive;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use clewline_core::ResourceSpansView;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::SpanExporter as SdkExporter;

use self::drive::{Interrupt, drive};
use crate::exporter::joined::Joined;
use crate::exporter::{ExportOutcome, Request, SpanExporter};

/// Runs a piece of work, for [`OpenTelemetryExporter::within`].
type Within = Box<dyn FnMut(&mut dyn FnMut()) + Send>;

/// Feeds an exporter that was written for `opentelemetry_sdk` (feature `opentelemetry-sdk`).
///
/// The exporter's future runs on the pipeline's exporter thread, which has no async runtime; exporters that need one are given
/// it by [`within`](Self::within). What happens on this thread is not recorded, and OpenTelemetry's context says so to others.
///
/// A failure is retried like that of any exporter, within the limits of [`WorkerSettings`](crate::exporter::WorkerSettings).
///
/// ```
/// use clewline::opentelemetry::OpenTelemetryExporter;
/// use opentelemetry_sdk::trace::InMemorySpanExporter;
///
/// let exporter = OpenTelemetryExporter::new(InMemorySpanExporter::default());
/// # let _: Box<dyn clewline::exporter::SpanExporter> = Box::new(exporter);
/// ```
pub struct OpenTelemetryExporter<E> {
    exporter: E,
    /// The resource that the exporter knows.
    resource: Option<Resource>,
    within: Option<Within>,
    interrupt: Arc<Interrupt>,
    joined: Joined,
}

impl<E: SdkExporter> OpenTelemetryExporter<E> {
    /// Feeds `exporter`.
    #[must_use]
    pub fn new(exporter: E) -> Self {
        Self { exporter, resource: None, within: None, interrupt: Arc::default(), joined: Joined::default() }
    }

    /// Runs every step of the exporter inside of `within`, which must run the work it is given: the place to enter a runtime.
    ///
    /// ```
    /// # use clewline::opentelemetry::OpenTelemetryExporter;
    /// # use opentelemetry_sdk::trace::InMemorySpanExporter;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// let handle = runtime.handle().clone();
    /// let exporter = OpenTelemetryExporter::new(InMemorySpanExporter::default()).within(move |work| {
    ///     let _entered = handle.enter();
    ///     work();
    /// });
    /// ```
    #[must_use]
    pub fn within(mut self, within: impl FnMut(&mut dyn FnMut()) + Send + 'static) -> Self {
        self.within = Some(Box::new(within));
        self
    }

    /// Hands over the spans of one resource.
    fn export_group(&mut self, group: &ResourceSpansView<'_>, deadline: Option<Instant>) -> Result<(), ExportOutcome> {
        let resource = data::resource(group);
        if self.resource.as_ref() != Some(&resource) {
            self.exporter.set_resource(&resource);
            self.resource = Some(resource);
        }
        let Self { exporter, within, interrupt, .. } = self;
        let step = |work: &mut dyn FnMut()| {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            match within {
                Some(within) => within(work),
                None => work(),
            }
        };
        match drive(exporter.export(data::batch(group)), deadline, interrupt, step) {
            Some(Ok(())) => Ok(()),
            Some(Err(OTelSdkError::AlreadyShutdown)) => {
                Err(ExportOutcome::Rejected { reason: "the exporter has been shut down".to_owned() })
            }
            Some(Err(error)) => Err(ExportOutcome::Retryable { after: None, reason: error.to_string() }),
            None => {
                let reason = "the exporter did not answer in time".to_owned();
                Err(ExportOutcome::Retryable { after: None, reason })
            }
        }
    }
}

impl<E: SdkExporter> SpanExporter for OpenTelemetryExporter<E> {
    fn export(&mut self, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
        let mut joined = std::mem::take(&mut self.joined);
        let outcome = match joined.parse(request) {
            Ok(view) => view.resource_spans().try_for_each(|group| self.export_group(&group, deadline)),
            Err(outcome) => Err(outcome),
        };
        self.joined = joined;
        outcome.err().unwrap_or(ExportOutcome::Delivered)
    }

    fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let interrupt = Arc::clone(&self.interrupt);
        Some(Box::new(move || interrupt.interrupt()))
    }

    fn shutdown(&mut self) {
        // There is nobody left to tell of a failure, and nothing that could be done about it.
        let _ = self.exporter.shutdown();
    }
}

impl<E: fmt::Debug> fmt::Debug for OpenTelemetryExporter<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenTelemetryExporter").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}
