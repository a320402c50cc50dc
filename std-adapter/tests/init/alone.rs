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
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env_clear()
        .envs(variables.iter().copied())
        .env(CASE, test)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = Printed::new(&output);
    assert!(output.status.success(), "{test} alone: {}\n{}", printed.stdout, printed.stderr);
    assert!(printed.stdout.contains("1 passed"), "no test is called {test}: {}", printed.stdout);
    Some(printed)
}

pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Printed {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}
