//! `init`: from configuration to a running pipeline, and the guard that ends it in good order.

use std::fmt;
use std::io;
use std::time::Duration;

use clewline_core::{
    AlwaysOff, AlwaysOn, Attribute, ParentBased, SpanLimits, SpanProcessor, SpanView, TraceIdRatio, Value, Verdict,
};
#[cfg(feature = "tracing")]
use tracing_subscriber::filter::Targets;

#[cfg(feature = "tracing")]
use crate::config::Warning;
use crate::config::{Config, LimitsConfig, SamplerConfig};
use crate::exporter::{ExportOutcome, OtlpHttpExporter, Request, SpanExporter, TimedOut, WorkerSettings};
use crate::pipeline::{Ledger, Pipeline, PipelineOptions, SharedProcessor, SharedSampler};
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
    init_with(&Config::from_env())
}

/// Starts tracing with a configuration of your own; otherwise as [`init`].
///
/// # Errors
/// As [`init`].
#[cfg(feature = "tracing")]
pub fn init_with(config: &Config) -> Result<Guard, InitError> {
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
pub fn start(config: &Config) -> Result<Guard, InitError> {
    config.print_warnings();
    if tracer::global().is_some() {
        return Err(InitError::AlreadyInitialised);
    }
    if *config.disabled.get() {
        return Ok(Guard { pipeline: None });
    }
    let resource: Vec<Attribute<'_>> = config.resource().map(|(key, value)| (key, Value::Str(value.get()))).collect();
    let options = PipelineOptions { limits: limits(&config.limits), ..PipelineOptions::default() };
    let (exporter, processors): (Box<dyn SpanExporter>, Vec<SharedProcessor>) = if config.exporters.get().is_empty() {
        (Box::new(NoExporter), vec![Box::new(HoldBack)])
    } else {
        (Box::new(OtlpHttpExporter::new(&config.otlp)?), Vec::new())
    };
    let settings = WorkerSettings::new(config);
    let pipeline = Pipeline::start(&resource, sampler(config.sampler.get()), processors, options, settings, exporter)?;
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

fn sampler(config: &SamplerConfig) -> SharedSampler {
    match config {
        SamplerConfig::AlwaysOn => Box::new(AlwaysOn),
        SamplerConfig::AlwaysOff => Box::new(AlwaysOff),
        // The configuration has checked the range.
        SamplerConfig::TraceIdRatio(ratio) => TraceIdRatio::new(*ratio).map_or_else(|_| boxed(AlwaysOn), boxed),
        SamplerConfig::ParentBased(root) => match &**root {
            SamplerConfig::AlwaysOn => Box::new(ParentBased::new(AlwaysOn)),
            // A pipeline lives as long as the process, and so may the sampler behind its sampler.
            root => Box::new(ParentBased::new(&*Box::leak(sampler(root)))),
        },
    }
}

fn boxed(sampler: impl clewline_core::Sampler + Send + Sync + 'static) -> SharedSampler {
    Box::new(sampler)
}

fn limits(config: &LimitsConfig) -> SpanLimits {
    let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    SpanLimits {
        attributes: count(*config.attribute_count.get()),
        events: count(*config.event_count.get()),
        links: count(*config.link_count.get()),
        event_attributes: count(*config.event_attribute_count.get()),
        link_attributes: count(*config.link_attribute_count.get()),
        value_length: config
            .attribute_value_length
            .get()
            .map_or(u32::MAX, |length| u32::try_from(length).unwrap_or(u32::MAX)),
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
