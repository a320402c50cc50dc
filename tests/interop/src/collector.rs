//! The OpenTelemetry Collector, in Go: takes OTLP every way and forwards it to our recorder.

use std::fs;
use std::process::Command;

use crate::compare;
use crate::exporters::{Ports, Way};
use crate::process::{Server, directory, free_port};
use crate::program::{self, Values};
use crate::recorder::Recorder;
use crate::verdict::{Outcome, Report, found};

pub(crate) fn run(report: &mut Report) {
    let started = found("INTEROP_COLLECTOR").map(|program| start(&program));
    for way in Way::all() {
        let name = format!("to the OpenTelemetry Collector, {}", way.name());
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
    let configuration = format!(
        "\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: '127.0.0.1:{}'}}
      http: {{endpoint: '127.0.0.1:{}'}}
exporters:
  otlphttp: {{endpoint: '{}', compression: none}}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlphttp]}}
  telemetry:
    metrics: {{level: none}}
",
        ports.grpc,
        ports.http,
        recorder.url(),
    );
    let file = directory()?.join("collector.yaml");
    fs::write(&file, configuration).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(file);
    let server = Server::start("collector", &mut command, &[ports.grpc, ports.http])?;
    Ok((server, ports, recorder))
}

fn try_way(way: Way, ports: Ports, recorder: &Recorder) -> Outcome {
    let exporter = way.exporter(ports).map_err(|error| vec![error.to_string()])?;
    let recorded = program::run(exporter, Values::All).map_err(|error| vec![error])?;
    compare::spans(&recorded, &recorder.take(recorded.len())?)
}
