//! What a server may be told: where to listen, whom to admit, and how much to keep.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port OTLP/HTTP uses by default (opentelemetry-proto `docs/specification.md`, "OTLP/HTTP Default Port").
pub const DEFAULT_PORT: u16 = 4318;

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
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            body_limit: DEFAULT_BODY_LIMIT,
            memory_limit: DEFAULT_MEMORY_LIMIT,
        }
    }
}
