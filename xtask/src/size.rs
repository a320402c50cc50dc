//! What core costs a chip: flash, stack and instructions, exactly, beside what peers cost, held by a budget file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::elf::Elf;
use crate::error::Error;
use crate::firmware::{self, SIZES_MANIFEST, SIZES_TARGET};
use crate::process::{self, Show};
use crate::report::line;
use crate::targets::{self, Provider};
use crate::workspace::{With, Workspace};

const LIMIT: Duration = Duration::from_secs(3600);
/// The emulated program runs for less than a second.
const RUN_LIMIT: Duration = Duration::from_secs(600);
/// The budgets: one for the toolchain's own compiler and library, one for the distribution's, which is another version, builds
/// the library from source, and so makes other code.
const BUDGET_INSTALLED: &str = "tests/sizes/budget-installed.txt";
const BUDGET_FROM_SOURCE: &str = "tests/sizes/budget-source.txt";
/// The next version of a compiler makes other code too: how much more than the budget is still within it, in percent.
const ALLOWANCE: u32 = 3;

/// What is measured: its name, its unit and what it is, and what we aim at, if there is an aim.
const MEASURES: &[(&str, &str, Option<u32>)] = &[
    ("flash-compact", "B of flash: tracer, context, ring, framing", Some(4096)),
    ("flash-otlp", "B of flash: encoder of the OTLP form", None),
    ("flash-direct", "B of flash: the small one, `direct`", Some(1536)),
    ("span-bare", "instructions: span with nothing in it", Some(200)),
    ("span-3-attributes", "instructions: span with 3 interned attributes", Some(300)),
    ("span-3-attributes-1-event", "instructions: the same with an event", None),
    ("drain", "instructions: that span from ring to frame", Some(2500)),
    ("otlp-3-attributes-1-event", "instructions: that span in OTLP form", Some(2600)),
    ("direct-3-attributes-1-event", "instructions: the same by `direct`", Some(2600)),
    ("stack-span", "B of stack: recording it", Some(512)),
    ("stack-drain", "B of stack: draining it", Some(512)),
    ("stack-otlp", "B of stack: recording it in OTLP form", None),
    ("stack-direct", "B of stack: the same by `direct`", Some(512)),
    ("wire", "B on the line: its frame", Some(73)),
];

/// One span with ids, 3 attributes and 1 event on a Cortex-M4, `opt-level = "s"`: flash over an empty program,
/// instructions, stack, bytes on the line. Measured 2026-11-20 with the same emulator.
const PEERS: &[(&str, &str, &str, &str, &str)] = &[
    ("postcard + COBS, interned", "3200", "3400", "808", "79"),
    ("micropb, trimmed", "3152", "4570", "1600", "194"),
    ("nanopb (C)", "5580", "85648", "2880", "194"),
    ("femtopb", "32900", "35500", "6168", "194"),
    ("OTLP/JSON by serde-json-core", "20900", "26500", "1720", "643"),
    ("defmt log, rzCOBS (no trace model)", "680", "5490", "196", "75"),
    ("veecle-telemetry, patched, postcard", "7352", "23800", "1200", "450"),
];

type Numbers = BTreeMap<String, u32>;

/// Measures, prints, and compares with the budget; `bless` writes the budget anew instead.
///
/// # Errors
/// When something is over its budget, or cannot be measured.
pub(crate) fn run(workspace: &Workspace, bless: bool) -> Result<(), Error> {
    let numbers = measure(workspace)?;
    let provider = targets::require(SIZES_TARGET)?;
    let file = match provider {
        Provider::Installed => BUDGET_INSTALLED,
        Provider::FromSource(_) => BUDGET_FROM_SOURCE,
    };
    let path = workspace.root.join(file);
    if bless {
        fs::write(&path, format_budget(&numbers)).map_err(Error::io(format!("writing {file}")))?;
    }
    let text = fs::read_to_string(&path).map_err(Error::io(format!("reading {file}")))?;
    let budget = parse(&text);
    line("  Cortex-M4, opt-level s; instructions are exact, counted by the emulator");
    line(&format!("  held by {file}: the library is {}", provider.describe()));
    line("  measured  budget  target");
    for (name, about, target) in MEASURES {
        let show = |number: Option<&u32>| number.map_or_else(|| "-".to_owned(), u32::to_string);
        line(&format!(
            "  {:>8}{:>8}{:>8}  {about}",
            show(numbers.get(*name)),
            show(budget.get(*name)),
            show(target.as_ref())
        ));
    }
    line("  peers, one span with 3 attributes and an event (2026-11-20): flash, instructions, stack, wire");
    for (peer, flash, instructions, stack, wire) in PEERS {
        line(&format!("  {flash:>8}{instructions:>8}{stack:>8}{wire:>8}  {peer}"));
    }
    judge(&numbers, &budget)
}

fn measure(workspace: &Workspace) -> Result<Numbers, Error> {
    let programs = ["empty", "compact", "otlp", "direct", "count", "count_direct"];
    let programs = programs.map(|name| ["--bin", name]);
    let build = firmware::cargo(workspace, SIZES_MANIFEST, SIZES_TARGET)?.with(programs.as_flattened());
    process::check("building the programs to measure", build, Show::Latest, LIMIT)?;
    let flash = |name| {
        let elf = Elf::read(&firmware::program(workspace, SIZES_TARGET, name))?;
        u32::try_from(elf.flash()).map_err(|_| Error::Rejected(format!("`{name}` is larger than any chip")))
    };
    let mut numbers = count(workspace, "count")?;
    if numbers.remove("dropped") != Some(0) {
        return Err(Error::Rejected("the programs that count have dropped spans".to_owned()));
    }
    let mut direct = count(workspace, "count_direct")?;
    if direct.remove("wrong") != Some(0) {
        return Err(Error::Rejected("`direct` writes something else on a chip than on a host".to_owned()));
    }
    numbers.append(&mut direct);
    let empty = flash("empty")?;
    for name in ["compact", "otlp", "direct"] {
        numbers.insert(format!("flash-{name}"), flash(name)?.saturating_sub(empty));
    }
    Ok(numbers)
}

/// What a program says that counts, once it has come to its end.
fn count(workspace: &Workspace, program: &str) -> Result<Numbers, Error> {
    let mut run = workspace.command("qemu-system-arm").with(&[
        "-machine",
        "mps2-an386",
        "-icount",
        "shift=0",
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        "stdio",
        "-semihosting",
        "-kernel",
    ]);
    run.arg(firmware::program(workspace, SIZES_TARGET, program));
    let said = process::check("counting instructions", run, Show::Latest, RUN_LIMIT)?;
    let mut numbers = parse(&said);
    match numbers.remove("end") {
        Some(_) => Ok(numbers),
        None => Err(Error::Failed { what: "counting instructions".to_owned(), code: None, output: said }),
    }
}

/// Lines of a name and a number; `#` begins a comment.
fn parse(text: &str) -> Numbers {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| line.trim().split_once(' '))
        .filter_map(|(name, number)| Some((name.to_owned(), number.trim().parse().ok()?)))
        .collect()
}

fn format_budget(numbers: &Numbers) -> String {
    let mut text =
        "# What core may cost a Cortex-M4: `cargo xtask size` compares, `cargo xtask size --bless` writes.\n"
            .to_owned();
    for (name, about, _) in MEASURES {
        if let Some(number) = numbers.get(*name) {
            // Writing into a text does not fail.
            let _infallible = writeln!(text, "{name} {number}  # {about}");
        }
    }
    text
}

fn judge(numbers: &Numbers, budget: &Numbers) -> Result<(), Error> {
    let mut over = Vec::new();
    for (name, ..) in MEASURES {
        match (numbers.get(*name), budget.get(*name)) {
            (Some(measured), Some(allowed)) if *measured <= allowed + allowed * ALLOWANCE / 100 => {}
            (Some(measured), Some(allowed)) => over.push(format!("{name}: {measured}, budget {allowed}")),
            (None, _) => over.push(format!("{name} was not measured")),
            (_, None) => over.push(format!("{name} has no budget")),
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(Error::Rejected(format!(
        "over budget; where that is meant, `cargo xtask size --bless`:\n    {}",
        over.join("\n    ")
    )))
}

#[cfg(test)]
mod tests {
    use super::{MEASURES, Numbers, format_budget, judge, parse};

    fn all(number: u32) -> Numbers {
        MEASURES.iter().map(|(name, ..)| ((*name).to_owned(), number)).collect()
    }

    #[test]
    fn a_budget_survives_being_written() {
        assert_eq!(parse(&format_budget(&all(123))), all(123));
        assert_eq!(parse("# 1 2\nnoise\nwire 73  # B\n"), Numbers::from([("wire".to_owned(), 73)]));
    }

    #[test]
    fn more_than_the_budget_or_less_than_all_is_refused() {
        assert!(judge(&all(100), &all(100)).is_ok());
        assert!(judge(&all(103), &all(100)).is_ok(), "another compiler");
        assert!(judge(&all(104), &all(100)).is_err());
        let mut lacking = all(100);
        lacking.remove("wire");
        assert!(judge(&lacking, &all(100)).is_err());
        assert!(judge(&all(100), &lacking).is_err());
    }
}
