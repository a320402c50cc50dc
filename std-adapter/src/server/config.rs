//! What a server may be told: where to listen, whom to admit, and how much to keep.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The port OTLP/HTTP uses by default (opentelemetry-proto `docs/specification.md`, "OTLP/HTTP Default Port").
pub const DEFAULT_PORT: u16 = 4318;

/// The port OTLP/gRPC uses by default (opentelemetry-proto `docs/specification.md`, "OTLP/gRPC Default Port").
pub const DEFAULT_GRPC_PORT: u16 = 4317;

/// How many connections there may be at a time, when nothing else is said: below the 1024 files that a process may have open
/// on many systems.
pub const DEFAULT_MAX_CONNECTIONS: usize = 512;

/// How long the head of a request may take, when nothing else is said.
pub const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The body limit used when none is given, in bytes: 64 MiB, the size a sender should not exceed
/// (opentelemetry-proto `docs/specification.md`, "OTLP/HTTP Request").
pub const DEFAULT_BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The memory limit used when none is given, in bytes: 256 MiB.
pub const DEFAULT_MEMORY_LIMIT: usize = 256 * 1024 * 1024;

/// Everything a [`Server`](super::Server) may be told. [`Default`] is what `clewline serve` does without options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to listen on. Port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// The browser origins that may send spans (`https://shop.example`); empty admits every origin.
    pub allowed_origins: Vec<String>,
    /// Further host names under which the viewer may be opened while it listens on a loopback address.
    ///
    /// Names that can only mean this machine (`localhost`, IP addresses) are always admitted. The others are refused,
    /// so that a web page cannot read traces by pointing its own name at 127.0.0.1 (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// The largest request body in bytes, as received and again after decompression.
    pub body_limit: usize,
    /// How many bytes of spans are kept before the oldest traces are evicted.
    pub memory_limit: usize,
    /// How many connections there may be at a time, at least one; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long the head of a request may take, and how long a connection may be idle between requests in HTTP/1.1.
    pub header_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            body_limit: DEFAULT_BODY_LIMIT,
            memory_limit: DEFAULT_MEMORY_LIMIT,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            header_timeout: DEFAULT_HEADER_TIMEOUT,
        }
    }
}
