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

/// Completes when the process is asked to end: Ctrl-C or, on Unix, SIGTERM.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // An error means that the signal cannot be heard; then only killing ends the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
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
