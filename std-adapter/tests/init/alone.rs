//! Runs a test's body in a process of its own: what `init` sets is the process's, and so is the environment it reads.

use std::process::{Command, Output, Stdio};

const CASE: &str = "CLEWLINE_TEST_CASE";

/// Runs `body` in a new process with these variables and no others, and answers what it printed. `test` is the path of the
/// calling test. In that process `body` runs and nothing comes back.
pub(crate) fn alone(test: &str, variables: &[(&str, &str)], body: impl FnOnce()) -> Option<Printed> {
    if std::env::var(CASE).as_deref() == Ok(test) {
        body();
        return None;
    }
    let printed = run(&mut command(test, variables), test);
    Some(printed)
}

/// As [`alone`], where nobody reads stderr any more.
pub(crate) fn alone_without_stderr(test: &str, variables: &[(&str, &str)], body: impl FnOnce()) {
    if std::env::var(CASE).as_deref() == Ok(test) {
        return body();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    run(command(test, variables).stderr(writer), test);
}

fn command(test: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env_clear().envs(variables.iter().copied());
    command.env(CASE, test).stdin(Stdio::null());
    command
}

fn run(command: &mut Command, test: &str) -> Printed {
    let printed = Printed::new(&command.output().unwrap());
    assert!(printed.is_success, "{test} alone: {}\n{}", printed.stdout, printed.stderr);
    assert!(printed.stdout.contains("1 passed"), "no test is called {test}: {}", printed.stdout);
    printed
}

pub(crate) struct Printed {
    is_success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Printed {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { is_success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}
