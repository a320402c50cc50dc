//! `clewline firmware strings`: the string table of an image or a recording, as a file.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::recording::Recording;
use super::table::Table;
use super::{parse_build_id, read};
use crate::streams::print;

/// Write a firmware's string table to a file, from the image that was flashed or from frames in which a chip sent it.
#[derive(Debug, Args)]
pub(super) struct StringsArguments {
    /// An ELF file, a raw image or the recorded bytes of a line; `-` is stdin.
    #[arg(value_name = "FILE")]
    input: PathBuf,

    /// What the input is. [default: whichever it is]
    #[arg(long, value_enum)]
    from: Option<Origin>,

    /// Which table, if there are several: the build id that frames carry, the table's fingerprint unless the firmware has others.
    #[arg(long, value_name = "HEX", value_parser = parse_build_id)]
    build_id: Option<u32>,

    /// Where the table goes. [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Origin {
    /// What was flashed: ELF, raw binary
    Image,
    /// The bytes that a chip sent
    Recording,
}

/// Reads the table and writes its file.
pub(super) fn export(arguments: &StringsArguments) -> Result<(), String> {
    let input = read(&arguments.input)?;
    let table = table_in(&input, arguments)?;
    let json = table.to_json()?;
    let Some(path) = &arguments.output else {
        return print(json);
    };
    fs::write(path, json).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn table_in(input: &[u8], arguments: &StringsArguments) -> Result<Table, String> {
    let is_image = match arguments.from {
        Some(origin) => origin == Origin::Image,
        None => input.starts_with(b"\x7fELF") || Recording::read(input).tables.is_empty(),
    };
    if is_image {
        return Table::in_image(input, arguments.build_id);
    }
    let tables = Recording::read(input).tables;
    let build_id = match (arguments.build_id, tables.keys().collect::<Vec<_>>().as_slice()) {
        (Some(id), _) => id,
        (None, [id]) => **id,
        (None, []) => return Err("no strings are in the recording: a chip sends them when its host asks".to_owned()),
        (None, several) => {
            let ids: Vec<_> = several.iter().map(|id| format!("{id:08x}")).collect();
            return Err(format!("several builds are in the recording, give one's --build-id: {}", ids.join(", ")));
        }
    };
    let table = tables.get(&build_id);
    table.ok_or_else(|| format!("no strings of build {build_id:08x} are in the recording"))?.complete(build_id)
}
