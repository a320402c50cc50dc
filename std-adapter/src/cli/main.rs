//! The `clewline` binary: `clewline serve` receives and shows traces, `clewline tail` prints them in the terminal.

mod serve;
mod size;
mod tail;

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
    Serve(serve::ServeArguments),
    Tail(tail::TailArguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("clewline: no runtime could be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match command {
        Command::Serve(arguments) => runtime.block_on(serve::serve(arguments)),
        Command::Tail(arguments) => runtime.block_on(tail::tail(arguments)),
    };
    // Work that is still running on a blocking thread must not keep the process after Ctrl-C.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("clewline: {message}");
            ExitCode::FAILURE
        }
    }
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
