//! From the names of exporters to the places that spans go to.

use std::time::Duration;

use super::InitError;
use crate::config::{ExporterKind, OtlpConfig, SpoolConfig, TracingConfig};
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
            let settings = settings(config, timeout);
            // Named also where it is alone: its spool has its name, and is to be found again when it has company.
            let destination = Destination::new(kind.name(), exporter).settings(settings);
            let sends = matches!(kind, ExporterKind::Otlp | ExporterKind::Jaeger | ExporterKind::Zipkin);
            destinations.list.push(if sends { spooled(destination, &config.spool)? } else { destination });
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

/// How a configuration wants an exporter with a time limit of its own to be fed.
pub(super) fn settings(config: &TracingConfig, timeout: Option<Duration>) -> WorkerSettings {
    let mut settings = WorkerSettings::new(config);
    settings.export_timeout = [timeout, *config.batch.export_timeout.get()].into_iter().flatten().min();
    if !config.says_warnings() {
        settings.report = Box::new(|_| ());
    }
    settings
}

/// The destination with a spool, if one is configured.
#[cfg(feature = "spool")]
fn spooled(destination: Destination, config: &SpoolConfig) -> Result<Destination, InitError> {
    use crate::config::SpoolOverflow;
    use crate::spool::{SpoolOptions, WhenFull};

    let Some(directory) = config.directory.get() else { return Ok(destination) };
    let when_full = match config.overflow.get() {
        SpoolOverflow::DropOldest => WhenFull::DropOldest,
        SpoolOverflow::DropNewest => WhenFull::DropNewest,
    };
    let max_bytes = u64::try_from(*config.max_bytes.get()).unwrap_or(u64::MAX);
    Ok(destination.spool(SpoolOptions::new(directory).max_bytes(max_bytes).when_full(when_full)))
}

#[cfg(not(feature = "spool"))]
fn spooled(destination: Destination, config: &SpoolConfig) -> Result<Destination, InitError> {
    match config.directory.get() {
        Some(_) => Err(InitError::NotBuiltIn { name: "spool", feature: "spool" }),
        None => Ok(destination),
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
