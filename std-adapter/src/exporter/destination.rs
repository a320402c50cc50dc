//! `Destination`: one place that finished spans go to, with a queue, retries and a thread of its own.

use std::fmt;

use super::SpanExporter;
use super::settings::WorkerSettings;
#[cfg(feature = "spool")]
use crate::spool::SpoolOptions;

/// One of the places that a pipeline's spans go to (see [`PipelineBuilder::destination`]).
///
/// Each has its own queue, state of retries and thread, so that one whose collector is away does not hold the others up.
///
/// [`PipelineBuilder::destination`]: crate::pipeline::PipelineBuilder::destination
pub struct Destination {
    pub(crate) name: String,
    pub(crate) exporter: Box<dyn SpanExporter>,
    pub(crate) settings: WorkerSettings,
    #[cfg(feature = "spool")]
    pub(crate) spool: Option<SpoolOptions>,
}

impl Destination {
    /// A place that `exporter` delivers to, with the default settings.
    ///
    /// `name` tells it from others of the same pipeline in ledgers and in the lines about losses; it may be empty where there is
    /// one only.
    #[must_use]
    pub fn new(name: impl Into<String>, exporter: Box<dyn SpanExporter>) -> Self {
        Self {
            name: name.into(),
            exporter,
            settings: WorkerSettings::default(),
            #[cfg(feature = "spool")]
            spool: None,
        }
    }

    /// Sets how its queue and its retries work.
    #[must_use]
    pub fn settings(mut self, settings: WorkerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Keeps spans on disk while the collector is away (feature `spool`).
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn spool(mut self, options: SpoolOptions) -> Self {
        self.spool = Some(options);
        self
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, settings, .. } = self;
        f.debug_struct("Destination").field("name", name).field("settings", settings).finish_non_exhaustive()
    }
}
