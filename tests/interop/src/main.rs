//! The same spans through receivers that others wrote, and spans that others wrote through ours: what comes back is compared.
//!
//! `cargo xtask interop` gets the programs and says in variables where they are, or why they are not there. A program that is not
//! there is reported as not run, never as passed.

mod collector;
mod compare;
mod exporters;
mod forwarding;
mod process;
mod program;
mod recorder;
mod rotel;
mod senders;
mod verdict;
mod web;
mod zipkin;

use std::process::ExitCode;

use crate::verdict::Report;

fn main() -> ExitCode {
    let mut report = Report::default();
    rotel::ROTEL.run(&mut report);
    collector::COLLECTOR.run(&mut report);
    zipkin::run(&mut report);
    senders::run(&mut report);
    report.finish()
}
