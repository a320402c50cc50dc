//! Runs a program with a time limit, its output either shown line by line or kept for the case of failure.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::report::{self, LiveLine};
use crate::signal::{self, OnInterrupt};

/// A program asked to end gets this long before it is killed.
const END_GRACE: Duration = Duration::from_secs(15);
/// How long output is awaited after the program itself ended (a grandchild may hold the pipe open).
const DRAIN_GRACE: Duration = Duration::from_secs(10);
/// … and this long if it never falls silent.
const LONGEST_DRAIN: Duration = Duration::from_secs(60);
/// How often the program and the clock are looked at.
const POLL: Duration = Duration::from_millis(50);

/// What happens to the output while the program runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Only the latest line, on a terminal; all of it when the program fails.
    Latest,
    /// Every line.
    All,
}

/// A program that ran to its end.
pub(crate) struct Finished {
    /// Whether it reported success.
    pub(crate) success: bool,
    /// Its exit code, if it was not ended by a signal.
    pub(crate) code: Option<i32>,
    /// Everything it wrote to stdout and stderr, in order.
    pub(crate) output: String,
}

/// Runs a program to its end, whatever it reports.
///
/// # Errors
/// When it cannot be started, takes longer than `limit`, or the user pressed Ctrl-C.
pub(crate) fn run(label: &str, mut command: Command, show: Show, limit: Duration) -> Result<Finished, Error> {
    if signal::interrupted() {
        return Err(Error::Interrupted);
    }
    if report::on_terminal() && env::var_os("NO_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut live = LiveLine::start(label);
    let started = Instant::now();
    let (mut child, output) = spawn(command, OnInterrupt::Pass)?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        each_line(output, |line| sender.send(line).is_ok());
    });

    let mut text = String::new();
    let mut latest_line = started;
    let mut ended: Option<(Instant, std::process::ExitStatus)> = None;
    let mut asked_to_end: Option<(Instant, Error)> = None;
    let status = loop {
        let connected = match lines.recv_timeout(POLL) {
            Ok(line) => {
                latest_line = Instant::now();
                text.push_str(&line);
                text.push('\n');
                match show {
                    Show::All => live.print(&line),
                    Show::Latest => live.note(&line),
                }
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(POLL);
                false
            }
        };
        live.tick();
        if ended.is_none()
            && let Some(status) = child.try_wait().map_err(Error::io(label))?
        {
            ended = Some((Instant::now(), status));
        }
        if let Some((when, status)) = ended
            // On a busy machine the lines of a program that has ended may take long to arrive.
            && (!connected || when.max(latest_line).elapsed() > DRAIN_GRACE || when.elapsed() > LONGEST_DRAIN)
        {
            // Asked to end, but left a program behind that takes no notice and still holds the pipe: a shell's background jobs.
            if connected && asked_to_end.is_some() {
                signal::kill(child.id());
            }
            break status;
        }
        match &asked_to_end {
            Some((when, _)) if when.elapsed() > END_GRACE => {
                signal::kill(child.id());
                let _ended_already = child.kill();
            }
            Some(_) => {}
            None if signal::interrupted() => asked_to_end = Some((Instant::now(), Error::Interrupted)),
            None if started.elapsed() > limit => {
                signal::interrupt(child.id());
                let error = Error::TimeLimit { what: label.to_owned(), limit, output: String::new() };
                asked_to_end = Some((Instant::now(), error));
            }
            None => {}
        }
    };
    signal::forget(child.id());
    drop(live);
    match asked_to_end {
        Some((_, Error::TimeLimit { what, limit, .. })) => {
            Err(Error::TimeLimit { what, limit, output: if show == Show::All { String::new() } else { text } })
        }
        Some((_, error)) => Err(error),
        // Ctrl-C reached the program first, and it ended before we looked.
        None if signal::interrupted() => Err(Error::Interrupted),
        None => Ok(Finished { success: status.success(), code: status.code(), output: text }),
    }
}

/// Runs a program that must report success.
///
/// # Errors
/// As [`run`], and when the program reports failure.
pub(crate) fn check(label: &str, command: Command, show: Show, limit: Duration) -> Result<String, Error> {
    let finished = run(label, command, show, limit)?;
    if finished.success {
        return Ok(finished.output);
    }
    Err(Error::Failed {
        what: label.to_owned(),
        code: finished.code,
        // Shown already, line by line.
        output: if show == Show::All { String::new() } else { finished.output },
    })
}

/// The standard output of a short, silent question such as `node --version`; `None` when it cannot be answered.
pub(crate) fn answer(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Starts a program in a process group of its own; stdout and stderr arrive in one pipe, so in order.
pub(crate) fn spawn(mut command: Command, on_interrupt: OnInterrupt) -> Result<(Child, io::PipeReader), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start_error = |source| Error::Start { program: program.clone(), source };
    let (reader, writer) = io::pipe().map_err(start_error)?;
    let second = writer.try_clone().map_err(start_error)?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().map_err(start_error)?;
    signal::register(child.id(), on_interrupt);
    // Dropping the command closes our ends of the pipe; the reader then sees its end.
    drop(command);
    Ok((child, reader))
}

/// Calls `take` with each line until it answers `false` or the output ends; what is no UTF-8 is replaced.
pub(crate) fn each_line(output: impl io::Read, mut take: impl FnMut(String) -> bool) {
    let mut reader = BufReader::new(output);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        if !take(String::from_utf8_lossy(&bytes).into_owned()) {
            return;
        }
    }
}

/// Asks a server to end, waits for it, and kills it when it does not.
pub(crate) fn end(child: &mut Child) {
    signal::interrupt(child.id());
    let asked = Instant::now();
    while asked.elapsed() < END_GRACE && cfg!(unix) {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            signal::forget(child.id());
            return;
        }
        thread::sleep(POLL);
    }
    signal::kill(child.id());
    let _ended_already = child.kill();
    let _ended_already = child.wait();
    signal::forget(child.id());
}

/// Finds a program the way the shell does.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    find_in(&env::var_os("PATH")?, program)
}

fn find_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    let mut name = OsString::from(program);
    name.push(env::consts::EXE_SUFFIX);
    env::split_paths(path).map(|directory| directory.join(&name)).find(|candidate| is_program(candidate))
}

#[cfg(unix)]
fn is_program(candidate: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    candidate.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(candidate: &Path) -> bool {
    candidate.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Show, answer, check, each_line, find_in, run};
    use crate::error::Error;
    use std::ffi::OsStr;
    use std::process::Command;
    use std::time::{Duration, Instant};

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_kept_in_order_and_the_code_is_known() {
        let finished =
            run("test", shell("echo one; echo two >&2; echo three; exit 7"), Show::Latest, Duration::from_secs(300))
                .unwrap();
        assert_eq!(finished.output, "one\ntwo\nthree\n");
        assert_eq!((finished.success, finished.code), (false, Some(7)));
    }

    #[test]
    fn a_failure_carries_the_output() {
        let error = check("the test", shell("echo broken pipe dream; exit 1"), Show::Latest, Duration::from_secs(300))
            .unwrap_err();
        assert!(error.to_string().contains("broken pipe dream"), "{error}");
    }

    #[test]
    fn a_hanging_program_and_its_children_are_ended() {
        let started = Instant::now();
        // The first one is one that Ctrl-C does not end: a shell without a terminal has it ignore that.
        let ended_after = |limit| {
            let result = run("test", shell("sleep 600 & echo $!; sleep 600"), Show::Latest, Duration::from_secs(limit));
            let Err(Error::TimeLimit { output, .. }) = result else { panic!("it takes longer than {limit} s") };
            output
        };
        // On a busy machine a shell may not have come that far.
        let said =
            [1, 10, 100].into_iter().map(ended_after).find(|said| !said.is_empty()).expect("a shell that starts");
        let is_running = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", said.trim())).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        while cfg!(target_os = "linux") && is_running() {
            assert!(started.elapsed() < Duration::from_secs(600), "{said} runs on");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(started.elapsed() < Duration::from_secs(600));
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let result = run("test", Command::new("clewline-no-such-program"), Show::Latest, Duration::from_secs(1));
        let error = result.err().unwrap().to_string();
        assert!(error.contains("clewline-no-such-program"), "{error}");
        assert_eq!(answer("clewline-no-such-program", &[]), None);
    }

    #[test]
    fn lines_end_with_or_without_a_newline() {
        let mut lines = Vec::new();
        each_line(&b"a\r\n\nb\xff"[..], |line| {
            lines.push(line);
            true
        });
        assert_eq!(lines, ["a", "", "b\u{fffd}"]);
    }

    #[test]
    fn programs_are_found_on_the_path_only_when_they_can_run() {
        assert!(find_in(OsStr::new("/nowhere:/bin:/usr/bin"), "sh").is_some());
        assert_eq!(find_in(OsStr::new("/etc"), "passwd"), None);
    }
}
