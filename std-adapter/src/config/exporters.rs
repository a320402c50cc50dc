//! Which exporters finished spans go to, by the names of `OTEL_TRACES_EXPORTER` and three of our own.

use std::time::Duration;

use super::endpoint;
use super::environment::{Environment, Show};
use super::names::{self, named};
use super::setting::Setting;

named! {
    /// An exporter that finished spans go to (`sdk-environment-variables.md`, "Exporter Selection").
    pub enum ExporterKind {
        /// OTLP to a collector, as [`TracingConfig::otlp`](super::TracingConfig::otlp) says.
        Otlp = "otlp",
        /// OTLP to Jaeger, as [`TracingConfig::jaeger`](super::TracingConfig::jaeger) says.
        Jaeger = "jaeger",
        /// Zipkin's JSON, as [`TracingConfig::zipkin`](super::TracingConfig::zipkin) says.
        Zipkin = "zipkin",
        /// A tree of each trace on standard output, for people.
        Console = "console",
        /// One line of JSON for each span on standard output, for programs.
        Stdout = "stdout",
        /// One line of OTLP/JSON for each request on standard output (`protocol/file-exporter.md`).
        OtlpStdout = "otlp/stdout",
        /// The program's own memory, for tests.
        Memory = "memory",
    }
}

impl ExporterKind {
    /// Reads a list of names, of which `none` stands alone.
    pub(super) fn list(list: &str, remarks: &mut Vec<String>) -> Result<Vec<Self>, String> {
        names::list(list, Self::read, remarks)
    }
}

/// Everything the Zipkin exporter needs to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ZipkinConfig {
    /// The URL that spans are posted to, used as it is.
    pub endpoint: Setting<String>,
    /// The longest that exporting one batch may take; `None` is no limit.
    pub timeout: Setting<Option<Duration>>,
}

impl Default for ZipkinConfig {
    fn default() -> Self {
        Self {
            endpoint: Setting::default("http://localhost:9411/api/v2/spans".to_owned()),
            timeout: Setting::default(Some(Duration::from_secs(10))),
        }
    }
}

impl ZipkinConfig {
    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        environment.read(&["OTEL_EXPORTER_ZIPKIN_ENDPOINT"], Show::NameOnly, &mut self.endpoint, |text, _| {
            endpoint::check(text, false).map(|()| text.to_owned()).map_err(|error| error.to_string())
        });
        environment.timeout(&["OTEL_EXPORTER_ZIPKIN_TIMEOUT"], &mut self.timeout);
    }
}
