//! What the tracing pipeline is told to do: the specification's defaults, then the environment, then code.
//!
//! Configuration never fails. A variable that cannot be read leaves the value below it in force and adds a [`Warning`].
//! Each [`Setting`] remembers where it came from. Not here: declarative configuration files (`OTEL_CONFIG_FILE`).

mod endpoint;
mod environment;
mod otlp;
mod pairs;
mod resource;
mod sampler;
mod setting;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::time::Duration;

pub use endpoint::EndpointError;
pub use otlp::{Compression, Header, HeaderError, OtlpConfig, Protocol};
pub use sampler::SamplerConfig;
pub use setting::{Setting, Source, Warning};

use environment::{Environment, Show};

/// An exporter that finished spans go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExporterKind {
    /// OTLP, as [`OtlpConfig`] says.
    Otlp,
}

/// How finished spans are collected into requests (`OTEL_BSP_*`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchConfig {
    /// The longest a finished span waits for more before it is exported.
    pub schedule_delay: Setting<Duration>,
    /// The longest that exporting one batch may take, whatever the exporter; `None` is no limit.
    pub export_timeout: Setting<Option<Duration>>,
    /// Spans kept waiting; more are dropped and counted.
    pub max_queue_size: Setting<usize>,
    /// Spans in one request at most.
    pub max_export_batch_size: Setting<usize>,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            schedule_delay: Setting::default(Duration::from_millis(5000)),
            export_timeout: Setting::default(Some(Duration::from_secs(30))),
            max_queue_size: Setting::default(2048),
            max_export_batch_size: Setting::default(512),
        }
    }
}

/// How much one span may hold (`trace/sdk.md`, "Span limits"; `common/README.md`, "Attribute limits").
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Attributes of a span.
    pub attribute_count: Setting<usize>,
    /// Length of a text value in characters; `None` is no limit.
    pub attribute_value_length: Setting<Option<usize>>,
    /// Events of a span.
    pub event_count: Setting<usize>,
    /// Links of a span.
    pub link_count: Setting<usize>,
    /// Attributes of one event.
    pub event_attribute_count: Setting<usize>,
    /// Attributes of one link.
    pub link_attribute_count: Setting<usize>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            attribute_count: Setting::default(128),
            attribute_value_length: Setting::default(None),
            event_count: Setting::default(128),
            link_count: Setting::default(128),
            event_attribute_count: Setting::default(128),
            link_attribute_count: Setting::default(128),
        }
    }
}

/// The whole configuration. `Config::default()` is the specification's; [`Config::from_env`] reads the process.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// No spans at all (`OTEL_SDK_DISABLED`). A native span still hands its parent's context on; a `tracing` span does not.
    pub disabled: Setting<bool>,
    /// Where finished spans go; empty is nowhere.
    pub exporters: Setting<Vec<ExporterKind>>,
    /// Which spans are recorded.
    pub sampler: Setting<SamplerConfig>,
    /// The OTLP exporter.
    pub otlp: OtlpConfig,
    /// Batching.
    pub batch: BatchConfig,
    /// Limits of a span.
    pub limits: LimitsConfig,
    resource: Vec<(String, Setting<String>)>,
    warnings: Vec<Warning>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            disabled: Setting::default(false),
            exporters: Setting::default(vec![ExporterKind::Otlp]),
            sampler: Setting::default(SamplerConfig::default()),
            otlp: OtlpConfig::default(),
            batch: BatchConfig::default(),
            limits: LimitsConfig::default(),
            resource: resource::defaults(),
            warnings: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the environment of the process over the defaults.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads variables through `lookup` over the defaults, for tests and for hosts with their own environment.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut environment = Environment::new(&lookup);
        let mut config = Self::default();
        config.read(&mut environment);
        config.warnings = environment.warnings;
        config
    }

    /// What was wrong with the values given so far.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Writes every warning to stderr, one line each. Meant to be called once, when the pipeline starts.
    pub fn print_warnings(&self) {
        let mut stderr = std::io::stderr().lock();
        for warning in &self.warnings {
            // Without a stderr there is nowhere left to say so.
            let _ = writeln!(stderr, "clewline: configuration: {warning}");
        }
    }

    /// The attributes of the resource, each key once: defaults, then the environment, then code.
    pub fn resource(&self) -> impl Iterator<Item = (&str, &Setting<String>)> {
        self.resource.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The resource attribute `service.name`.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.resource()
            .find(|(key, _)| *key == resource::SERVICE_NAME)
            .map_or(resource::UNKNOWN_SERVICE, |(_, name)| name.get())
    }

    /// The limit for exporting one batch: the shorter of the exporter's and the batch processor's.
    #[must_use]
    pub fn export_timeout(&self) -> Option<Duration> {
        let limits = [*self.otlp.timeout.get(), *self.batch.export_timeout.get()];
        limits.into_iter().flatten().min()
    }

    fn read(&mut self, environment: &mut Environment<'_>) {
        environment.boolean(&["OTEL_SDK_DISABLED"], &mut self.disabled);
        resource::read(&mut self.resource, environment);
        environment.read(&["OTEL_TRACES_EXPORTER"], Show::Value, &mut self.exporters, exporters);
        self.read_sampler(environment);
        self.otlp.read(environment);
        self.read_batch(environment);
        self.read_limits(environment);
        warn_about_unsupported(environment);
    }

    fn read_sampler(&mut self, environment: &mut Environment<'_>) {
        environment.read(&["OTEL_TRACES_SAMPLER"], Show::Value, &mut self.sampler, |text, _| {
            SamplerConfig::from_name(text).ok_or_else(|| "not a sampler that is built in".to_owned())
        });
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(argument) = environment.value(ARGUMENT) else {
            return;
        };
        if self.sampler.source() == Source::Default {
            return environment.warn(ARGUMENT, Some(&argument), "has no effect without OTEL_TRACES_SAMPLER");
        }
        let source = self.sampler.source();
        let mut sampler = self.sampler.get().clone();
        if let Some(place) = sampler.ratio_mut() {
            match sampler::parse_ratio(&argument) {
                Some(ratio) => *place = ratio,
                None => environment.warn(ARGUMENT, Some(&argument), "not a number from 0.0 to 1.0; 1.0 is used"),
            }
            self.sampler = Setting::new(sampler, source);
        }
    }

    fn read_batch(&mut self, environment: &mut Environment<'_>) {
        const BATCH_SIZE: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        let batch = &mut self.batch;
        environment.milliseconds(&["OTEL_BSP_SCHEDULE_DELAY"], &mut batch.schedule_delay);
        environment.timeout(&["OTEL_BSP_EXPORT_TIMEOUT"], &mut batch.export_timeout);
        environment.count(&["OTEL_BSP_MAX_QUEUE_SIZE"], 1, &mut batch.max_queue_size);
        let queue_size = *batch.max_queue_size.get();
        batch.max_export_batch_size = Setting::default(512.min(queue_size));
        environment.read(&[BATCH_SIZE], Show::Value, &mut batch.max_export_batch_size, |text, _| match text.parse() {
            Ok(size) if (1..=queue_size).contains(&size) => Ok(size),
            _ => Err(format!("not a whole number from 1 to the queue size, {queue_size}")),
        });
    }

    fn read_limits(&mut self, environment: &mut Environment<'_>) {
        let limits = &mut self.limits;
        environment.count(
            &["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
            0,
            &mut limits.attribute_count,
        );
        environment.limit(
            &["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
            &mut limits.attribute_value_length,
        );
        environment.count(&["OTEL_SPAN_EVENT_COUNT_LIMIT"], 0, &mut limits.event_count);
        environment.count(&["OTEL_SPAN_LINK_COUNT_LIMIT"], 0, &mut limits.link_count);
        environment.count(&["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"], 0, &mut limits.event_attribute_count);
        environment.count(&["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"], 0, &mut limits.link_attribute_count);
    }
}

/// Setters for code: each wins over the environment.
impl Config {
    /// Sets the resource attribute `service.name`.
    #[must_use]
    pub fn with_service_name(self, name: impl Into<String>) -> Self {
        self.with_resource_attribute(resource::SERVICE_NAME, name)
    }

    /// Sets an attribute of the resource.
    #[must_use]
    pub fn with_resource_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        resource::set(&mut self.resource, key.into(), Setting::new(value.into(), Source::Code));
        self
    }

    /// Turns all spans off or on.
    #[must_use]
    pub fn with_disabled(mut self, disabled: bool) -> Self {
        self.disabled = Setting::new(disabled, Source::Code);
        self
    }

    /// Sets where finished spans go; an empty list is nowhere.
    #[must_use]
    pub fn with_exporters(mut self, exporters: impl Into<Vec<ExporterKind>>) -> Self {
        self.exporters = Setting::new(exporters.into(), Source::Code);
        self
    }

    /// Sets which spans are recorded.
    #[must_use]
    pub fn with_sampler(mut self, sampler: SamplerConfig) -> Self {
        self.sampler = Setting::new(sampler, Source::Code);
        self
    }

    /// Sets the base address of the collector; `v1/traces` is appended to its path.
    ///
    /// # Errors
    /// An address that is not an http or https URL.
    pub fn with_endpoint(mut self, base: &str) -> Result<Self, EndpointError> {
        self.otlp.traces_url = Setting::new(endpoint::from_base(base)?, Source::Code);
        Ok(self)
    }

    /// Sets the exact URL that spans are posted to.
    ///
    /// # Errors
    /// An address that is not an http or https URL.
    pub fn with_traces_endpoint(mut self, url: &str) -> Result<Self, EndpointError> {
        self.otlp.traces_url = Setting::new(endpoint::as_is(url)?, Source::Code);
        Ok(self)
    }

    /// Adds a header to every OTLP request, or replaces the one of the same name.
    #[must_use]
    pub fn with_header(mut self, header: Header) -> Self {
        let mut headers = self.otlp.headers.get().clone();
        otlp::set_header(&mut headers, header);
        self.otlp.headers = Setting::new(headers, Source::Code);
        self
    }

    /// Sets the longest that exporting one batch over OTLP may take; `None` is no limit.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.otlp.timeout = Setting::new(timeout, Source::Code);
        self
    }

    /// Sets how OTLP bodies are compressed.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.otlp.compression = Setting::new(compression, Source::Code);
        self
    }

    /// Sets the longest a finished span waits for more before it is exported.
    #[must_use]
    pub fn with_schedule_delay(mut self, delay: Duration) -> Self {
        self.batch.schedule_delay = Setting::new(delay, Source::Code);
        self
    }

    /// Sets how many spans may wait and how many go into one request: both at least 1, the second at most the first.
    #[must_use]
    pub fn with_batch_sizes(mut self, max_queue_size: usize, max_export_batch_size: usize) -> Self {
        let queue = max_queue_size.max(1);
        self.batch.max_queue_size = Setting::new(queue, Source::Code);
        self.batch.max_export_batch_size = Setting::new(max_export_batch_size.clamp(1, queue), Source::Code);
        self
    }
}

/// Reads `OTEL_TRACES_EXPORTER`, a list of names of which `none` stands alone.
fn exporters(list: &str, remarks: &mut Vec<String>) -> Result<Vec<ExporterKind>, String> {
    let names: Vec<String> = pairs::members(list).map(str::to_ascii_lowercase).collect();
    if names.iter().any(|name| name == "none") {
        if names.len() > 1 {
            remarks.push("`none` beside other exporters; nothing is exported".to_owned());
        }
        return Ok(Vec::new());
    }
    let mut exporters = Vec::new();
    for name in &names {
        match name.as_str() {
            "otlp" if exporters.contains(&ExporterKind::Otlp) => {}
            "otlp" => exporters.push(ExporterKind::Otlp),
            _ => remarks.push(format!("{name:?} is not an exporter of this version; it is left out")),
        }
    }
    if exporters.is_empty() { Err("no exporter of this version is named".to_owned()) } else { Ok(exporters) }
}

/// Says which well-known variables are set but have no effect in this version.
fn warn_about_unsupported(environment: &mut Environment<'_>) {
    const UNSUPPORTED: [&str; 7] = [
        "OTEL_CONFIG_FILE",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    ];
    for name in UNSUPPORTED {
        if environment.value(name).is_some() {
            environment.warn(name, None, "not supported in this version; it has no effect");
        }
    }
    const PROPAGATORS: &str = "OTEL_PROPAGATORS";
    if let Some(list) = environment.value(PROPAGATORS)
        && pairs::members(&list).any(|name| !name.eq_ignore_ascii_case("tracecontext"))
    {
        environment.warn(PROPAGATORS, Some(&list), "this version propagates `tracecontext`, that and nothing else");
    }
}
