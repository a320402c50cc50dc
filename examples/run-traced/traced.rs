//! One command as one span.

use std::io;
use std::process::{Command, ExitStatus};

use clewline::propagation::{self, carrier};
use clewline::{Context, Status, Value};

/// Runs the command to its end, as a child of `parent`. Arguments may hold secrets and are not recorded.
pub(crate) fn run(command: &mut Command, parent: &Context) -> io::Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let attributes = [("process.executable.name", Value::from(name.as_str()))];
    let mut span = clewline::tracer("run-traced").span(&name).child_of(parent).attributes(&attributes).start();
    carrier::into_environment(propagation::global(), &span.hand_on(), command);
    let outcome = command.status();
    match &outcome {
        Ok(status) => {
            if let Some(code) = status.code() {
                span.set("process.exit.code", code);
            }
            if !status.success() {
                span.set_status(Status::error(&status.to_string()));
            }
        }
        Err(error) => {
            span.record_error(error);
        }
    }
    span.end();
    outcome
}
