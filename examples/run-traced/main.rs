//! Runs a command as a span, and hands its context to the command: tracing in a program without a runtime, and without `tracing`.
//!
//! ```text
//! cargo run -p examples --example run-traced -- sh -c 'echo $TRACEPARENT'
//! ```
//!
//! Commands that read `TRACEPARENT`, such as another `run-traced`, continue the trace: a shell script becomes a tree.

mod traced;

use std::process::{Command, ExitCode};

use clewline::TracingConfig;
use clewline::propagation::{self, carrier};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("run-traced: which command? run-traced COMMAND [ARGUMENT]…");
        return ExitCode::from(2);
    };
    // Spans leave by a thread of their own; what is left of them when the guard is dropped.
    let guard = clewline::start(&TracingConfig::from_env().with_service_name("run-traced"));
    let _guard = match guard {
        Ok(guard) => guard,
        Err(error) => {
            eprintln!("run-traced: {error}");
            return ExitCode::FAILURE;
        }
    };
    let parent = carrier::from_environment(propagation::global());
    let mut command = Command::new(program);
    match traced::run(command.args(arguments), &parent) {
        // The command's own exit code; a signal has none.
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("run-traced: {error}");
            ExitCode::from(127)
        }
    }
}
