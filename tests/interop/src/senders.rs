//! The other way: spans that OpenTelemetry's SDKs for JavaScript and Python send arrive in `clewline serve` complete.

use std::process::Command;

use serde_json::Value;

use crate::compare;
use crate::process::{Server, free_port, until};
use crate::verdict::{Outcome, Report, found};
use crate::web;

/// A program that sends spans to the receiver whose address it is given, and prints a line of JSON for each way it went.
struct Sender {
    name: &'static str,
    /// The ways it goes, in order.
    ways: &'static [&'static str],
    command: fn() -> Result<Command, String>,
}

const SENDERS: [Sender; 2] = [
    Sender {
        name: "OpenTelemetry-JS",
        ways: &[
            "grpc",
            "grpc with gzip",
            "http/protobuf",
            "http/protobuf with gzip",
            "http/json",
            "http/json with gzip",
        ],
        command: || {
            let (node, modules) = (found("INTEROP_NODE")?, found("INTEROP_NODE_MODULES")?);
            let mut command = Command::new(node);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/senders/send.mjs")).env("MODULES", modules);
            Ok(command)
        },
    },
    Sender {
        name: "opentelemetry-python",
        ways: &["grpc", "grpc with gzip", "http/protobuf", "http/protobuf with gzip"],
        command: || {
            let mut command = Command::new(found("INTEROP_PYTHON")?);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/senders/send.py"));
            Ok(command)
        },
    },
];

pub(crate) fn run(report: &mut Report) {
    let started = found("INTEROP_CLEWLINE").map(|program| start(&program));
    for Sender { name, ways, command } in &SENDERS {
        let names = || ways.iter().map(|way| format!("from {name}, {way}"));
        let ready = started.as_ref().map_err(String::clone).and_then(|server| Ok((server, command()?)));
        match ready {
            Err(reason) => names().for_each(|name| report.not_run(&name, &reason)),
            Ok((Err(error), _)) => names().for_each(|name| report.enter(&name, Err(vec![error.clone()]))),
            Ok((Ok((_server, url)), mut command)) => {
                let outcomes = try_sender(command.arg(url), url);
                for (index, name) in names().enumerate() {
                    let outcome = match &outcomes {
                        Ok(outcomes) => outcomes.get(index).cloned(),
                        Err(error) => Some(Err(vec![error.clone()])),
                    };
                    report.enter(&name, outcome.unwrap_or_else(|| Err(vec!["it was not sent".to_owned()])));
                }
            }
        }
    }
}

fn start(program: &str) -> Result<(Server, String), String> {
    let port = free_port()?;
    let mut command = Command::new(program);
    command.args(["serve", "--port", &port.to_string()]);
    Ok((Server::start("clewline", &mut command, &[port])?, format!("http://127.0.0.1:{port}")))
}

/// Has spans sent to `url`, and compares for each way what was recorded with what arrived.
fn try_sender(command: &mut Command, url: &str) -> Result<Vec<Outcome>, String> {
    let output = command.output().map_err(|error| format!("it does not start: {error}"))?;
    if !output.status.success() {
        // The error stands among the first lines, before the places it passed through.
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(errors.lines().map(str::trim).take(8).collect::<Vec<_>>().join(" | "));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let ways = lines.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}")));
    Ok(ways.collect::<Result<Vec<Value>, _>>()?.iter().map(|way| arrived(&way["spans"], url)).collect())
}

fn arrived(recorded: &Value, url: &str) -> Outcome {
    let recorded = recorded.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut differences = Vec::new();
    for span in recorded {
        let (trace, name) = (text(span, "trace_id"), text(span, "name"));
        let find = |trace: &Value| {
            trace["spans"].as_array()?.iter().find(|other| other["span_id"] == span["span_id"]).cloned()
        };
        match until(|| find(&web::get(&format!("{url}/api/traces/{trace}"))?)) {
            None => differences.push(format!("{name}: did not arrive")),
            Some(mut found) => {
                // Told once for the whole trace.
                found["trace_id"] = span["trace_id"].clone();
                differ(name, span, &found, &mut differences);
            }
        }
    }
    compare::verdict(recorded.len(), differences)
}

/// Whatever the sender said of a thing must be so here; the receiver may know more.
fn differ(path: &str, recorded: &Value, found: &Value, differences: &mut Vec<String>) {
    match (recorded, found) {
        (Value::Object(fields), Value::Object(others)) => {
            // Attributes are told as a whole: one too many is as wrong as one too few.
            if path.ends_with("attributes") && fields.len() != others.len() {
                differences.push(format!("{path}: {} and not {}", others.len(), fields.len()));
            }
            for (key, value) in fields {
                differ(&format!("{path}, {key}"), value, &found[key], differences);
            }
        }
        (Value::Array(values), Value::Array(others)) if values.len() == others.len() => {
            for (index, (value, other)) in values.iter().zip(others).enumerate() {
                differ(&format!("{path}[{index}]"), value, other, differences);
            }
        }
        _ if recorded == found => {}
        _ => differences.push(format!("{path}: {found} and not {recorded}")),
    }
}

fn text<'a>(span: &'a Value, key: &str) -> &'a str {
    span[key].as_str().unwrap_or_default()
}
