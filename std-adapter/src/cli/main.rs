//! The `clewline` binary: `clewline serve` receives and shows traces, `clewline tail` prints them in the
//! terminal, `clewline inspect` says why a trace is broken, `clewline config` what a program would be told to do,
//! `clewline firmware` what a chip has sent.

mod config;
mod firmware;
mod inspect;
mod serve;
mod size;
mod streams;
mod tail;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One thread from the button to the server: receive OpenTelemetry traces and look at them.
#[derive(Debug, Parser)]
#[command(name = "clewline", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Config(config::ConfigArguments),
    Firmware(firmware::FirmwareArguments),
    Inspect(inspect::InspectArguments),
    Serve(serve::ServeArguments),
    Tail(tail::TailArguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Config(arguments) => config::config(&arguments),
        Command::Firmware(arguments) => firmware::firmware(arguments),
        Command::Inspect(arguments) => inspect::inspect(arguments),
        Command::Serve(arguments) => run(serve::serve(arguments)),
        Command::Tail(arguments) => run(tail::tail(arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Without a stderr the exit code is all there is to say.
            let _ = writeln!(std::io::stderr(), "clewline: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what needs a runtime.
fn run(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime could be started: {error}"))?;
    let outcome = runtime.block_on(work);
    // Work that is still running on a blocking thread must not keep the process after Ctrl-C.
    runtime.shutdown_background();
    outcome
}

/// Starts to listen for Ctrl-C and, on Unix, SIGTERM; the future completes with the first of them.
///
/// Listening starts with the call, not with the first poll: whoever reads that the server is ready may end it at once.
fn asked_to_end() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok());
        async move {
            let [interrupt, terminate] = signals.each_mut().map(|signal| received(signal.as_mut()));
            tokio::select! {
                () = interrupt => {}
                () = terminate => {}
            }
        }
    }
    #[cfg(not(unix))]
    async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Completes with the signal; never, if the system did not let us listen for it.
#[cfg(unix)]
async fn received(signal: Option<&mut tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        super::Arguments::command().debug_assert();
    }
}
