//! Firmware: built for the chips with `core` alone, free of panics and allocators, booted in QEMU.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::apt;
use crate::elf::Elf;
use crate::error::Error;
use crate::process::{self, Show};
use crate::report::line;
use crate::setup::Need;
use crate::targets::{self, Library, Provider};
use crate::workspace::{With, Workspace};

/// What building and booting firmware needs on the machine.
pub(crate) const NEEDS: [Need; 2] = [Need::CoreTargets, Need::Emulators];

/// A first build compiles `core` for each chip.
const LIMIT: Duration = Duration::from_secs(3600);

/// QEMU's programs, and Debian's packages that hold them.
const EMULATORS: [&str; 2] = ["qemu-system-arm", "qemu-system-riscv32"];
const PACKAGES: [&str; 2] = ["qemu-system-arm", "qemu-system-misc"];

/// The boards of the firmware example, each a feature, and their chips.
const BOARDS: [(&str, &str); 3] =
    [("mps2", "thumbv7em-none-eabihf"), ("microbit", "thumbv6m-none-eabi"), ("virt", "riscv32imc-unknown-none-elf")];
const MANIFEST: &str = "examples/firmware/Cargo.toml";

/// The programs whose sizes are measured; one of them is the canary of the gate against panics.
pub(crate) const SIZES_MANIFEST: &str = "tests/sizes/Cargo.toml";
pub(crate) const SIZES_TARGET: &str = "thumbv7em-none-eabihf";
/// The function that panic handlers call, and that nobody defines.
const PANIC_MARK: &str = "a_panic_is_reachable";

/// The version of QEMU, if all of it is there.
pub(crate) fn find_emulators() -> Option<String> {
    let version = process::answer(EMULATORS[0], &["--version"])?;
    process::find(EMULATORS[1])?;
    version.lines().next().map(str::to_owned)
}

/// Installs QEMU.
///
/// # Errors
/// With the command to type, when that is not possible here.
pub(crate) fn install_emulators() -> Result<(), Error> {
    apt::install(&PACKAGES).map_err(|reason| Error::Missing {
        what: format!("QEMU ({})", EMULATORS.join(", ")),
        reason,
        command: apt::command_line(&PACKAGES),
    })
}

/// Where programs for chips are built.
pub(crate) fn target_dir(workspace: &Workspace) -> PathBuf {
    workspace.target.join("chip")
}

/// A cargo command that builds a release program for a chip.
///
/// # Errors
/// When nothing on this machine has `core` for it.
pub(crate) fn cargo(workspace: &Workspace, manifest: &str, target: &'static str) -> Result<Command, Error> {
    let provider = targets::require(target)?;
    let mut command = provider.cargo(workspace, "build", Library::Core);
    if let Provider::FromSource(_) = provider {
        // Chips have no C library to take `memcpy` from.
        command.arg("-Zbuild-std-features=compiler-builtins-mem");
        if let Some(linker) = targets::linker() {
            let name = target.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{name}_LINKER"), linker);
        }
    }
    command = command.with(&["--release", "--locked", "--manifest-path", manifest, "--target", target]);
    command.arg("--target-dir").arg(target_dir(workspace));
    Ok(command)
}

/// Where a program for a chip was built.
pub(crate) fn program(workspace: &Workspace, target: &str, name: &str) -> PathBuf {
    target_dir(workspace).join(target).join("release").join(name)
}

/// Builds the firmware for every board, with its gates.
///
/// # Errors
/// When it does not build, could panic, or holds an allocator.
pub(crate) fn build(workspace: &Workspace) -> Result<(), Error> {
    check_canary(workspace)?;
    for (board, target) in BOARDS {
        let command = cargo(workspace, MANIFEST, target)?.with(&["--features", board]);
        process::check(&format!("building the firmware for {board}"), command, Show::Latest, LIMIT)
            .map_err(|error| explain(&error.to_string()).unwrap_or(error))?;
        let elf = Elf::read(&program(workspace, target, "firmware"))?;
        judge_symbols(board, &elf.symbols())?;
        line(&format!("  {board} ({target}): {} bytes of flash, no panic, no allocator", elf.flash()));
    }
    Ok(())
}

/// A program with a panic must be refused by the linker, or this gate is blind.
fn check_canary(workspace: &Workspace) -> Result<(), Error> {
    let command = cargo(workspace, SIZES_MANIFEST, SIZES_TARGET)?.with(&["--bin", "panics"]);
    let finished = process::run("the canary with a panic", command, Show::Latest, LIMIT)?;
    if finished.success {
        return Err(Error::Rejected("this gate is blind: a program with a reachable panic was linked".to_owned()));
    }
    if explain(&finished.output).is_some() {
        return Ok(());
    }
    Err(Error::Failed {
        what: "the canary with a panic was refused, but for another reason: it".to_owned(),
        code: finished.code,
        output: finished.output,
    })
}

/// The reason behind a linker's words, if it is a panic.
fn explain(output: &str) -> Option<Error> {
    output.contains(PANIC_MARK).then(|| {
        Error::Rejected(format!(
            "a panic is reachable: `{PANIC_MARK}` is referenced. Look for indexing, unwrap, and slices copied between \
             unknown lengths in what changed last"
        ))
    })
}

/// Symbols that only a program with an allocator has.
fn judge_symbols(board: &str, symbols: &[&str]) -> Result<(), Error> {
    if symbols.is_empty() {
        return Err(Error::Rejected(format!("the firmware for {board} has no symbols, so nothing can be said of it")));
    }
    let is_allocator =
        |symbol: &&&str| ["rust_alloc", "rust_realloc", "malloc"].iter().any(|part| symbol.contains(part));
    match symbols.iter().find(is_allocator) {
        None => Ok(()),
        Some(symbol) => Err(Error::Rejected(format!("the firmware for {board} holds an allocator: {symbol}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{explain, judge_symbols};

    #[test]
    fn allocators_are_seen_and_missing_symbols_too() {
        assert!(judge_symbols("virt", &["main", "memcpy"]).is_ok());
        assert!(judge_symbols("virt", &["main", "__rust_alloc"]).is_err());
        assert!(judge_symbols("virt", &["main", "_RNvCs_7___rustc12___rust_alloc"]).is_err());
        assert!(judge_symbols("virt", &[]).is_err());
    }

    #[test]
    fn only_the_undefined_function_means_a_panic() {
        assert!(explain("rust-lld: error: undefined symbol: a_panic_is_reachable").is_some());
        assert!(explain("rust-lld: error: undefined symbol: main").is_none());
    }
}
