//! The gate that core needs neither `std` nor `alloc`: builds it where the two crates do not exist, on any machine.
//!
//! A target that is built from source gets `core` and nothing else. A toolchain with an installed target has `alloc`
//! (and for wasm32 and the host also `std`) in its sysroot, so the gate makes a sysroot that holds only `core` and
//! builds against that. Both ways are first tried on a canary crate that makes the mistake on purpose: when that
//! builds, the gate is blind and fails.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::process::{self, Show};
use crate::report::line;
use crate::setup::Need;
use crate::targets::{self, Active, Library, Provider};
use crate::workspace::{With, Workspace};

/// What this gate needs on the machine.
pub(crate) const NEEDS: [Need; 1] = [Need::CoreTargets];

/// A first build from source compiles `core` four times.
const LIMIT: Duration = Duration::from_secs(3600);

/// The canary crate, and the features that are its mistakes: each is named as the crate it asks for.
const CANARY: &str = "tests/gates/core-alone/Cargo.toml";
const MISTAKES: [&str; 2] = ["alloc", "std"];

/// Nothing built here runs. The same for core and the canary, which then share what is built from source.
const QUICK: [&str; 4] = ["--config", "profile.dev.debug=false", "--config", "profile.dev.package.'*'.opt-level=0"];

/// What of a toolchain's library goes into the sysroot with `core` only; `core` is nothing without its intrinsics.
const CORE_LIBRARIES: [&str; 2] = ["libcore-", "libcompiler_builtins-"];

/// Builds core alone for every target and for the host.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let active = targets::active().ok_or_else(|| Error::Rejected("`rustc` cannot be asked for its sysroot".into()))?;
    let mut from_source = Vec::new();
    // The host is built too: it shows mistakes behind a `cfg` that no chip sees.
    let mut installed = vec![active.host.as_str()];
    for target in targets::CORE_ALONE {
        match targets::require(target)? {
            Provider::Installed => installed.push(target),
            provider @ Provider::FromSource(_) => from_source.push((target, provider)),
        }
    }

    let sysroot = make_core_sysroot(workspace, active, &installed)?;
    let flags = format!("--sysroot\u{1f}{}", sysroot.display());
    check(workspace, &installed, "a sysroot with core only", || {
        let mut command = workspace.cargo("build");
        // Flags of the user could bring another sysroot; the separator is cargo's.
        command.env("CARGO_ENCODED_RUSTFLAGS", &flags).env_remove("RUSTFLAGS");
        command
    })?;
    if let Some((_, provider)) = from_source.first() {
        let names: Vec<&str> = from_source.iter().map(|(target, _)| *target).collect();
        check(workspace, &names, "core built from source", || provider.cargo(workspace, "build", Library::Core))?;
    }
    Ok(())
}

/// Lets the canary fail for each mistake and target, then builds core for all targets.
fn check(workspace: &Workspace, names: &[&str], how: &str, cargo: impl Fn() -> Command) -> Result<(), Error> {
    let target_dir = workspace.target.join("core-alone");
    let command = |targets: &[&str], arguments: &[&str]| {
        let mut command = cargo().with(arguments).with(&QUICK);
        for target in targets {
            command.args(["--target", target]);
        }
        command.arg("--target-dir").arg(&target_dir);
        command
    };
    // JSON is built apart from the others as well: of all features it has the most to do with what needs an allocator.
    for features in ["--all-features", "--features=json", "--no-default-features"] {
        let core = ["--package", "clewline-core", "--lib", features];
        process::check(&format!("building core alone with {features}"), command(names, &core), Show::Latest, LIMIT)?;
    }

    let canary = ["--manifest-path", CANARY];
    process::check("building the canary", command(names, &canary), Show::Latest, LIMIT)?;
    for target in names {
        for mistake in MISTAKES {
            let arguments = ["--manifest-path", CANARY, "--features", mistake];
            let label = format!("the canary with {mistake} for {target}");
            let finished = process::run(&label, command(&[target], &arguments), Show::Latest, LIMIT)?;
            judge_canary(target, mistake, finished.success, &finished.output)?;
        }
        line(&format!("  {target}: core builds alone, and alloc and std are refused ({how})"));
    }
    Ok(())
}

/// The canary must be refused, and for the one reason that the gate is about.
fn judge_canary(target: &str, mistake: &str, built: bool, output: &str) -> Result<(), Error> {
    if built {
        return Err(Error::Rejected(format!(
            "this gate is blind: a crate with `extern crate {mistake}` builds for {target}"
        )));
    }
    if output.contains(&format!("can't find crate for `{mistake}`")) {
        return Ok(());
    }
    Err(Error::Failed {
        what: format!("the canary with `extern crate {mistake}` for {target} was refused, but for another reason: it"),
        code: None,
        output: output.to_owned(),
    })
}

/// Makes a sysroot that holds `core` of the given installed targets and nothing else.
fn make_core_sysroot(workspace: &Workspace, active: &Active, targets: &[&str]) -> Result<PathBuf, Error> {
    // By commit: after a toolchain update the old libraries would not load.
    let sysroot = workspace.target.join("core-alone/sysroot").join(&active.commit);
    for target in targets {
        let from = targets::library_dir(&active.sysroot, target);
        let to = targets::library_dir(&sysroot, target);
        let lacking =
            link_core_libraries(&from, &to).map_err(Error::io(format!("making a sysroot in {}", to.display())))?;
        if let Some(prefix) = lacking {
            return Err(Error::Rejected(format!("{} holds no {prefix}*", from.display())));
        }
    }
    Ok(sysroot)
}

/// Links the libraries of `core` into `to`; answers with one that `from` lacks.
fn link_core_libraries(from: &Path, to: &Path) -> io::Result<Option<&'static str>> {
    fs::create_dir_all(to)?;
    let mut lacking = CORE_LIBRARIES.to_vec();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_part = |prefix: &str| name.to_string_lossy().starts_with(prefix);
        if !CORE_LIBRARIES.into_iter().any(is_part) {
            continue;
        }
        lacking.retain(|prefix| !is_part(prefix));
        let library = to.join(&name);
        if !library.exists() && fs::hard_link(entry.path(), &library).is_err() {
            // Another file system, or one without links.
            fs::copy(entry.path(), &library)?;
        }
    }
    Ok(lacking.first().copied())
}

#[cfg(test)]
mod tests {
    use super::judge_canary;

    #[test]
    fn only_the_right_refusal_is_taken() {
        let target = "thumbv6m-none-eabi";
        let refusal = "error[E0463]: can't find crate for `alloc`";
        assert!(judge_canary(target, "alloc", false, refusal).is_ok());
        assert!(judge_canary(target, "std", false, refusal).is_err());
        assert!(judge_canary(target, "alloc", false, "error: no such command").is_err());
        let blind = judge_canary(target, "alloc", true, "").unwrap_err().to_string();
        assert!(blind.contains("blind"), "{blind}");
    }
}
