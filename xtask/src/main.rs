//! Everything CI runs and a newcomer needs, one command each: `cargo xtask <command>`.

mod apt;
mod bindgen;
mod browser;
mod core_alone;
mod counts;
mod demo;
mod download;
mod elf;
mod error;
mod firmware;
mod fuzz;
mod hygiene;
mod interop;
mod node;
mod process;
mod report;
mod setup;
mod signal;
mod size;
mod steps;
mod targets;
mod test;
mod wasm;
mod workspace;

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::error::Error;
use crate::node::Packages;
use crate::process::Show;
use crate::setup::Need;
use crate::wasm::Sizes;
use crate::workspace::{With, Workspace};

/// Benchmarks of five libraries with all their dependencies take their time.
const BENCH_LIMIT: Duration = Duration::from_secs(7200);

/// The soak test takes half a minute, and has to be built first.
const SOAK_LIMIT: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    let matches = interface().get_matches();
    match signal::install_handler().and_then(|()| dispatch(&matches)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Interrupted) => {
            eprintln!("interrupted");
            ExitCode::from(signal::INTERRUPTED_EXIT_CODE)
        }
        // The summary has said so, and its last line stays the last.
        Err(Error::StepsFailed(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The command line.
fn interface() -> Command {
    let steps = || PossibleValuesParser::new(steps::ALL.iter().map(|step| step.name));
    let port = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("PORT")
            .default_value(default)
            .value_parser(value_parser!(u16).range(1..))
            .help(help)
    };
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about("Everything CI runs and a newcomer needs, one command each")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("setup").about("Find or install what the other commands need"))
        .subcommand(
            Command::new("demo")
                .about("Build everything, start the viewer and the shop, and say where to click")
                .arg(flag("open", "Open both pages in the default browser"))
                .arg(port("viewer-port", "4318", "Port of the viewer, which also receives the spans"))
                .arg(port("shop-port", "8080", "Port of the shop")),
        )
        .subcommand(
            Command::new("test")
                .about("Run every check that CI runs, with a summary at the end")
                .arg(
                    Arg::new("only")
                        .long("only")
                        .value_name("STEP")
                        .action(ArgAction::Append)
                        .value_delimiter(',')
                        .value_parser(steps())
                        .help("Run this step only (may be given again)"),
                )
                .arg(flag("fail-fast", "Stop at the first step that fails")),
        )
        .subcommand(Command::new("npm").about("Build the npm package into wasm/dist"))
        .subcommand(
            Command::new("size")
                .about("Measure flash, stack and instructions on a chip, and the npm package, and hold them against their budgets")
                .arg(flag("bless", "Write what was measured as the new budget")),
        )
        .subcommand(
            Command::new("fuzz")
                .about("Search for inputs that break a parser's promises, guided by coverage (needs cargo-fuzz)")
                .arg(
                    Arg::new("seconds")
                        .long("seconds")
                        .value_name("N")
                        .default_value("60")
                        .value_parser(value_parser!(u64).range(1..))
                        .help("How long each target is searched"),
                )
                .arg(Arg::new("target").value_name("TARGET").help("This target only, such as traceparent or otlp")),
        )
        .subcommand(
            Command::new("bench")
                .about("Measure Clewline and its peers in one run")
                .arg(flag("web", "The npm package instead, in Node.js and Chromium, beside OpenTelemetry-JS").conflicts_with("arguments"))
                .arg(
                    Arg::new("arguments")
                        .value_name("ARGUMENTS")
                        .num_args(0..)
                        .last(true)
                        .help("Passed on to the benchmark"),
                ),
        )
        .subcommand(Command::new("soak").about(
            "Send a million spans from four threads to a receiver that fails one request in ten, and hold ledger and memory",
        ))
        .subcommand(Command::new("interop").about(
            "Send spans to receivers that others wrote, and take theirs: get the programs, compare what comes back",
        ))
}

fn dispatch(matches: &ArgMatches) -> Result<(), Error> {
    let workspace = Workspace::find()?;
    match matches.subcommand() {
        Some(("setup", _)) => setup::ensure(&workspace, &Need::ALL)?.into_result(),
        Some(("demo", matches)) => demo::run(
            &workspace,
            &demo::Options {
                viewer_port: matches.get_one("viewer-port").copied().unwrap_or_default(),
                shop_port: matches.get_one("shop-port").copied().unwrap_or_default(),
                open: matches.get_flag("open"),
            },
        ),
        Some(("test", matches)) => test::run(
            &workspace,
            &test::Options { only: strings(matches, "only"), fail_fast: matches.get_flag("fail-fast") },
        ),
        Some(("npm", _)) => {
            setup::ensure(&workspace, &wasm::NEEDS)?.into_result()?;
            report::line(wasm::build(&workspace)?.trim_end());
            Ok(())
        }
        Some(("size", matches)) => {
            setup::ensure(&workspace, &[&firmware::NEEDS[..], &wasm::NEEDS, &wasm::PEERS, &wasm::RUST_PAGE].concat())?
                .into_result()?;
            wasm::build(&workspace)?;
            let bless = matches.get_flag("bless");
            let package = wasm::size(&workspace, if bless { Sizes::Bless } else { Sizes::Compare });
            size::run(&workspace, bless).and(package)
        }
        Some(("fuzz", matches)) => fuzz::run(
            &workspace,
            matches.get_one::<String>("target").map(String::as_str),
            matches.get_one("seconds").copied().unwrap_or_default(),
        ),
        Some(("bench", matches)) if matches.get_flag("web") => {
            let tools = [Need::Packages(Packages::EndToEnd), Need::Browser];
            setup::ensure(&workspace, &[&wasm::NEEDS[..], &wasm::PEERS, &tools].concat())?.into_result()?;
            wasm::build(&workspace)?;
            wasm::bench(&workspace)
        }
        Some(("interop", _)) => interop::run(&workspace),
        Some(("soak", _)) => {
            let test = &["--release", "--package", "clewline", "--test", "soak", "--", "--ignored", "--nocapture"];
            process::check("cargo test", workspace.cargo("test").with(test), Show::All, SOAK_LIMIT).map(drop)
        }
        Some(("bench", matches)) => {
            let mut command = workspace.cargo("bench").with(&["--package", "clewline-bench", "--"]);
            command.args(strings(matches, "arguments"));
            process::check("cargo bench", command, Show::All, BENCH_LIMIT).map(drop)
        }
        // clap requires one of the commands above.
        _ => Err(Error::Rejected("no such command".to_owned())),
    }
}

fn strings(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::interface;

    #[test]
    fn the_command_line_is_consistent() {
        interface().debug_assert();
    }

    #[test]
    fn ports_steps_and_commands_are_checked() {
        let accepts = |words: &str| interface().try_get_matches_from(words.split(' ')).is_ok();
        assert!(accepts("xtask demo --open --viewer-port 4319 --shop-port 8081"));
        assert!(!accepts("xtask demo --shop-port 0"));
        assert!(!accepts("xtask demo --shop-port 65536"));
        assert!(accepts("xtask test --only fmt,e2e --only clippy --fail-fast"));
        assert!(!accepts("xtask test --only everything"));
        assert!(accepts("xtask bench -- --quick case_a"));
        assert!(!accepts("xtask bench case_a"));
        assert!(accepts("xtask size --bless"));
        assert!(accepts("xtask bench --web"));
        assert!(!accepts("xtask bench --web -- case_a"));
        assert!(accepts("xtask interop"));
        assert!(!accepts("xtask"));
    }
}
