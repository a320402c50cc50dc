//! `Setup`: what a program adds to its configuration before tracing starts.

use std::fmt;
use std::time::Duration;

use clewline_core::{Sampler, SpanProcessor};

use super::destinations::{Destinations, settings};
#[cfg(feature = "tracing")]
use super::filter::{self, ChangeableFilter};
use super::{Guard, InitError};
use crate::config::TracingConfig;
use crate::exporter::{Destination, MemoryExporter, SpanExporter};
use crate::pipeline::{Pipeline, PipelineBuilder, PipelineOptions, SharedProcessor, SharedSampler};
use crate::propagation::{self, Propagators};
use crate::{sampler, tracer};

/// A configuration, and what no file can say: processors, exporters and a sampler of the program's own.
///
/// ```no_run
/// use clewline::{Setup, SpanProcessor, SpanView, TracingConfig, Verdict};
///
/// struct WithoutHealthChecks;
///
/// impl SpanProcessor for WithoutHealthChecks {
///     fn on_end(&self, span: &SpanView<'_>) -> Verdict {
///         if span.name() == "GET /health" { Verdict::Drop } else { Verdict::Keep }
///     }
/// }
///
/// # #[cfg(feature = "tracing")]
/// fn main() -> Result<(), clewline::InitError> {
///     let _guard = Setup::new(&TracingConfig::from_env()).processor(WithoutHealthChecks).init()?;
///     Ok(())
/// }
/// # #[cfg(not(feature = "tracing"))]
/// # fn main() {}
/// ```
#[must_use = "nothing happens until `init` or `start` is called"]
pub struct Setup<'c> {
    config: &'c TracingConfig,
    sampler: Option<SharedSampler>,
    processors: Vec<SharedProcessor>,
    destinations: Vec<Destination>,
    uses_system_clock: bool,
}

impl<'c> Setup<'c> {
    /// What `config` says, and nothing more yet.
    pub fn new(config: &'c TracingConfig) -> Self {
        Self { config, sampler: None, processors: Vec::new(), destinations: Vec::new(), uses_system_clock: false }
    }

    /// Adds a processor; they see a span in the order in which they were added.
    pub fn processor(mut self, processor: impl SpanProcessor + Send + Sync + 'static) -> Self {
        self.processors.push(Box::new(processor));
        self
    }

    /// Decides which spans are recorded, in place of the sampler that is configured. [`Guard::set_sampler`] can replace it again.
    /// Where it panics (and panics unwind), spans do as their parents do, and roots are recorded.
    pub fn sampler(mut self, sampler: impl Sampler + Send + Sync + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// Adds an exporter to those that are configured, with the batches, the queue and the time limit of the configuration.
    /// `name` stands for it in ledgers and reports. With [`with_exporters([])`](TracingConfig::with_exporters) it is the only one.
    pub fn exporter(self, name: &str, exporter: impl SpanExporter + 'static) -> Self {
        let settings = settings(self.config, None);
        self.destination(Destination::new(name, Box::new(exporter)).settings(settings))
    }

    /// Adds an exporter with settings of its own.
    pub fn destination(mut self, destination: Destination) -> Self {
        self.destinations.push(destination);
        self
    }

    /// Reads every time from the system's clock. Otherwise the processor's counter, where it is steady, counts on from the
    /// system's clock, which is quicker and follows its corrections within a second; see
    /// [`HostClock`](crate::pipeline::HostClock).
    pub fn system_clock(mut self) -> Self {
        self.uses_system_clock = true;
        self
    }

    /// Starts tracing; otherwise as [`init`](crate::init).
    ///
    /// # Errors
    /// As [`init`](crate::init).
    #[cfg(feature = "tracing")]
    pub fn init(self) -> Result<Guard, InitError> {
        // Looked at before anything is started, so that `start` can still be called when this fails.
        if tracing_core::dispatcher::has_been_set() {
            return Err(InitError::SubscriberSet);
        }
        let config = self.config;
        let mut guard = self.start()?;
        let spans = &config.spans;
        let subscriber = crate::subscriber()
            .with_targets(filter::targets(config.filter.get()))
            .with_location(*spans.location.get())
            .with_threads(*spans.threads.get())
            .with_level(*spans.level.get())
            .with_target(*spans.target.get())
            .with_tracked_inactivity(*spans.inactivity.get());
        let dispatch = tracing_core::Dispatch::new(subscriber);
        tracing_core::dispatcher::set_global_default(dispatch.clone()).map_err(|_| InitError::SubscriberSet)?;
        guard.filter = Some(ChangeableFilter::new(dispatch));
        Ok(guard)
    }

    /// Starts the process's pipeline, and no more; otherwise as [`start`](crate::start).
    ///
    /// # Errors
    /// As [`init`](crate::init).
    pub fn start(self) -> Result<Guard, InitError> {
        let config = self.config;
        config.print_warnings();
        if tracer::global().is_some() {
            return Err(InitError::AlreadyInitialised);
        }
        // Contexts travel on whether there are spans or not (`sdk-environment-variables.md`, OTEL_SDK_DISABLED).
        let names = config.propagators.get().iter().map(|propagator| propagator.name());
        if let Ok(propagators) = Propagators::from_names(names) {
            propagation::set_global(propagators);
        }
        let mut guard = Guard {
            pipeline: None,
            memory: None,
            shutdown_timeout: *config.shutdown_timeout.get(),
            reports: config.says_warnings(),
            #[cfg(feature = "tracing")]
            filter: None,
        };
        if !config.enabled.get() {
            return Ok(guard);
        }
        let (pipeline, memory) = self.pipeline()?;
        if !tracer::set_global(pipeline) {
            // Another thread was quicker. Nobody would ever end this one's threads, or have its spool.
            let _ = pipeline.shutdown(Duration::ZERO);
            return Err(InitError::AlreadyInitialised);
        }
        guard.pipeline = Some(pipeline);
        guard.memory = memory;
        Ok(guard)
    }

    fn pipeline(self) -> Result<(&'static Pipeline, Option<MemoryExporter>), InitError> {
        let Self { config, sampler, processors, destinations, uses_system_clock } = self;
        config.sampler.get().check()?;
        let Destinations { list, memory } = Destinations::new(config)?;
        let pipeline = config.with_resource(|resource| {
            let mut options = PipelineOptions {
                limits: config.span_limits(),
                baggage_attributes: config.baggage_attributes.get().clone(),
                exports_open_spans: *config.spans.export_open.get(),
                uses_system_clock,
                ..PipelineOptions::default()
            };
            config.memory.set(&mut options);
            let builder = Pipeline::builder(resource).options(options);
            let builder = match sampler {
                Some(sampler) => builder.sampler(sampler),
                None => builder.own_sampler(sampler::build(config.sampler.get())),
            };
            let builder = match config.tail.sampling() {
                Some(tail) => builder.tail(tail),
                None => builder,
            };
            let builder = processors.into_iter().fold(builder, PipelineBuilder::processor);
            list.into_iter().chain(destinations).fold(builder, PipelineBuilder::destination).start()
        })?;
        Ok((pipeline, memory))
    }
}

impl fmt::Debug for Setup<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Setup")
            .field("has_sampler", &self.sampler.is_some())
            .field("processors", &self.processors.len())
            .field("destinations", &self.destinations)
            .finish_non_exhaustive()
    }
}
