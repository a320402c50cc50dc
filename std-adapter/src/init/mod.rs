//! `init`: from configuration to a running pipeline, and the guard that ends it in good order.

mod destinations;
#[cfg(feature = "tracing")]
mod filter;
mod guard;
mod setup;

pub use guard::Guard;
#[cfg(feature = "tracing")]
pub use guard::NoFilter;
pub use setup::Setup;

use crate::config::TracingConfig;
use crate::exporter::StartError;

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
/// A server that forks its workers calls it in each of them. A fork of a process that traces already makes ids of its own and passes
/// contexts on, but has no exporter thread: what it records is never sent, and a flush there says so at once.
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

/// Starts tracing with a configuration of your own; otherwise as [`init`]. [`Setup`] adds processors, exporters and a sampler
/// of your own.
///
/// # Errors
/// As [`init`].
#[cfg(feature = "tracing")]
pub fn init_with(config: &TracingConfig) -> Result<Guard, InitError> {
    Setup::new(config).init()
}

/// Starts the process's pipeline, and no more: for programs that have their own `tracing` subscriber, or none.
///
/// # Errors
/// As [`init`].
pub fn start(config: &TracingConfig) -> Result<Guard, InitError> {
    Setup::new(config).start()
}
