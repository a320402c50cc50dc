//! What the tracing pipeline is told to do: the specification's defaults, then a file, then the environment, then code.
//!
//! Reading the environment never fails. A variable that cannot be read leaves the value below it in force and adds a
//! [`Warning`]. Each [`Setting`] remembers where it came from, and a value that code has set stays, whichever is read first.
//! `clewline config` prints what is in force, in the names of the file.
//!
//! ```toml
//! service_name = "shop"
//! exporters = ["otlp", "console"]
//! endpoint = "http://collector:4318"
//! headers = { api-key = "…" }
//! sampler = "ParentBased(TraceIdRatio(0.25))"
//!
//! [resource]
//! team = "cart"
//!
//! [batch]
//! max_queue_size = 4096
//! ```
//!
//! | in a file | variable |
//! | --- | --- |
//! | `enabled` | `OTEL_SDK_DISABLED`; `OTEL_ENABLED`, its inverse, which yields to it |
//! | `service_name`, `service_version`, `environment`, `resource.…` | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_ENTITIES` |
//! | `detectors`: names of [`Detector`], `all`, `none` | `OTEL_RUST_RESOURCE_DETECTORS` |
//! | `exporter` or `exporters`: names of [`ExporterKind`], `none` | `OTEL_TRACES_EXPORTER` |
//! | `propagators`: names of [`Propagator`], `none` | `OTEL_PROPAGATORS` |
//! | `sampler`: see [`SamplerConfig`]; `sampling_rate` | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` |
//! | `endpoint`, a base; `traces_url`, used as it is | `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_TRACES_ENDPOINT` |
//! | `protocol`, `headers`, `timeout_ms`, `compression` | `OTEL_EXPORTER_OTLP_PROTOCOL`, `…_HEADERS`, `…_TIMEOUT`, `…_COMPRESSION` (`…_TRACES_…`) |
//! | `certificate`, `client_certificate`, `client_key`, `insecure` | `OTEL_EXPORTER_OTLP_CERTIFICATE`, `…_CLIENT_CERTIFICATE`, `…_CLIENT_KEY`, `…_INSECURE` (`…_TRACES_…`) |
//! | `[jaeger]`, with the fields of the three lines above | `OTEL_EXPORTER_JAEGER_ENDPOINT`, `OTEL_EXPORTER_JAEGER_TIMEOUT` |
//! | `[zipkin]`: `endpoint`, `timeout_ms` | `OTEL_EXPORTER_ZIPKIN_ENDPOINT`, `OTEL_EXPORTER_ZIPKIN_TIMEOUT` |
//! | `[batch]`: `schedule_delay_ms`, `export_timeout_ms`, `max_queue_size`, `max_export_batch_size` | `OTEL_BSP_…` |
//! | `[limits]`: `attribute_count`, `attribute_value_length`, `event_count`, `link_count`, `event_attribute_count`, `link_attribute_count` | `OTEL_SPAN_…_LIMIT`, `OTEL_ATTRIBUTE_…_LIMIT`, `OTEL_EVENT_…`, `OTEL_LINK_…` |
//! | `include_events`, `include_links`, `baggage_attributes` | |
//! | `[spans]`: `location`, `threads`, `level`, `target`, `inactivity`, `export_open` | |
//! | `filter` | `RUST_LOG` |
//! | `[memory]`: `span_bytes`, `thread_bytes`, `burst_bytes` | |
//! | `[tail]`: `errors`, `slower_than_ms`, `longest_wait_ms`, `max_bytes` | |
//! | `[spool]`: `directory`, `max_bytes`, `overflow` | `OTEL_RUST_SPOOL_DIRECTORY`, `…_MAX_BYTES`, `…_OVERFLOW` |
//! | `log_level`, `shutdown_timeout_ms` | `OTEL_LOG_LEVEL` |
//! | the whole file, in place of all variables but `RUST_LOG` | `OTEL_CONFIG_FILE` |

mod batch;
mod builder;
#[cfg(feature = "declarative")]
mod declarative;
mod endpoint;
mod environment;
mod exporters;
#[cfg(feature = "serde")]
mod file;
mod filter;
mod header;
mod limits;
mod memory;
mod names;
mod otlp;
mod pairs;
mod propagators;
#[cfg(feature = "serde")]
mod report;
mod resource;
mod sampler;
mod setting;
mod spans;
mod spool;
mod tail;
#[cfg(test)]
mod tests;

use std::time::Duration;

use clewline_core::{Attribute, SpanLimits};

pub use batch::BatchConfig;
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
pub(crate) use endpoint::without_credentials;
pub use endpoint::{Endpoint, EndpointError};
pub use exporters::{ExporterKind, ZipkinConfig};
#[cfg(feature = "serde")]
pub use file::ConfigFileError;
pub use filter::{FilterConfig, FilterError, FilterLevel};
pub use header::{Header, HeaderError};
pub use limits::LimitsConfig;
pub use memory::MemoryConfig;
pub use otlp::{Compression, OtlpConfig, Protocol};
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
pub(crate) use pairs::percent_decode;
pub use propagators::Propagator;
#[cfg(feature = "serde")]
pub use report::Report;
pub use resource::{Detector, ResourceValue};
pub use sampler::{ParentBasedConfig, RuleConfig, RulesConfig, SamplerConfig, SamplerError, SamplerTextError};
pub use setting::{Setting, Source, Warning};
pub use spans::SpansConfig;
pub use spool::{SpoolConfig, SpoolOverflow};
pub use tail::TailConfig;

use crate::stderr::say;

use environment::{Environment, OfProcess, Show};
use names::named;
use resource::ResourceConfig;

named! {
    /// How much the pipeline says about itself on stderr (`OTEL_LOG_LEVEL`).
    pub enum LogLevel {
        /// Nothing.
        None = "none" | "off",
        /// What cannot be done.
        Error = "error" | "fatal",
        /// Bad configuration, and spans that are lost.
        Warn = "warn" | "warning",
        /// No more than `warn` so far; the specification's default.
        Info = "info",
        /// No more than `info` so far.
        Debug = "debug",
        /// No more than `debug` so far.
        Trace = "trace" | "verbose" | "all",
    }
}

/// The whole configuration. `TracingConfig::default()` is the specification's; [`TracingConfig::from_env`] reads the process.
///
/// ```
/// use clewline::TracingConfig;
/// use clewline::config::{ExporterKind, SamplerConfig};
/// let config = TracingConfig::from_env()
///     .with_service_name("shop")
///     .with_exporters([ExporterKind::Console])
///     .with_sampler(SamplerConfig::parent_based(SamplerConfig::TraceIdRatio(0.25)));
/// assert_eq!(config.service_name(), "shop");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TracingConfig {
    /// Whether there are spans at all (`OTEL_SDK_DISABLED`, `OTEL_ENABLED`). If not, spans still hand on what
    /// their parents handed to them.
    pub enabled: Setting<bool>,
    /// Where finished spans go; empty is nowhere.
    pub exporters: Setting<Vec<ExporterKind>>,
    /// Which spans are recorded.
    pub sampler: Setting<SamplerConfig>,
    /// Whether spans hold events; those that are left out count as dropped.
    pub include_events: Setting<bool>,
    /// Whether spans hold links; those that are left out count as dropped.
    pub include_links: Setting<bool>,
    /// How contexts travel between processes, also while [`enabled`](Self::enabled) is false; empty is not at all.
    pub propagators: Setting<Vec<Propagator>>,
    /// The OTLP exporter.
    pub otlp: OtlpConfig,
    /// The exporter that sends OTLP to Jaeger. It shares nothing with [`otlp`](Self::otlp), so that credentials for one do
    /// not reach the other.
    pub jaeger: OtlpConfig,
    /// The Zipkin exporter.
    pub zipkin: ZipkinConfig,
    /// Batching.
    pub batch: BatchConfig,
    /// Limits of a span.
    pub limits: LimitsConfig,
    /// How much memory recording may take.
    pub memory: MemoryConfig,
    /// What `tracing` spans say about themselves.
    pub spans: SpansConfig,
    /// Where spans are kept while a collector is away.
    pub spool: SpoolConfig,
    /// Which traces are exported, decided when they have ended.
    pub tail: TailConfig,
    /// What finds out attributes of the resource (`OTEL_RUST_RESOURCE_DETECTORS`).
    pub detectors: Setting<Vec<Detector>>,
    /// How much the pipeline says about itself.
    pub log_level: Setting<LogLevel>,
    /// Which `tracing` spans and events are recorded (`RUST_LOG`), where [`init`](crate::init) sets the subscriber.
    pub filter: Setting<FilterConfig>,
    /// How long a dropped [`Guard`](crate::Guard) waits for the last spans to leave.
    pub shutdown_timeout: Setting<Duration>,
    /// Entries of the baggage that every span records as attributes of the same name.
    pub baggage_attributes: Setting<Vec<String>>,
    resource: ResourceConfig,
    /// A file has been read into it.
    has_file: bool,
    /// The file stands in place of the environment.
    is_alone: bool,
    warnings: Vec<Warning>,
}

impl Default for TracingConfig {
    fn default() -> Self {
        Self {
            enabled: Setting::default(true),
            exporters: Setting::default(vec![ExporterKind::Otlp]),
            sampler: Setting::default(SamplerConfig::default()),
            include_events: Setting::default(true),
            include_links: Setting::default(true),
            propagators: Setting::default(Propagator::DEFAULT.to_vec()),
            otlp: OtlpConfig::default(),
            jaeger: OtlpConfig::default(),
            zipkin: ZipkinConfig::default(),
            batch: BatchConfig::default(),
            limits: LimitsConfig::default(),
            memory: MemoryConfig::default(),
            spans: SpansConfig::default(),
            spool: SpoolConfig::default(),
            tail: TailConfig::default(),
            detectors: Setting::default(Detector::DEFAULT.to_vec()),
            log_level: Setting::default(LogLevel::Info),
            filter: Setting::default(FilterConfig::default()),
            shutdown_timeout: Setting::default(Duration::from_secs(5)),
            baggage_attributes: Setting::default(Vec::new()),
            resource: ResourceConfig::default(),
            has_file: false,
            is_alone: false,
            warnings: Vec::new(),
        }
    }
}

impl TracingConfig {
    /// Reads the environment of the process over the defaults.
    #[must_use]
    pub fn from_env() -> Self {
        Self::default().with_env()
    }

    /// Reads variables through `lookup` over the defaults, for tests and for hosts with their own environment.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self::default().with_lookup(lookup)
    }

    /// Reads the environment of the process over this configuration. What code has set stays. Variables that are not UTF-8
    /// count as unset, with a warning.
    #[must_use]
    pub fn with_env(self) -> Self {
        let process = OfProcess::default();
        let mut config = self.with_lookup(|name| process.get(name));
        config.warnings.extend(process.warnings());
        config
    }

    /// As [`with_env`](Self::with_env), from variables that `lookup` finds.
    ///
    /// Where `OTEL_CONFIG_FILE` names a file that can be read, that file stands in place of all other variables but `RUST_LOG`
    /// (`sdk-environment-variables.md`, "Declarative configuration"). It may be of either kind that
    /// [`from_file`](Self::from_file) reads.
    #[must_use]
    pub fn with_lookup(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut environment = Environment::new(&lookup);
        environment.read(&["RUST_LOG"], Show::NameOnly, &mut self.filter, |text, remarks| {
            let (filter, errors) = FilterConfig::read(text);
            remarks.extend(errors.iter().map(|error| format!("{error}; it is left out")));
            Ok(filter)
        });
        self.read_named_file(&mut environment);
        if !self.is_alone {
            self.read(&mut environment);
        }
        self.warnings.append(&mut environment.warnings);
        self
    }

    /// What was wrong with the values given so far. Headers that the protocol in force does not take are known once all is set:
    /// [`print_warnings`](Self::print_warnings) and the [report](Self::report) name them.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Writes every warning to stderr, one line each, unless `log_level` wants less. Meant to be called once, when the
    /// pipeline starts.
    pub fn print_warnings(&self) {
        if !self.says_warnings() {
            return;
        }
        for warning in self.warnings.iter().chain(&self.unsent_headers()) {
            say(format_args!("clewline: configuration: {warning}"));
        }
    }

    /// The headers of the exporters that are used and cannot go with their protocol.
    fn unsent_headers(&self) -> Vec<Warning> {
        let exporters = self.exporters.get();
        let mut warnings = Vec::new();
        for (kind, otlp, section) in
            [(ExporterKind::Otlp, &self.otlp, ""), (ExporterKind::Jaeger, &self.jaeger, "jaeger.")]
        {
            if exporters.contains(&kind) {
                warnings.extend(otlp.unsent_headers(section));
            }
        }
        warnings
    }

    /// Whether `log_level` lets warnings through.
    pub(crate) fn says_warnings(&self) -> bool {
        !matches!(self.log_level.get(), LogLevel::None | LogLevel::Error)
    }

    /// The attributes of the resource, each key once: what was found out, then file, environment and code.
    #[must_use]
    pub fn resource(&self) -> Vec<(String, Setting<ResourceValue>)> {
        self.resource.effective(self.detectors.get())
    }

    /// Calls `then` with the attributes of the resource as spans know them.
    pub(crate) fn with_resource<R>(&self, then: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        let resource = self.resource();
        let texts: Vec<Vec<&str>> = resource.iter().map(|(_, value)| value.get().texts()).collect();
        let attributes: Vec<Attribute<'_>> = resource
            .iter()
            .zip(&texts)
            .map(|((key, value), texts)| (key.as_str(), value.get().as_value(texts)))
            .collect();
        then(&attributes)
    }

    /// The resource attribute `service.name`.
    #[must_use]
    pub fn service_name(&self) -> String {
        // No detector knows it.
        let resource = self.resource.effective(&[]);
        let name = resource.iter().find(|(key, _)| key == resource::SERVICE_NAME);
        name.map_or_else(|| resource::UNKNOWN_SERVICE.to_owned(), |(_, name)| name.get().to_string())
    }

    /// The limit for exporting one batch: the shorter of the exporter's and the batch processor's.
    #[must_use]
    pub fn export_timeout(&self) -> Option<Duration> {
        let limits = [*self.otlp.timeout.get(), *self.batch.export_timeout.get()];
        limits.into_iter().flatten().min()
    }

    /// How much a span may hold.
    #[must_use]
    pub fn span_limits(&self) -> SpanLimits {
        self.limits.span_limits(*self.include_events.get(), *self.include_links.get())
    }

    fn read(&mut self, environment: &mut Environment<'_>) {
        self.read_enabled(environment);
        environment.read(&["OTEL_LOG_LEVEL"], Show::Value, &mut self.log_level, |text, _| LogLevel::read(text));
        self.resource.read(environment);
        // The form that the specification recommends for what is particular to a language.
        environment.read(&["OTEL_RUST_RESOURCE_DETECTORS"], Show::Value, &mut self.detectors, Detector::list);
        environment.read(&["OTEL_TRACES_EXPORTER"], Show::Value, &mut self.exporters, ExporterKind::list);
        environment.read(&["OTEL_PROPAGATORS"], Show::Value, &mut self.propagators, Propagator::list);
        self.read_sampler(environment);
        self.otlp.read(environment);
        self.jaeger.read_jaeger(environment);
        self.zipkin.read(environment);
        self.batch.read(environment);
        self.limits.read(environment);
        self.spool.read(environment);
    }

    /// Reads the file that `OTEL_CONFIG_FILE` names, which then stands alone. A file that cannot be used is as good as none.
    fn read_named_file(&mut self, environment: &mut Environment<'_>) {
        const FILE: &str = "OTEL_CONFIG_FILE";
        let Some(path) = environment.value(FILE) else { return };
        if self.has_file {
            return environment.warn(FILE, Some(&path), "has no effect beside the file that was given");
        }
        #[cfg(feature = "serde")]
        match self.clone().with_file_and_lookup(path.as_ref(), environment.lookup()) {
            Ok(read) => *self = Self { is_alone: true, ..read },
            Err(error) => environment.warn(FILE, None, format!("{error}; the other variables are used")),
        }
        #[cfg(not(feature = "serde"))]
        environment.warn(FILE, Some(&path), "needs the feature `serde` of clewline; the other variables are used");
    }

    /// `OTEL_ENABLED` is the inverse of `OTEL_SDK_DISABLED`, which is the specification's and wins if they contradict.
    fn read_enabled(&mut self, environment: &mut Environment<'_>) {
        const DISABLED: &str = "OTEL_SDK_DISABLED";
        const ENABLED: &str = "OTEL_ENABLED";
        let (disabled, enabled) = (
            environment.truth(DISABLED, ", which leaves tracing on"),
            environment.truth(ENABLED, ", which turns tracing off"),
        );
        if let Some(enabled) = enabled {
            self.enabled.offer(enabled, Source::Environment(ENABLED));
        }
        if let Some(disabled) = disabled {
            if enabled == Some(disabled) {
                environment.warn(ENABLED, None, format!("contradicts {DISABLED}={disabled}, which is followed"));
            }
            self.enabled.offer(!disabled, Source::Environment(DISABLED));
        }
    }

    fn read_sampler(&mut self, environment: &mut Environment<'_>) {
        const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let sampler = environment
            .first(&[SAMPLER], Show::Value, |text, _| text.parse::<SamplerConfig>().map_err(|error| error.to_string()));
        let argument = environment.value(ARGUMENT);
        let Some((_, mut sampler)) = sampler else {
            if argument.is_some() {
                environment.warn(
                    ARGUMENT,
                    argument.as_deref(),
                    "has no effect without a sampler in OTEL_TRACES_SAMPLER",
                );
            }
            return;
        };
        if let Some(argument) = &argument {
            let outcome = match sampler.argument_mut() {
                Some(place) => place.set(argument),
                None => Err("this sampler takes no argument; it is ignored".to_owned()),
            };
            if let Err(problem) = outcome {
                environment.warn(ARGUMENT, Some(argument), problem);
            }
        }
        self.sampler.offer(sampler, Source::Environment(SAMPLER));
    }
}
