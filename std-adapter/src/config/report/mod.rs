//! The effective configuration as `clewline config` prints it, and what of it was set as a file would say it.

#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
mod certificates;
mod entry;

use std::path::PathBuf;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use self::entry::{Entry, Shown, entries_as_map};
use super::endpoint::without_credentials;
use super::setting::{Setting, Source};
use super::{Endpoint, ExporterKind, LogLevel, OtlpConfig, TracingConfig, resource};

/// The effective configuration: every value in force, where it came from, and the warnings.
///
/// `traces_url`, `protocol`, `timeout_ms`, `compression` and `headers` are those of the first of the exporters `otlp`, `jaeger`
/// and `zipkin` that is used. Fields that most configurations leave alone are shown where they differ from the default. A
/// time limit of 0 is none.
///
/// ```
/// let config = clewline::TracingConfig::default().with_service_name("shop");
/// let report = serde_json::to_value(config.report()).unwrap();
/// assert_eq!(report["service_name"], "shop");
/// assert_eq!(report["sources"]["service_name"], "code");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Report<'c> {
    config: &'c TracingConfig,
    is_redacted: bool,
    looks_into_files: bool,
}

impl TracingConfig {
    /// The effective configuration, to be shown.
    #[must_use]
    pub const fn report(&self) -> Report<'_> {
        Report { config: self, is_redacted: false, looks_into_files: false }
    }
}

impl Report<'_> {
    /// Hides what may be a secret: the values of headers, and in addresses the user and the query.
    #[must_use]
    pub const fn redacted(mut self) -> Self {
        self.is_redacted = true;
        self
    }

    /// Reads the certificates and keys that are named too, and warns of those that cannot be used.
    #[must_use]
    pub const fn with_files(mut self) -> Self {
        self.looks_into_files = true;
        self
    }

    fn warnings(self) -> Vec<String> {
        let unsent = self.config.unsent_headers();
        let warnings: Vec<String> = self.config.warnings.iter().chain(&unsent).map(ToString::to_string).collect();
        #[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
        if self.looks_into_files {
            let of_files = certificates::warnings(self.config);
            return warnings.into_iter().chain(of_files.iter().map(ToString::to_string)).collect();
        }
        warnings
    }

    fn url(self, url: &str) -> Shown {
        Shown::Text(if self.is_redacted { without_credentials(url) } else { url.to_owned() })
    }

    fn entries(self) -> Vec<Entry> {
        let config = self.config;
        let resource = config.resource();
        let service_name = resource.iter().find(|(key, _)| key == resource::SERVICE_NAME);
        let mut entries = vec![Entry::new("enabled", &config.enabled, |enabled| Shown::Bool(*enabled))];
        entries.extend(service_name.map(|(_, name)| Entry::new("service_name", name, Shown::text)));
        entries.push(Entry::new("exporters", &config.exporters, |exporters| Shown::texts(exporters)));
        entries.extend(self.transport());
        entries.push(Entry::new("sampler", &config.sampler, Shown::text));
        entries.push(Entry::new("propagators", &config.propagators, |propagators| Shown::texts(propagators)));
        entries.push(Entry::table("batch", batch(config)));
        entries.push(Entry::table("limits", limits(config)));
        let shown =
            |(key, value): &(String, Setting<_>)| Entry::new(key, value, |value| Shown::Resource(Clone::clone(value)));
        entries.push(Entry::table("resource", resource.iter().map(shown).collect()));
        entries.extend(self.further());
        entries
    }

    /// The exporter whose address and so on stand at the top.
    fn main_exporter(self) -> ExporterKind {
        let exporters = self.config.exporters.get();
        let network = [ExporterKind::Otlp, ExporterKind::Jaeger, ExporterKind::Zipkin];
        network.into_iter().find(|kind| exporters.contains(kind)).unwrap_or(ExporterKind::Otlp)
    }

    fn transport(self) -> Vec<Entry> {
        let config = self.config;
        let otlp = match self.main_exporter() {
            ExporterKind::Zipkin => {
                let zipkin = &config.zipkin;
                let fixed = |name: &str, value| Entry { name: name.to_owned(), value, source: Some(Source::Default) };
                return vec![
                    Entry::new("traces_url", &zipkin.endpoint, |url| self.url(url)),
                    fixed("protocol", Shown::Text("http/json".to_owned())),
                    Entry::new("timeout_ms", &zipkin.timeout, |limit| Shown::timeout(*limit)),
                    fixed("compression", Shown::Text("none".to_owned())),
                    fixed("headers", Shown::Pairs(Vec::new())),
                ];
            }
            ExporterKind::Jaeger => &config.jaeger,
            _ => &config.otlp,
        };
        vec![
            Entry::new("traces_url", &otlp.endpoint, |_| self.url(&otlp.traces_url())),
            Entry::new("protocol", &otlp.protocol, Shown::text),
            Entry::new("timeout_ms", &otlp.timeout, |limit| Shown::timeout(*limit)),
            Entry::new("compression", &otlp.compression, Shown::text),
            Entry::new("headers", &otlp.headers, |headers| Shown::headers(headers, self.is_redacted)),
        ]
    }

    /// What is shown where it matters.
    fn further(self) -> Vec<Entry> {
        let config = self.config;
        let (main, exporters) = (self.main_exporter(), config.exporters.get());
        let is_beside = |kind| exporters.contains(&kind) && main != kind;
        let mut entries = switches(config);
        entries.extend(security(if main == ExporterKind::Jaeger { &config.jaeger } else { &config.otlp }));
        entries.retain(Entry::is_set);
        let tables =
            [("memory", memory(config)), ("spans", spans(config)), ("spool", spool(config)), ("tail", tail(config))];
        for (name, mut table) in tables {
            // A spool without a directory is none.
            let is_whole = match name {
                "spool" => config.spool.directory.get().is_some(),
                "tail" => config.tail.sampling().is_some(),
                _ => false,
            };
            table.retain(|entry| is_whole || entry.is_set());
            if table.iter().any(Entry::is_set) {
                entries.push(Entry::table(name, table));
            }
        }
        if is_beside(ExporterKind::Jaeger) {
            entries.push(Entry::table("jaeger", self.jaeger()));
        }
        if is_beside(ExporterKind::Zipkin) {
            entries.push(Entry::table("zipkin", self.zipkin()));
        }
        entries
    }

    fn jaeger(self) -> Vec<Entry> {
        let jaeger = &self.config.jaeger;
        let mut entries = vec![
            Entry::new("traces_url", &jaeger.endpoint, |_| self.url(&jaeger.traces_url())),
            Entry::new("protocol", &jaeger.protocol, Shown::text),
            Entry::new("timeout_ms", &jaeger.timeout, |limit| Shown::timeout(*limit)),
            Entry::new("compression", &jaeger.compression, Shown::text),
            Entry::new("headers", &jaeger.headers, |headers| Shown::headers(headers, self.is_redacted)),
        ];
        entries.extend(security(jaeger).into_iter().filter(Entry::is_set));
        entries
    }

    fn zipkin(self) -> Vec<Entry> {
        let zipkin = &self.config.zipkin;
        vec![
            Entry::new("endpoint", &zipkin.endpoint, |url| self.url(url)),
            Entry::new("timeout_ms", &zipkin.timeout, |limit| Shown::timeout(*limit)),
        ]
    }
}

fn batch(config: &TracingConfig) -> Vec<Entry> {
    let batch = &config.batch;
    vec![
        Entry::new("schedule_delay_ms", &batch.schedule_delay, |delay| Shown::milliseconds(*delay)),
        Entry::new("export_timeout_ms", &batch.export_timeout, |limit| Shown::timeout(*limit)),
        Entry::new("max_queue_size", &batch.max_queue_size, |size| Shown::count(*size)),
        Entry::new("max_export_batch_size", &batch.max_export_batch_size, |size| Shown::count(*size)),
    ]
}

fn limits(config: &TracingConfig) -> Vec<Entry> {
    let limits = &config.limits;
    let count = |name: &str, limit| Entry::new(name, limit, |count| Shown::count(*count));
    vec![
        count("attribute_count", &limits.attribute_count),
        Entry::new("attribute_value_length", &limits.attribute_value_length, |length| {
            length.map_or(Shown::Nothing, Shown::count)
        }),
        count("event_count", &limits.event_count),
        count("link_count", &limits.link_count),
        count("event_attribute_count", &limits.event_attribute_count),
        count("link_attribute_count", &limits.link_attribute_count),
    ]
}

fn spans(config: &TracingConfig) -> Vec<Entry> {
    let spans = &config.spans;
    let switch = |name: &str, is_on| Entry::new(name, is_on, |is_on| Shown::Bool(*is_on));
    vec![
        switch("location", &spans.location),
        switch("threads", &spans.threads),
        switch("level", &spans.level),
        switch("target", &spans.target),
        switch("inactivity", &spans.inactivity),
        switch("export_open", &spans.export_open),
    ]
}

fn memory(config: &TracingConfig) -> Vec<Entry> {
    let memory = &config.memory;
    let bytes = |name: &str, bytes| Entry::new(name, bytes, |bytes| Shown::count(*bytes));
    vec![
        bytes("span_bytes", &memory.span_bytes),
        bytes("thread_bytes", &memory.thread_bytes),
        bytes("burst_bytes", &memory.burst_bytes),
    ]
}

fn spool(config: &TracingConfig) -> Vec<Entry> {
    let spool = &config.spool;
    vec![
        file("directory", &spool.directory),
        Entry::new("max_bytes", &spool.max_bytes, |bytes| Shown::count(*bytes)),
        Entry::new("overflow", &spool.overflow, Shown::text),
    ]
}

fn tail(config: &TracingConfig) -> Vec<Entry> {
    let tail = &config.tail;
    vec![
        Entry::new("errors", &tail.errors, |are_kept| Shown::Bool(*are_kept)),
        Entry::new("slower_than_ms", &tail.slower_than, |limit| Shown::timeout(*limit)),
        Entry::new("longest_wait_ms", &tail.longest_wait, |wait| Shown::milliseconds(*wait)),
        Entry::new("max_bytes", &tail.max_bytes, |bytes| Shown::count(*bytes)),
    ]
}

fn file(name: &str, file: &Setting<Option<PathBuf>>) -> Entry {
    Entry::new(name, file, |path| {
        path.as_ref().map_or(Shown::Nothing, |path| Shown::Text(path.to_string_lossy().into_owned()))
    })
}

fn switches(config: &TracingConfig) -> Vec<Entry> {
    vec![
        Entry::new("include_events", &config.include_events, |is_on| Shown::Bool(*is_on)),
        Entry::new("include_links", &config.include_links, |is_on| Shown::Bool(*is_on)),
        Entry::new("baggage_attributes", &config.baggage_attributes, |keys| Shown::texts(keys)),
        Entry::new("detectors", &config.detectors, |detectors| Shown::texts(detectors)),
        Entry::new("filter", &config.filter, Shown::text),
        Entry::new("shutdown_timeout_ms", &config.shutdown_timeout, |limit| Shown::milliseconds(*limit)),
        Entry::new("log_level", &config.log_level, |level: &LogLevel| Shown::text(level)),
    ]
}

fn security(otlp: &OtlpConfig) -> Vec<Entry> {
    vec![
        Entry::new("insecure", &otlp.insecure, |is_on| Shown::Bool(*is_on)),
        file("certificate", &otlp.certificate),
        file("client_certificate", &otlp.client_certificate),
        file("client_key", &otlp.client_key),
    ]
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.entries();
        let mut map = serializer.serialize_map(None)?;
        for entry in &entries {
            map.serialize_entry(&entry.name, &entry.value)?;
        }
        let mut sources = Vec::new();
        collect_sources("", &entries, &mut sources);
        map.serialize_entry("sources", &Shown::Pairs(sources))?;
        map.serialize_entry("warnings", &self.warnings())?;
        map.end()
    }
}

fn collect_sources(path: &str, entries: &[Entry], sources: &mut Vec<(String, String)>) {
    for Entry { name, value, source } in entries {
        let name = format!("{path}{name}");
        if let Shown::Table(entries) = value {
            collect_sources(&format!("{name}."), entries, sources);
        }
        sources.extend(source.map(|source| (name, source.to_string())));
    }
}

/// What was set, in the form of a configuration file. Reading it again gives the same configuration.
impl Serialize for TracingConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = vec![
            Entry::new("enabled", &self.enabled, |enabled| Shown::Bool(*enabled)),
            Entry::new("exporters", &self.exporters, |exporters| Shown::texts(exporters)),
            Entry::new("sampler", &self.sampler, Shown::text),
            Entry::new("propagators", &self.propagators, |propagators| Shown::texts(propagators)),
        ];
        entries.extend(switches(self));
        entries.extend(otlp(&self.otlp));
        let tables = [
            ("jaeger", otlp(&self.jaeger)),
            ("zipkin", self.report().zipkin()),
            ("batch", batch(self)),
            ("limits", limits(self)),
            ("memory", memory(self)),
            ("spans", spans(self)),
            ("spool", spool(self)),
            ("tail", tail(self)),
            ("resource", resource_entries(self)),
        ];
        entries.extend(tables.map(|(name, mut entries)| {
            entries.retain(Entry::is_set);
            Entry::table(name, entries)
        }));
        entries.retain(Entry::is_set);
        entries_as_map(&entries, serializer)
    }
}

fn resource_entries(config: &TracingConfig) -> Vec<Entry> {
    let shown =
        |(key, value): &(String, Setting<_>)| Entry::new(key, value, |value| Shown::Resource(Clone::clone(value)));
    config.resource.configured().iter().map(shown).collect()
}

fn otlp(otlp: &OtlpConfig) -> Vec<Entry> {
    let endpoint = match otlp.endpoint.get() {
        Endpoint::Base(url) => Entry::new("endpoint", &otlp.endpoint, |_| Shown::text(url)),
        Endpoint::Traces(url) => Entry::new("traces_url", &otlp.endpoint, |_| Shown::text(url)),
        Endpoint::Local => Entry::new("endpoint", &otlp.endpoint, |_| Shown::Nothing),
    };
    let mut entries = vec![
        endpoint,
        Entry::new("protocol", &otlp.protocol, Shown::text),
        Entry::new("timeout_ms", &otlp.timeout, |limit| Shown::timeout(*limit)),
        Entry::new("compression", &otlp.compression, Shown::text),
    ];
    entries.extend(security(otlp));
    entries.push(Entry::new("headers", &otlp.headers, |headers| Shown::headers(headers, false)));
    entries
}
