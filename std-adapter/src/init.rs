//! `init`: from configuration to a running pipeline, and the guard that ends it in good order.

use std::fmt;
use std::io;
use std::time::Duration;

use clewline_core::{SpanProcessor, SpanView, Verdict};
#[cfg(feature = "tracing")]
use tracing_subscriber::filter::Targets;

#[cfg(feature = "tracing")]
use crate::config::Warning;
use crate::config::{ExporterKind, OtlpConfig, TracingConfig};
use crate::exporter::{ExportOutcome, Request, SpanExporter, TimedOut, WorkerSettings};
use crate::pipeline::{Ledger, Pipeline, PipelineOptions, SharedProcessor};
use crate::propagation::{self, Propagators};
use crate::sampler;
use crate::tracer;

/// How long a dropped [`Guard`] waits for the last spans to leave.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

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
    /// The exporter cannot work with this configuration.
    #[error("the OTLP exporter cannot be set up: {0}")]
    Exporter(#[from] crate::exporter::ExporterError),
    /// What is configured is not part of this build.
    #[error("`{name}` is not part of this build of clewline; {remedy}")]
    NotBuiltIn {
        /// The exporter or protocol.
        name: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The operating system refused a thread.
    #[error("the exporter thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// Starts tracing as the `OTEL_*` variables say, and sets a `tracing` subscriber with Clewline's layer.
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
    use tracing_subscriber::layer::SubscriberExt as _;

    // Looked at before anything is started, so that `start` can still be called when this fails.
    if tracing_core::dispatcher::has_been_set() {
        return Err(InitError::SubscriberSet);
    }
    let guard = start(config)?;
    let (filter, warnings) = filter(&std::env::var_os("RUST_LOG").unwrap_or_default().to_string_lossy());
    for warning in warnings {
        eprintln!("clewline: configuration: {warning}");
    }
    let subscriber = tracing_subscriber::registry().with(filter).with(crate::layer());
    tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::new(subscriber))
        .map_err(|_| InitError::SubscriberSet)?;
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
    if !config.enabled.get() {
        return Ok(Guard { pipeline: None });
    }
    let options = PipelineOptions { limits: config.span_limits(), ..PipelineOptions::default() };
    let (exporter, processors) = exporter(config)?;
    let mut settings = WorkerSettings::new(config);
    if !config.says_warnings() {
        settings.report = Box::new(|_| ());
    }
    let sampler = sampler::build(config.sampler.get());
    let pipeline =
        config.with_resource(|resource| Pipeline::start(resource, sampler, processors, options, settings, exporter))?;
    if tracer::set_global(pipeline) {
        Ok(Guard { pipeline: Some(pipeline) })
    } else {
        Err(InitError::AlreadyInitialised)
    }
}

/// Keeps tracing alive. Dropped at the end of `main`, it sends what is left, for five seconds at most.
#[must_use = "tracing ends when the guard is dropped: keep it in a variable such as `_guard` until the end of main"]
pub struct Guard {
    pipeline: Option<&'static Pipeline>,
}

impl Guard {
    /// The pipeline; `None` if tracing is disabled (`OTEL_SDK_DISABLED`).
    #[must_use]
    pub fn pipeline(&self) -> Option<&'static Pipeline> {
        self.pipeline
    }

    /// What became of every span so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.pipeline.map(Pipeline::ledger).unwrap_or_default()
    }

    /// Sends everything that has ended so far and waits for the outcome. Blocks the calling thread.
    ///
    /// # Errors
    /// The outcome was not known within `timeout`; sending goes on.
    pub fn flush(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.pipeline.map_or(Ok(()), |pipeline| pipeline.flush(timeout))
    }

    /// Sends what is left and ends tracing, within `timeout` whatever the collector does.
    ///
    /// # Errors
    /// The exporter thread did not end in time.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), TimedOut> {
        self.pipeline.take().map_or(Ok(()), |pipeline| pipeline.shutdown(timeout))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(pipeline) = self.pipeline
            && let Err(error) = pipeline.shutdown(SHUTDOWN_LIMIT)
        {
            eprintln!("clewline: at shutdown, {error}");
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Guard").field("ledger", &self.ledger()).finish_non_exhaustive()
    }
}

/// The filter that `RUST_LOG` asks for, and what in it was not understood. Parts that cannot be read are left out, and where
/// nothing is left the default holds: an empty part, or one in the extended form `target[span{field=value}]=level` of other
/// filters, would otherwise be taken for one that lets no span through.
#[cfg(feature = "tracing")]
fn filter(text: &str) -> (Targets, Vec<Warning>) {
    let mut targets = Targets::new();
    let mut is_default = true;
    let mut warnings = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let parsed = if part.contains(['[', '{']) { None } else { part.parse::<Targets>().ok() };
        match parsed {
            Some(parsed) => {
                is_default = false;
                if let Some(level) = parsed.default_level() {
                    targets = targets.with_default(level);
                }
                targets = targets.with_targets(parsed);
            }
            None => {
                let problem = "neither `level`, `target` nor `target=level`; it is left out";
                warnings.push(Warning::new("RUST_LOG", Some(part), problem));
            }
        }
    }
    if is_default {
        targets = targets.with_default(tracing_core::Level::INFO);
    }
    (targets, warnings)
}

/// What finished spans go to, and what stands before it.
fn exporter(config: &TracingConfig) -> Result<(Box<dyn SpanExporter>, Vec<SharedProcessor>), InitError> {
    match config.exporters.get().as_slice() {
        [] => Ok((Box::new(NoExporter), vec![Box::new(HoldBack)])),
        [ExporterKind::Otlp] => Ok((otlp(&config.otlp)?, Vec::new())),
        [ExporterKind::Jaeger] => Ok((otlp(&config.jaeger)?, Vec::new())),
        [first] => Err(InitError::NotBuiltIn { name: first.name(), remedy: "`otlp` and `jaeger` are" }),
        [..] => Err(InitError::NotBuiltIn { name: "several exporters at once", remedy: "name one" }),
    }
}

fn otlp(config: &OtlpConfig) -> Result<Box<dyn SpanExporter>, InitError> {
    match config.protocol.get() {
        #[cfg(feature = "otlp-grpc")]
        crate::config::Protocol::Grpc => Ok(Box::new(crate::exporter::OtlpGrpcExporter::new(config)?)),
        #[cfg(feature = "otlp-http")]
        crate::config::Protocol::HttpProtobuf | crate::config::Protocol::HttpJson => {
            Ok(Box::new(crate::exporter::OtlpHttpExporter::new(config)?))
        }
        #[cfg(not(all(feature = "otlp-grpc", feature = "otlp-http")))]
        protocol => Err(InitError::NotBuiltIn {
            name: protocol.name(),
            remedy: "the features `otlp-grpc` and `otlp-http` add the protocols",
        }),
    }
}

/// Stands where `OTEL_TRACES_EXPORTER=none` wants no exporter: spans are sampled and propagated, and held back at their end.
#[derive(Debug)]
struct HoldBack;

impl SpanProcessor for HoldBack {
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Drop
    }
}

#[derive(Debug)]
struct NoExporter;

impl SpanExporter for NoExporter {
    fn export(&mut self, _: &Request<'_>, _: Option<std::time::Instant>) -> ExportOutcome {
        ExportOutcome::Rejected { reason: "there is no exporter".to_owned() }
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use tracing_core::Level;

    use super::filter;

    #[test]
    fn rust_log_is_read_part_by_part_and_never_silences_by_accident() {
        // RUST_LOG, whether `shop` and `shop::db` record at INFO and DEBUG, and how many parts were refused.
        let table = [
            ("", [true, false, true, false], 0),
            (" , ", [true, false, true, false], 0),
            ("info,", [true, false, true, false], 0),
            ("debug", [true, true, true, true], 0),
            ("warn,shop::db=debug", [false, false, true, true], 0),
            ("shop::db=debug, warn", [false, false, true, true], 0),
            ("off", [false, false, false, false], 0),
            ("shop=loud", [true, false, true, false], 1),
            ("shop", [true, true, true, true], 0),
            ("shop=loud,debug", [true, true, true, true], 1),
            ("shop[checkout]=debug", [true, false, true, false], 1),
            ("debug,shop[{id=7}]=off", [true, true, true, true], 1),
        ];
        for (text, expected, refused) in table {
            let (targets, warnings) = filter(text);
            let enabled = |target, level| targets.would_enable(target, &level);
            let seen =
                ["shop", "shop::db"].map(|target| [Level::INFO, Level::DEBUG].map(|level| enabled(target, level)));
            assert_eq!((seen.concat(), warnings.len()), (expected.to_vec(), refused), "{text:?}");
        }
    }
}
