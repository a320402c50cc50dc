//! `clewline serve`: the receiver and viewer in one process.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;

use clap::Args;
use clewline::server::{DEFAULT_GRPC_PORT, DEFAULT_PORT, Server, ServerConfig};

use crate::size::parse_size;
use crate::streams::{note, print};

/// Receive traces over OTLP/HTTP and OTLP/gRPC and show them in a web page.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Address to listen on, as ADDRESS:PORT; port 0 lets the system choose.
    #[arg(
        long, value_name = "ADDRESS:PORT", value_parser = parse_address, conflicts_with = "port",
        default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT)
    )]
    listen: SocketAddr,

    /// Port to listen on at 127.0.0.1: short for --listen 127.0.0.1:PORT.
    #[arg(long, short, value_name = "PORT")]
    port: Option<u16>,

    /// Further address, for OTLP/gRPC. [default: 127.0.0.1:4317, unless --listen or --port is given; every address takes it]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_address)]
    grpc_listen: Option<SocketAddr>,

    /// Connections at a time; further ones wait.
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_CONNECTIONS)]
    max_connections: NonZeroU16,

    /// Memory for traces, in bytes or with a unit; over it the oldest traces are evicted.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    memory_limit: usize,

    /// Largest request body, before and after decompression, in bytes or with a unit; larger ones are answered with 413.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    body_limit: usize,

    /// Origin of web pages that may send spans, such as https://shop.example; may be given several times. [default: every origin]
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    allow_origin: Vec<String>,

    /// Further host name under which the viewer may be opened while listening on a loopback address; may be given several times.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
}

const DEFAULT_CONNECTIONS: NonZeroU16 = NonZeroU16::new(512).unwrap();

impl ServeArguments {
    /// The second address: the one that was asked for, or the usual one beside the usual first.
    fn grpc_address(&self, listen: SocketAddr) -> Option<SocketAddr> {
        let usual = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT);
        let beside = (listen == usual).then(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_GRPC_PORT));
        self.grpc_listen.or(beside)
    }
}

/// Runs until the process is asked to end.
pub(crate) async fn serve(arguments: ServeArguments) -> Result<(), String> {
    let listen = match arguments.port {
        Some(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        None => arguments.listen,
    };
    let grpc = arguments.grpc_address(listen);
    let is_grpc_asked_for = arguments.grpc_listen.is_some();
    let mut server = Server::bind(ServerConfig {
        listen,
        allowed_origins: arguments.allow_origin,
        allowed_hosts: arguments.allow_host,
        body_limit: arguments.body_limit,
        memory_limit: arguments.memory_limit,
        max_connections: arguments.max_connections.get().into(),
        ..ServerConfig::default()
    })
    .await
    .map_err(|error| cannot_listen(listen, &error))?;
    let end = crate::asked_to_end();
    let address = reachable(server.local_addr());
    // The server is there whether anybody reads that or not.
    let _ = print(format_args!(
        "Clewline: viewer at http://{address}/ , send OTLP/HTTP spans to http://{address}/v1/traces (Ctrl-C ends)\n"
    ));
    if let Some(grpc) = grpc {
        match server.also_listen(grpc).await {
            Ok(address) => {
                let _ = print(format_args!("Clewline: OTLP/gRPC spans at http://{}\n", reachable(address)));
            }
            Err(error) if is_grpc_asked_for => return Err(cannot_listen(grpc, &error)),
            // Nobody asked for it, and the first address takes them too.
            Err(error) => {
                note(format_args!("clewline: OTLP/gRPC only at {address}: {grpc} cannot be listened on: {error}"));
            }
        }
    }
    server.run(end).await.map_err(|error| format!("the server stopped: {error}"))
}

/// The address to write into a browser: one that listens everywhere is reached through this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} on {} is in use, perhaps by another clewline serve or an OpenTelemetry Collector; \
             choose another with --port, or --port 0 for any free one",
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("port {port} may not be used without privileges; choose one from 1024 up with --port")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is not an address of this machine; choose another with --listen", address.ip())
        }
        _ => format!("cannot listen on {address} (--listen): {error}"),
    }
}

/// Where a server listens is an address of this machine, not a name that might stand for several.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:4318 or [::1]:4318".to_owned())
}

/// An origin is a scheme and a host, with a port or not, and nothing after it.
fn parse_origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host.trim_end_matches('/'));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '*']) => Ok(text.to_owned()),
        _ => Err("an origin looks like https://shop.example or http://localhost:3000".to_owned()),
    }
}
