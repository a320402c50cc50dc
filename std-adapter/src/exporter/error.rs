//! Why an exporter could not be made.

use std::fmt;

#[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
use super::tls::{TlsFile, TlsFileProblem};

/// Why an exporter could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExporterError {
    /// The address is not one that spans can be sent to.
    Url,
    /// A header cannot be sent this way.
    Header,
    /// One of the TLS files cannot be used.
    #[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
    Tls(TlsFile, TlsFileProblem),
}

impl fmt::Display for ExporterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => formatter.write_str("the address is not an absolute http or https URL"),
            Self::Header => formatter.write_str("a header is not one that gRPC metadata can hold"),
            #[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
            Self::Tls(file, problem) => write!(formatter, "{file} {problem}"),
        }
    }
}

impl std::error::Error for ExporterError {}
