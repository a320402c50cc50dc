//! From the names of exporters to the places that spans go to.

use std::time::Duration;

use super::InitError;
use crate::config::{ExporterKind, OtlpConfig, TracingConfig};
use crate::exporter::{Destination, MemoryExporter, SpanExporter, WorkerSettings};

/// How many spans the exporter `memory` keeps.
const MEMORY_SPANS: usize = 10_000;

/// The places that spans go to, and the memory among them.
#[derive(Default)]
pub(super) struct Destinations {
    pub(super) list: Vec<Destination>,
    pub(super) memory: Option<MemoryExporter>,
}

impl Destinations {
    /// Puts together every exporter that `config` names.
    pub(super) fn new(config: &TracingConfig) -> Result<Self, InitError> {
        let mut destinations = Self::default();
        let kinds = config.exporters.get();
        for &kind in kinds {
            let (exporter, timeout) = destinations.exporter(kind, config)?;
            let mut settings = WorkerSettings::new(config);
            settings.export_timeout = [timeout, *config.batch.export_timeout.get()].into_iter().flatten().min();
            if !config.says_warnings() {
                settings.report = Box::new(|_| ());
            }
            // A name tells destinations from each other; one alone needs none.
            let name = if kinds.len() > 1 { kind.name() } else { "" };
            destinations.list.push(Destination::new(name, exporter).settings(settings));
        }
        Ok(destinations)
    }

    /// An exporter and the time limit of its own.
    fn exporter(
        &mut self,
        kind: ExporterKind,
        config: &TracingConfig,
    ) -> Result<(Box<dyn SpanExporter>, Option<Duration>), InitError> {
        match kind {
            ExporterKind::Otlp => Ok((otlp(&config.otlp)?, *config.otlp.timeout.get())),
            ExporterKind::Jaeger => Ok((otlp(&config.jaeger)?, *config.jaeger.timeout.get())),
            ExporterKind::Zipkin => Ok((zipkin(config)?, *config.zipkin.timeout.get())),
            ExporterKind::Console | ExporterKind::Stdout | ExporterKind::OtlpStdout => Ok((console(kind)?, None)),
            ExporterKind::Memory => {
                let memory = self.memory.get_or_insert_with(|| MemoryExporter::new(MEMORY_SPANS));
                Ok((Box::new(memory.clone()), None))
            }
        }
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
        protocol => {
            let feature = if *protocol == crate::config::Protocol::Grpc { "otlp-grpc" } else { "otlp-http" };
            Err(InitError::NotBuiltIn { name: protocol.name(), feature })
        }
    }
}

#[cfg(feature = "zipkin")]
fn zipkin(config: &TracingConfig) -> Result<Box<dyn SpanExporter>, InitError> {
    let target = crate::exporter::Target::new(config.zipkin.endpoint.get());
    Ok(Box::new(crate::exporter::ZipkinExporter::new(&target)?))
}

#[cfg(not(feature = "zipkin"))]
fn zipkin(_: &TracingConfig) -> Result<Box<dyn SpanExporter>, InitError> {
    Err(InitError::NotBuiltIn { name: ExporterKind::Zipkin.name(), feature: "zipkin" })
}

#[cfg(feature = "console")]
fn console(kind: ExporterKind) -> Result<Box<dyn SpanExporter>, InitError> {
    use std::io::IsTerminal as _;

    use crate::exporter::{ConsoleExporter, ConsoleFormat};

    let for_people = match kind {
        ExporterKind::Console => true,
        ExporterKind::Stdout => std::io::stdout().is_terminal(),
        _ => false,
    };
    let format = if for_people { ConsoleFormat::Tree } else { ConsoleFormat::JsonLines };
    Ok(Box::new(ConsoleExporter::new(format)))
}

#[cfg(not(feature = "console"))]
fn console(kind: ExporterKind) -> Result<Box<dyn SpanExporter>, InitError> {
    Err(InitError::NotBuiltIn { name: kind.name(), feature: "console" })
}
