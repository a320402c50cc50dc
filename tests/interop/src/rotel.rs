//! rotel, a receiver in Rust on tonic and hyper: takes OTLP every way.

use std::process::Command;

use crate::exporters::Ports;
use crate::forwarding::Receiver;
use crate::process::{Server, directory};
use crate::program::Values;

pub(crate) const ROTEL: Receiver = Receiver {
    name: "rotel",
    variable: "INTEROP_ROTEL",
    start,
    // Its JSON layer refuses "NaN" and empty arrays, against the specification.
    values: |way| if way.protocol == "http/json" { Values::Common } else { Values::All },
};

fn start(program: &str, ports: Ports, recorder: &str) -> Result<Server, String> {
    let mut command = Command::new(program);
    command
        .arg("start")
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "none"])
        .args(["--otlp-exporter-endpoint", recorder])
        .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", ports.grpc)])
        .args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", ports.http)])
        .arg("--pid-file")
        .arg(directory()?.join("rotel.pid"));
    Server::start("rotel", &mut command, &[ports.grpc, ports.http])
}
