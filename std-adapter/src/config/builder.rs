//! Setters for code: each wins over files and the environment, whichever is read first.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::{self, Endpoint, EndpointError};
use super::header::{self, Header};
use super::otlp::{Compression, Protocol};
use super::resource::{ResourceValue, SERVICE_NAME};
use super::setting::{Setting, Source};
use super::{Detector, ExporterKind, FilterConfig, Propagator, SamplerConfig, TracingConfig, Warning};

impl TracingConfig {
    /// Sets the resource attribute `service.name`.
    #[must_use]
    pub fn with_service_name(self, name: impl Into<String>) -> Self {
        self.with_resource_attribute(SERVICE_NAME, name.into())
    }

    /// Sets the resource attribute `service.version`.
    #[must_use]
    pub fn with_service_version(self, version: impl Into<String>) -> Self {
        self.with_resource_attribute("service.version", version.into())
    }

    /// Sets the resource attribute `deployment.environment.name`: `production`, `staging`, `test`, …
    #[must_use]
    pub fn with_environment(self, name: impl Into<String>) -> Self {
        self.with_resource_attribute("deployment.environment.name", name.into())
    }

    /// Sets an attribute of the resource.
    #[must_use]
    pub fn with_resource_attribute(mut self, key: impl Into<String>, value: impl Into<ResourceValue>) -> Self {
        self.resource.offer(&key.into(), value.into(), Source::Code);
        self
    }

    /// Sets the entries of the baggage that every span records as attributes of the same name. Nothing else of it is recorded:
    /// baggage comes from whoever sent the request.
    #[must_use]
    pub fn with_baggage_attributes<'k>(mut self, keys: impl IntoIterator<Item = &'k str>) -> Self {
        self.baggage_attributes = keys.into_iter().map(str::to_owned).collect::<Vec<_>>().into();
        self
    }

    /// Sets what finds out attributes of the resource; an empty list is nothing.
    #[must_use]
    pub fn with_detectors(mut self, detectors: impl Into<Vec<Detector>>) -> Self {
        self.detectors = detectors.into().into();
        self
    }

    /// Turns all spans on or off.
    #[must_use]
    pub fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled.into();
        self
    }

    /// Sets where finished spans go; an empty list is nowhere.
    #[must_use]
    pub fn with_exporters(mut self, exporters: impl Into<Vec<ExporterKind>>) -> Self {
        self.exporters = exporters.into().into();
        self
    }

    /// Sets which spans are recorded. A sampler that cannot work with what it is given is ignored with a warning.
    #[must_use]
    pub fn with_sampler(mut self, sampler: SamplerConfig) -> Self {
        match sampler.check() {
            Ok(()) => self.sampler = sampler.into(),
            Err(error) => {
                let problem = format!("{error}; the sampler is ignored");
                self.warnings.push(Warning::new("sampler", Some(&sampler.to_string()), problem));
            }
        }
        self
    }

    /// Records this share of all traces, from 0.0 to 1.0, and follows the parent where there is one.
    #[must_use]
    pub fn with_sampling_rate(self, rate: f64) -> Self {
        self.with_sampler(SamplerConfig::parent_based(SamplerConfig::TraceIdRatio(rate)))
    }

    /// Sets whether spans hold events.
    #[must_use]
    pub fn with_events(mut self, include_events: bool) -> Self {
        self.include_events = include_events.into();
        self
    }

    /// Sets whether spans hold links.
    #[must_use]
    pub fn with_links(mut self, include_links: bool) -> Self {
        self.include_links = include_links.into();
        self
    }

    /// Sets which `tracing` spans and events are recorded.
    #[must_use]
    pub fn with_filter(mut self, filter: FilterConfig) -> Self {
        self.filter = filter.into();
        self
    }

    /// Sets how contexts travel between processes; an empty list is not at all.
    #[must_use]
    pub fn with_propagators(mut self, propagators: impl Into<Vec<Propagator>>) -> Self {
        self.propagators = propagators.into().into();
        self
    }

    /// Sets how OTLP travels.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.otlp.protocol = protocol.into();
        self
    }

    /// Sets the base address of the OTLP collector; over HTTP `v1/traces` is appended to its path.
    ///
    /// # Errors
    /// An address that is not an http or https URL (for gRPC it may be without a scheme), and one that ends in `v1/traces` already:
    /// [`with_traces_endpoint`](Self::with_traces_endpoint) takes what OpenTelemetry's exporters take in code.
    pub fn with_endpoint(mut self, base: &str) -> Result<Self, EndpointError> {
        if endpoint::is_for_traces(base) {
            return Err(EndpointError::TracesPath);
        }
        self.otlp.endpoint = self.checked(Endpoint::Base(base.to_owned()))?;
        Ok(self)
    }

    /// Sets the exact URL that OTLP is posted to.
    ///
    /// # Errors
    /// As [`with_endpoint`](Self::with_endpoint).
    pub fn with_traces_endpoint(mut self, url: &str) -> Result<Self, EndpointError> {
        self.otlp.endpoint = self.checked(Endpoint::Traces(url.to_owned()))?;
        Ok(self)
    }

    /// Sets the URL that Zipkin's JSON is posted to.
    ///
    /// # Errors
    /// An address that is not an http or https URL.
    pub fn with_zipkin_endpoint(mut self, url: &str) -> Result<Self, EndpointError> {
        endpoint::check(url, false)?;
        self.zipkin.endpoint = url.to_owned().into();
        Ok(self)
    }

    /// Sets the base address of Jaeger, which takes OTLP.
    ///
    /// # Errors
    /// As [`with_endpoint`](Self::with_endpoint).
    pub fn with_jaeger_endpoint(mut self, base: &str) -> Result<Self, EndpointError> {
        let endpoint = Endpoint::Base(base.to_owned());
        endpoint.check(*self.jaeger.protocol.get())?;
        self.jaeger.endpoint = endpoint.into();
        Ok(self)
    }

    /// Adds a header to every OTLP request, or replaces the one of the same name.
    #[must_use]
    pub fn with_header(mut self, header: Header) -> Self {
        let mut headers = self.otlp.headers.get().clone();
        header::set(&mut headers, header);
        self.otlp.headers = headers.into();
        self
    }

    /// Sets the longest that exporting one batch over OTLP may take; `None` is no limit.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.otlp.timeout = timeout.into();
        self
    }

    /// Sets how OTLP bodies are compressed.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.otlp.compression = compression.into();
        self
    }

    /// Sets the longest a finished span waits for more before it is exported.
    #[must_use]
    pub fn with_schedule_delay(mut self, delay: Duration) -> Self {
        self.batch.schedule_delay = delay.into();
        self
    }

    /// Sets how many spans may wait and how many go into one request: both at least 1, the second at most the first.
    #[must_use]
    pub fn with_batch_sizes(mut self, max_queue_size: usize, max_export_batch_size: usize) -> Self {
        let queue = max_queue_size.max(1);
        self.batch.max_queue_size = queue.into();
        self.batch.max_export_batch_size = max_export_batch_size.clamp(1, queue).into();
        self
    }

    /// Keeps spans in files in this directory while their collector is away (feature `spool`).
    #[must_use]
    pub fn with_spool(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool.directory = Some(directory.into()).into();
        self
    }

    /// Exports only traces in which a span failed or, where a time is given, took longer. [`TracingConfig::tail`] has more.
    #[must_use]
    pub fn with_errors_or_slow_traces_only(mut self, slower_than: Option<Duration>) -> Self {
        self.tail.errors = true.into();
        self.tail.slower_than = slower_than.into();
        self
    }

    fn checked(&self, endpoint: Endpoint) -> Result<Setting<Endpoint>, EndpointError> {
        endpoint.check(*self.otlp.protocol.get())?;
        Ok(endpoint.into())
    }
}
