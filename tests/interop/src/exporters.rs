//! Every way in which OTLP leaves: three transports, each with and without gzip.

use clewline::config::Compression;
use clewline::exporter::{ExporterError, HttpEncoding, OtlpGrpcExporter, OtlpHttpExporter, SpanExporter, Target};

use crate::process::free_port;

/// The ports of a receiver on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) grpc: u16,
    pub(crate) http: u16,
}

impl Ports {
    /// Two that nobody uses.
    pub(crate) fn free() -> Result<Self, String> {
        Ok(Self { grpc: free_port()?, http: free_port()? })
    }
}

/// One way to a receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) protocol: &'static str,
    pub(crate) compression: Compression,
}

impl Way {
    /// All ways.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ["grpc", "http/protobuf", "http/json"].into_iter().flat_map(|protocol| {
            [Compression::None, Compression::Gzip].map(|compression| Self { protocol, compression })
        })
    }

    /// How it is called in the report.
    pub(crate) fn name(&self) -> String {
        let gzip = if self.compression == Compression::Gzip { " with gzip" } else { "" };
        format!("{}{gzip}", self.protocol)
    }

    /// An exporter that goes this way.
    pub(crate) fn exporter(&self, ports: Ports) -> Result<Box<dyn SpanExporter>, ExporterError> {
        let is_grpc = self.protocol == "grpc";
        let mut target = Target::new(match is_grpc {
            true => format!("http://127.0.0.1:{}", ports.grpc),
            false => format!("http://127.0.0.1:{}/v1/traces", ports.http),
        });
        target.compression = self.compression;
        let encoding = if self.protocol == "http/json" { HttpEncoding::Json } else { HttpEncoding::Protobuf };
        Ok(match is_grpc {
            true => Box::new(OtlpGrpcExporter::with_target(&target)?),
            false => Box::new(OtlpHttpExporter::with_target(&target, encoding)?),
        })
    }
}
