//! Runs the binary with an input.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs `clewline inspect` with these arguments and this input to its end.
pub(crate) fn inspect(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clewline"));
    command.arg("inspect").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // What it does not read to the end is its own business.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// What a successful run wrote.
pub(crate) fn output(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = inspect(arguments, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What a run that ended with exit code 1 said.
pub(crate) fn error(arguments: &[&str], input: &[u8]) -> String {
    let output = inspect(arguments, input);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}
