//! A command that runs as a span continues the trace of its caller, and hands it on.
#![cfg(unix)]

#[path = "../run-traced/traced.rs"]
mod traced;

use std::io::Read as _;
use std::process::{Command, Stdio};

use clewline::propagation::{Propagators, carrier};
use clewline::{Context, TracingConfig};

#[test]
fn a_command_is_handed_the_trace_and_its_exit_code_is_kept() {
    let guard = clewline::start(&TracingConfig::default().with_exporters([])).unwrap();
    let caller = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "congo=1"),
        ("baggage", "tenant=acme"),
    ];
    let parent = Propagators::default().extract(&caller);
    let (mut output, writer) = std::io::pipe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo $TRACEPARENT,$TRACESTATE,$BAGGAGE; exit 3"]).stdout(Stdio::from(writer));
    let status = traced::run(&mut command, &parent).unwrap();
    drop(command);
    assert_eq!(status.code(), Some(3));
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(
        text.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && text.ends_with("-01,congo=1,tenant=acme\n"),
        "{text}"
    );
    assert!(!text.contains("b7ad6b7169203331"), "the command has a span of its own: {text}");

    let mut missing = Command::new("/no/such/command");
    assert!(traced::run(&mut missing, &Context::default()).is_err());
    let ledger = guard.ledger();
    assert_eq!((ledger.started, ledger.not_exported), (2, 2));
}

#[test]
fn a_stranger_in_the_environment_is_not_handed_on() {
    let mut command = Command::new("true");
    command.env("TRACESTATE", "stale=1");
    carrier::into_environment(&Propagators::default(), &Context::default(), &mut command);
    assert!(command.get_envs().any(|(name, value)| name == "TRACESTATE" && value.is_none()));
}
