//! The OpenTelemetry Collector, in Go: takes OTLP every way.

use std::fs;
use std::process::Command;

use crate::exporters::Ports;
use crate::forwarding::Receiver;
use crate::process::{Server, directory};
use crate::program::Values;

pub(crate) const COLLECTOR: Receiver =
    Receiver { name: "the OpenTelemetry Collector", variable: "INTEROP_COLLECTOR", start, values: |_| Values::All };

fn start(program: &str, ports: Ports, recorder: &str) -> Result<Server, String> {
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
        ports.grpc, ports.http, recorder,
    );
    let file = directory()?.join("collector.yaml");
    fs::write(&file, configuration).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(file);
    Server::start("collector", &mut command, &[ports.grpc, ports.http])
}
