//! `clewline firmware`: what a host does with a firmware's string table and with the frames of its chip.

mod recording;
mod spans;
mod strings;
mod table;

use std::fs;
use std::path::Path;

use clap::{Args, Subcommand};

use crate::streams::read_stdin;

/// Export a firmware's string table, or expand the frames that its chip sent.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct FirmwareArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Strings(strings::StringsArguments),
    Spans(spans::SpansArguments),
}

/// Does what was asked for.
pub(crate) fn firmware(arguments: FirmwareArguments) -> Result<(), String> {
    match arguments.command {
        Command::Strings(arguments) => strings::export(&arguments),
        Command::Spans(arguments) => spans::expand(&arguments),
    }
}

/// A whole file; `-` is stdin.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    if path == Path::new("-") {
        return read_stdin();
    }
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// A build id as it is written: eight hexadecimal digits.
fn parse_build_id(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if is_hex { u32::from_str_radix(digits, 16).ok() } else { None };
    number.ok_or_else(|| format!("{text:?} is not a build id of up to eight hexadecimal digits"))
}
