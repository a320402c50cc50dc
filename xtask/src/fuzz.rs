//! `cargo xtask fuzz`: runs the fuzz targets under libFuzzer for as long as is asked, guided by coverage.
//!
//! What every test run does in seconds and on any toolchain is `tests/tests/fuzz.rs`; this is the long way. It works with a
//! stable toolchain too, which is told to accept the compiler's unstable flags.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::process::{self, Show};
use crate::report::line;
use crate::targets;
use crate::workspace::{With, Workspace};

/// The package, from the top of the repository.
const PACKAGE: &str = "tests/fuzz";

/// A first build compiles libFuzzer and everything below it.
const BUILD: Duration = Duration::from_secs(3600);

/// The program of the package, which runs every target.
const PROGRAM: &str = "any";

/// Runs `only`, or all targets one after the other, each for `seconds`.
///
/// # Errors
/// When cargo-fuzz is missing, a name is no target, or an input was found that breaks a promise.
pub(crate) fn run(workspace: &Workspace, only: Option<&str>, seconds: u64) -> Result<(), Error> {
    if process::answer("cargo", &["fuzz", "--version"]).is_none() {
        return Err(Error::Missing {
            what: "cargo-fuzz".to_owned(),
            reason: "`cargo fuzz` is no command here".to_owned(),
            command: "cargo install cargo-fuzz --locked".to_owned(),
        });
    }
    let corpus = workspace.root.join(PACKAGE).join("corpus");
    let all = names(&corpus)?;
    let chosen: Vec<&String> = all.iter().filter(|name| only.is_none_or(|only| only == **name)).collect();
    if chosen.is_empty() {
        return Err(Error::Rejected(format!("no such target; there are: {}", all.join(", "))));
    }
    let sanitizer = if has_address_sanitizer() { "address" } else { "none" };
    line(&format!("  sanitizer: {sanitizer}; new inputs and failures go to target/fuzz"));
    for name in chosen {
        let found = workspace.target.join("fuzz/corpus").join(name);
        let failures = workspace.target.join("fuzz/artifacts").join(name);
        for folder in [&found, &failures] {
            fs::create_dir_all(folder).map_err(Error::io(format!("making {}", folder.display())))?;
        }
        let mut command =
            workspace.cargo("fuzz").with(&["run", "--fuzz-dir", PACKAGE, "--sanitizer", sanitizer, "--target-dir"]);
        command.arg(workspace.target.join("fuzz")).arg(PROGRAM).arg(&found).arg(corpus.join(name));
        command
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", failures.display()))
            .env("CLEWLINE_FUZZ_TARGET", name)
            // Coverage and sanitizers are unstable flags of the compiler; a nightly toolchain ignores this.
            .env("RUSTC_BOOTSTRAP", "1");
        let output =
            process::check(&format!("fuzzing {name}"), command, Show::Latest, BUILD + Duration::from_secs(seconds))?;
        let inputs = output.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        line(&format!("  {name}: {} inputs, no failure", inputs.map_or("?", str::trim)));
    }
    Ok(())
}

/// The targets: each has a folder of seeds, which a test sees to.
fn names(corpus: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(corpus).map_err(Error::io(format!("looking for seeds in {}", corpus.display())))? {
        let entry = entry.map_err(Error::io(format!("reading {}", corpus.display())))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether the toolchain brings the sanitizer's runtime for this machine; distributions leave it out.
fn has_address_sanitizer() -> bool {
    let Some(active) = targets::active() else { return false };
    let Ok(entries) = fs::read_dir(targets::library_dir(&active.sysroot, &active.host)) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with("rt.asan.a"))
}
