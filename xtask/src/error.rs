//! What can go wrong in a task, each case saying what to do next.

use std::fmt;
use std::io;
use std::time::Duration;

/// How many of the last output lines of a failed command are shown.
const TAIL_LINES: usize = 40;

/// The failure of one task or step.
#[derive(Debug)]
pub(crate) enum Error {
    /// A file or directory could not be used.
    Io { doing: String, source: io::Error },
    /// A program could not be started at all.
    Start { program: String, source: io::Error },
    /// A program ran and reported failure; `output` holds what it printed, unless that was shown live.
    Failed { what: String, code: Option<i32>, output: String },
    /// A program ran longer than it may and was ended.
    TimeLimit { what: String, limit: Duration, output: String },
    /// Something every machine needs is absent and could not be installed.
    Missing { what: String, reason: String, command: String },
    /// A port of the demo is in use by another program.
    PortTaken { port: u16, option: &'static str },
    /// A server of the demo ended by itself.
    ServerEnded { name: &'static str, code: Option<i32> },
    /// A check found something; the sentence says what.
    Rejected(String),
    /// One or more steps failed; their messages were printed when it happened.
    StepsFailed(Vec<&'static str>),
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl Error {
    /// Wraps an I/O error with what was being done, for use in `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// The last lines of a program's output, indented, or nothing when there was no output.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let mut text = String::new();
    for line in &lines[from..] {
        text.push_str("\n    ");
        text.push_str(line);
    }
    text
}

/// An exit code in words; a program ended by a signal has none.
pub(crate) fn exit(code: Option<i32>) -> String {
    code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Start { program, source } => write!(f, "`{program}` could not be started: {source}"),
            Self::Failed { what, code, output } => {
                write!(f, "{what} failed ({}){}", exit(*code), tail(output))
            }
            Self::TimeLimit { what, limit, output } => {
                write!(f, "{what} was ended: it took longer than {} s{}", limit.as_secs(), tail(output))
            }
            Self::Missing { what, reason, command } => {
                write!(f, "{what} is missing: {reason}\n  run:  {command}")
            }
            Self::PortTaken { port, option } => write!(
                f,
                "port {port} is taken by another program; end that one or choose another port:\n  run:  cargo xtask demo {option} {}",
                port.wrapping_add(1).max(1024)
            ),
            Self::ServerEnded { name, code } => {
                write!(f, "the {name} ended by itself ({}); the other server was ended too", exit(*code))
            }
            Self::Rejected(sentence) => f.write_str(sentence),
            Self::StepsFailed(steps) => write!(f, "failed: {}", steps.join(", ")),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn a_failure_shows_the_last_lines_only() {
        let output: String = (1..=100).map(|n| format!("line {n}\n")).collect();
        let text = Error::Failed { what: "npm ci".into(), code: Some(3), output }.to_string();
        assert!(text.starts_with("npm ci failed (exit code 3)\n    line 61\n"), "{text}");
        assert!(text.ends_with("line 100"), "{text}");
    }

    #[test]
    fn a_taken_port_names_the_way_out() {
        let text = Error::PortTaken { port: 8080, option: "--shop-port" }.to_string();
        assert!(text.contains("port 8080"), "{text}");
        assert!(text.contains("cargo xtask demo --shop-port 8081"), "{text}");
    }
}
