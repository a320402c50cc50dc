//! rotel, a receiver in Rust on tonic and hyper: takes OTLP every way and forwards it to our recorder.

use std::process::Command;

use crate::compare;
use crate::exporters::{Ports, Way};
use crate::process::{Server, directory, free_port};
use crate::program::{self, Values};
use crate::recorder::Recorder;
use crate::verdict::{Outcome, Report, found};

pub(crate) fn run(report: &mut Report) {
    let started = found("INTEROP_ROTEL").map(|program| start(&program));
    for way in Way::all() {
        let name = format!("to rotel, {}", way.name());
        match &started {
            Err(reason) => report.not_run(&name, reason),
            Ok(Err(error)) => report.enter(&name, Err(vec![error.clone()])),
            Ok(Ok((_server, ports, recorder))) => report.enter(&name, try_way(way, *ports, recorder)),
        }
    }
}

fn start(program: &str) -> Result<(Server, Ports, Recorder), String> {
    let recorder = Recorder::start()?;
    let ports = Ports { grpc: free_port()?, http: free_port()? };
    let mut command = Command::new(program);
    command
        .arg("start")
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "none"])
        .args(["--otlp-exporter-endpoint", &recorder.url()])
        .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", ports.grpc)])
        .args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", ports.http)])
        .arg("--pid-file")
        .arg(directory()?.join("rotel.pid"));
    let server = Server::start("rotel", &mut command, &[ports.grpc, ports.http])?;
    Ok((server, ports, recorder))
}

fn try_way(way: Way, ports: Ports, recorder: &Recorder) -> Outcome {
    let exporter = way.exporter(ports).map_err(|error| vec![error.to_string()])?;
    // Its JSON layer refuses "NaN" and empty arrays, against the specification.
    let values = if way.protocol == "http/json" { Values::Common } else { Values::All };
    let recorded = program::run(exporter, values).map_err(|error| vec![error])?;
    compare::spans(&recorded, &recorder.take(recorded.len())?)
}
