//! The tables of a configuration file and their fields.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess};

use super::resource::ResourceTree;
use super::sampler::WrittenSampler;
use super::section::{Field, Section};
use crate::config::batch::BatchConfig;
use crate::config::endpoint::{self, Endpoint};
use crate::config::exporters::{ExporterKind, ZipkinConfig};
use crate::config::header::{self, Header};
use crate::config::limits::LimitsConfig;
use crate::config::memory::MemoryConfig;
use crate::config::names;
use crate::config::otlp::{Compression, OtlpConfig, Protocol};
use crate::config::propagators::Propagator;
use crate::config::resource::SERVICE_NAME;
use crate::config::setting::{Setting, Source, Warning};
use crate::config::spans::SpansConfig;
use crate::config::spool::{SpoolConfig, SpoolOverflow};
use crate::config::tail::TailConfig;
use crate::config::{Detector, FilterError, LogLevel, SamplerConfig, TracingConfig};

impl Section for TracingConfig {
    const FIELDS: &'static [&'static str] = &[
        "enabled",
        "service_name",
        "service_version",
        "environment",
        "resource",
        "detectors",
        "sampler",
        "sampling_rate",
        "exporter",
        "exporters",
        "propagators",
        "baggage_attributes",
        "include_events",
        "include_links",
        "otlp",
        "jaeger",
        "zipkin",
        "batch",
        "limits",
        "spans",
        "memory",
        "spool",
        "tail",
        "log_level",
        "filter",
        "shutdown_timeout_ms",
        // What `clewline config` prints beside the configuration itself.
        "sources",
        "warnings",
    ];
    const INHERITED: &'static [&'static str] = OtlpConfig::FIELDS;
    const TABLES: &'static [(&'static str, &'static [&'static str])] = &[
        ("otlp", OtlpConfig::FIELDS),
        ("jaeger", OtlpConfig::FIELDS),
        ("zipkin", ZipkinConfig::FIELDS),
        ("batch", BatchConfig::FIELDS),
        ("limits", LimitsConfig::FIELDS),
        ("spans", SpansConfig::FIELDS),
        ("memory", MemoryConfig::FIELDS),
        ("spool", SpoolConfig::FIELDS),
        ("tail", TailConfig::FIELDS),
    ];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "enabled" => field.boolean(&mut self.enabled),
            "service_name" => self.take_text(SERVICE_NAME, field),
            "service_version" => self.take_text("service.version", field),
            "environment" => self.take_text("deployment.environment.name", field),
            "resource" => field.pairs(|key, value: ResourceTree| {
                value.walk(&key, &mut |key, value| self.resource.offer(key, value, Source::File));
                Ok(())
            }),
            "detectors" => field.list(&mut self.detectors, Detector::list),
            "sampler" => field.set(&mut self.sampler, |sampler: WrittenSampler| sampler.read()),
            "sampling_rate" => field.set(&mut self.sampler, |rate: f64| {
                let sampler = SamplerConfig::parent_based(SamplerConfig::TraceIdRatio(rate));
                sampler.check().map(|()| sampler).map_err(|error| error.to_string())
            }),
            "exporter" | "exporters" => field.list(&mut self.exporters, ExporterKind::list),
            "propagators" => field.list(&mut self.propagators, Propagator::list),
            "baggage_attributes" => field.list(&mut self.baggage_attributes, |list, remarks| {
                names::list(list, |key| Ok(key.to_owned()), remarks)
            }),
            "include_events" => field.boolean(&mut self.include_events),
            "include_links" => field.boolean(&mut self.include_links),
            "otlp" => field.section(&mut self.otlp),
            "jaeger" => field.section(&mut self.jaeger),
            "zipkin" => field.section(&mut self.zipkin),
            "batch" => field.section(&mut self.batch),
            "limits" => field.section(&mut self.limits),
            "spans" => field.section(&mut self.spans),
            "tail" => field.section(&mut self.tail),
            "memory" => field.section(&mut self.memory),
            "spool" => field.section(&mut self.spool),
            "log_level" => field.set(&mut self.log_level, |name: String| LogLevel::read(&name)),
            "filter" => {
                field.set(&mut self.filter, |text: String| text.parse().map_err(|error: FilterError| error.to_string()))
            }
            "shutdown_timeout_ms" => field.milliseconds(&mut self.shutdown_timeout),
            "sources" | "warnings" => field.ignore(),
            _ => self.otlp.take(name, field),
        }
    }

    fn finish(&mut self, path: &str, warnings: &mut Vec<Warning>) {
        self.otlp.finish(path, warnings);
    }
}

impl TracingConfig {
    /// A text that becomes an attribute of the resource.
    fn take_text<'de, A: MapAccess<'de>>(&mut self, key: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        let text: String = field.get()?;
        self.resource.offer(key, text.into(), Source::File);
        Ok(())
    }
}

impl Section for OtlpConfig {
    const FIELDS: &'static [&'static str] = &[
        "endpoint",
        "traces_url",
        "protocol",
        "headers",
        "timeout_ms",
        "compression",
        "insecure",
        "certificate",
        "client_certificate",
        "client_key",
    ];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            // Over the base, as in the environment, whichever of them stands first.
            "endpoint" if self.has_traces_url(Source::File) => field.ignore(),
            "endpoint" => field.set(&mut self.endpoint, |url: Url| checked(Endpoint::Base(url.0))),
            "traces_url" => field.set(&mut self.endpoint, |url: Url| checked(Endpoint::Traces(url.0))),
            "protocol" => field.set(&mut self.protocol, |name: String| Protocol::read(&name)),
            "headers" => {
                let mut headers = Vec::new();
                field.pairs(|name, value: String| {
                    let header = Header::new(name, value).map_err(|error| error.to_string())?;
                    header::set(&mut headers, header);
                    Ok(())
                })?;
                self.headers.offer(headers, Source::File);
                Ok(())
            }
            "timeout_ms" => field.timeout(&mut self.timeout),
            "compression" => field.set(&mut self.compression, |name: String| Compression::read(&name)),
            "insecure" => field.boolean(&mut self.insecure),
            "certificate" => field.file(&mut self.certificate),
            "client_certificate" => field.file(&mut self.client_certificate),
            _ => field.file(&mut self.client_key),
        }
    }

    /// What an address may look like depends on the protocol, which may stand after it.
    fn finish(&mut self, path: &str, warnings: &mut Vec<Warning>) {
        if self.endpoint.source() == Source::File
            && let Err(error) = self.endpoint.get().check(*self.protocol.get())
        {
            warnings.push(Warning::new(format!("{path}endpoint"), None, format!("{error}; the value is ignored")));
            self.endpoint = Setting::default(Endpoint::Local);
        }
    }
}

impl OtlpConfig {
    fn has_traces_url(&self, source: Source) -> bool {
        matches!(self.endpoint.get(), Endpoint::Traces(_)) && self.endpoint.source() == source
    }
}

/// An address that is not shown if it may hold credentials, which stand before an `@`.
struct Url(String);

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.contains('@') { "(hidden)" } else { &self.0 })
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// An address that is good for one protocol at least.
fn checked(endpoint: Endpoint) -> Result<Endpoint, String> {
    endpoint.check(Protocol::Grpc).map(|()| endpoint).map_err(|error| error.to_string())
}

impl Section for ZipkinConfig {
    const FIELDS: &'static [&'static str] = &["endpoint", "timeout_ms"];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "endpoint" => field.set(&mut self.endpoint, |url: Url| {
                endpoint::check(&url.0, false).map(|()| url.0).map_err(|error| error.to_string())
            }),
            _ => field.timeout(&mut self.timeout),
        }
    }
}

impl Section for BatchConfig {
    const FIELDS: &'static [&'static str] =
        &["schedule_delay_ms", "export_timeout_ms", "max_queue_size", "max_export_batch_size"];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "schedule_delay_ms" => field.milliseconds(&mut self.schedule_delay),
            "export_timeout_ms" => field.timeout(&mut self.export_timeout),
            "max_queue_size" => field.count(1, &mut self.max_queue_size),
            _ => field.count(1, &mut self.max_export_batch_size),
        }
    }

    fn finish(&mut self, _: &str, warnings: &mut Vec<Warning>) {
        self.fit(warnings);
    }
}

impl Section for LimitsConfig {
    const FIELDS: &'static [&'static str] = &[
        "attribute_count",
        "attribute_value_length",
        "event_count",
        "link_count",
        "event_attribute_count",
        "link_attribute_count",
    ];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "attribute_count" => field.count(0, &mut self.attribute_count),
            "attribute_value_length" => field.limit(&mut self.attribute_value_length),
            "event_count" => field.count(0, &mut self.event_count),
            "link_count" => field.count(0, &mut self.link_count),
            "event_attribute_count" => field.count(0, &mut self.event_attribute_count),
            _ => field.count(0, &mut self.link_attribute_count),
        }
    }
}

impl Section for SpansConfig {
    const FIELDS: &'static [&'static str] = &["location", "threads", "level", "target", "inactivity", "export_open"];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        field.boolean(match name {
            "location" => &mut self.location,
            "threads" => &mut self.threads,
            "level" => &mut self.level,
            "target" => &mut self.target,
            "inactivity" => &mut self.inactivity,
            _ => &mut self.export_open,
        })
    }
}

impl Section for SpoolConfig {
    const FIELDS: &'static [&'static str] = &["directory", "max_bytes", "overflow"];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "directory" => field.file(&mut self.directory),
            "max_bytes" => field.count(Self::LEAST_BYTES, &mut self.max_bytes),
            _ => field.set(&mut self.overflow, |name: String| SpoolOverflow::read(&name)),
        }
    }
}

impl Section for TailConfig {
    const FIELDS: &'static [&'static str] = &["errors", "slower_than_ms", "longest_wait_ms", "max_bytes"];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "errors" => field.boolean(&mut self.errors),
            "slower_than_ms" => field.timeout(&mut self.slower_than),
            "longest_wait_ms" => field.milliseconds(&mut self.longest_wait),
            _ => field.count(0, &mut self.max_bytes),
        }
    }
}

impl Section for MemoryConfig {
    const FIELDS: &'static [&'static str] = &["span_bytes", "thread_bytes", "burst_bytes"];

    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error> {
        match name {
            "span_bytes" => field.count(Self::LEAST_BYTES, &mut self.span_bytes),
            "thread_bytes" => field.count(Self::LEAST_BYTES, &mut self.thread_bytes),
            _ => field.count(0, &mut self.burst_bytes),
        }
    }
}
