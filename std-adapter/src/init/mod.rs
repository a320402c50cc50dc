//! `init`: from configuration to a running pipeline, and the guard that ends it in good order.

mod destinations;
#[cfg(feature = "tracing")]
mod filter;
mod guard;

pub use guard::Guard;
#[cfg(feature = "tracing")]
pub use guard::NoFilter;

use self::destinations::Destinations;
#[cfg(feature = "tracing")]
use self::filter::ChangeableFilter;
use crate::config::TracingConfig;
use crate::exporter::StartError;
use crate::pipeline::{Pipeline, PipelineBuilder, PipelineOptions};
use crate::propagation::{self, Propagators};
use crate::{sampler, tracer};

/// Why tracing could not be started. The program runs on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is a pipeline already.
    #[error("clewline is initialised already; keep the first guard for as long as the program runs")]
    AlreadyInitialised,
    /// There is a `tracing` subscriber already.
    #[cfg(feature = "tracing")]
    #[error("a `tracing` subscriber is set already; use `clewline::start` and add `clewline::layer()` to it")]
    SubscriberSet,
    /// An exporter cannot work with this configuration.
    #[error("the exporter cannot be set up: {0}")]
    Exporter(#[from] crate::exporter::ExporterError),
    /// An exporter or protocol that is configured is not part of this build.
    #[error("`{name}` is not part of this build; the feature `{feature}` of clewline adds it")]
    NotBuiltIn {
        /// The exporter or protocol.
        name: &'static str,
        /// The feature of this crate that adds it.
        feature: &'static str,
    },
    /// The sampler cannot do its work.
    #[error("the sampler cannot be used: {0}")]
    Sampler(#[from] crate::config::SamplerError),
    /// The pipeline cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Starts tracing as the `OTEL_*` variables say, and sets Clewline's [`subscriber`](crate::subscriber) for `tracing`.
///
/// Spans of level INFO and above are recorded, or those that `RUST_LOG` asks for (`level` or `target=level,…`). To combine
/// the layer with others, call [`start`] and add [`layer`](crate::layer) to your own subscriber.
///
/// ```no_run
/// # fn main() -> Result<(), clewline::InitError> {
/// let _guard = clewline::init()?;
/// // … the program; what it recorded leaves when the guard is dropped.
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Something was initialised before, or the exporter cannot be set up. Bad values in the environment are not errors: each
/// is named once on stderr, and the default holds.
#[cfg(feature = "tracing")]
pub fn init() -> Result<Guard, InitError> {
    init_with(&TracingConfig::from_env())
}

/// Starts tracing with a configuration of your own; otherwise as [`init`].
///
/// # Errors
/// As [`init`].
#[cfg(feature = "tracing")]
pub fn init_with(config: &TracingConfig) -> Result<Guard, InitError> {
    // Looked at before anything is started, so that `start` can still be called when this fails.
    if tracing_core::dispatcher::has_been_set() {
        return Err(InitError::SubscriberSet);
    }
    let mut guard = start(config)?;
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

/// Starts the process's pipeline, and no more: for programs that have their own `tracing` subscriber, or none.
///
/// # Errors
/// As [`init`].
pub fn start(config: &TracingConfig) -> Result<Guard, InitError> {
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
        #[cfg(feature = "tracing")]
        reports: config.says_warnings(),
        #[cfg(feature = "tracing")]
        filter: None,
    };
    if !config.enabled.get() {
        return Ok(guard);
    }
    config.sampler.get().check()?;
    let Destinations { list, memory } = Destinations::new(config)?;
    let pipeline = config.with_resource(|resource| {
        let mut options = PipelineOptions {
            limits: config.span_limits(),
            baggage_attributes: config.baggage_attributes.get().clone(),
            exports_open_spans: *config.spans.export_open.get(),
            ..PipelineOptions::default()
        };
        config.memory.set(&mut options);
        let builder = Pipeline::builder(resource).sampler(sampler::build(config.sampler.get())).options(options);
        let builder = match config.tail.sampling() {
            Some(tail) => builder.tail(tail),
            None => builder,
        };
        list.into_iter().fold(builder, PipelineBuilder::destination).start()
    })?;
    if !tracer::set_global(pipeline) {
        return Err(InitError::AlreadyInitialised);
    }
    guard.pipeline = Some(pipeline);
    guard.memory = memory;
    Ok(guard)
}
