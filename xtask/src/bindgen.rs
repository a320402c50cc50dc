//! wasm-bindgen's programs, the generator and the test runner, in exactly the version that `Cargo.lock` pins for the library.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::download;
use crate::error::Error;
use crate::process;
use crate::workspace::{With, Workspace};

/// Compiling it takes one to four minutes.
const LIMIT: Duration = Duration::from_secs(3600);

const GENERATOR: &str = "wasm-bindgen";
const TEST_RUNNER: &str = "wasm-bindgen-test-runner";

/// The programs, found in the version wanted.
pub(crate) struct Bindgen {
    pub(crate) version: String,
    pub(crate) generator: PathBuf,
    pub(crate) test_runner: PathBuf,
}

/// Looks in `target/tools`, then on the PATH.
pub(crate) fn find(workspace: &Workspace) -> Result<Option<Bindgen>, Error> {
    let version = workspace.locked_version("wasm-bindgen")?;
    let look_for = |program: &str| {
        let own = tools_dir(workspace).join("bin").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        [Some(own), process::find(program)].into_iter().flatten().find(|path| {
            let said = if path.is_file() { process::answer(path, &["--version"]) } else { None };
            said.is_some_and(|said| said.split(' ').nth(1) == Some(&version))
        })
    };
    let (Some(generator), Some(test_runner)) = (look_for(GENERATOR), look_for(TEST_RUNNER)) else { return Ok(None) };
    Ok(Some(Bindgen { version, generator, test_runner }))
}

/// The programs, or the error that tells how to get them.
pub(crate) fn require(workspace: &Workspace) -> Result<Bindgen, Error> {
    match find(workspace)? {
        Some(bindgen) => Ok(bindgen),
        None => Err(missing(workspace, "it is not, or not all of it, in target/tools nor on the PATH")?),
    }
}

/// Builds and installs the programs into `target/tools`.
pub(crate) fn install(workspace: &Workspace) -> Result<(), Error> {
    let version = workspace.locked_version("wasm-bindgen")?;
    let build_dir = tools_dir(workspace).join("build");
    let label = format!("cargo install wasm-bindgen-cli {version}");
    // A registry mirror may lag behind the versions in the tool's own lock file.
    let is_behind = |output: &str| output.contains("failed to select a version");
    let attempt = |locked: bool| {
        let command = || {
            let mut command = install_command(workspace, &version);
            command.arg("--target-dir").arg(&build_dir);
            // They run for a second or two: what counts is how soon they are built (a third of the time).
            command.args(["--config", "profile.release.opt-level=0"]);
            if locked {
                command.arg("--locked");
            }
            command
        };
        download::check_if(&label, LIMIT, |output| !is_behind(output), command)
    };
    let installed = match attempt(true) {
        Err(Error::Failed { output, .. }) if is_behind(&output) => attempt(false),
        other => other,
    };
    match installed {
        Ok(_) => {
            // Several hundred megabytes that nothing needs any more.
            fs::remove_dir_all(&build_dir).map_err(Error::io("removing the tool's build directory"))
        }
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => Err(missing(workspace, &error.to_string())?),
    }
}

fn install_command(workspace: &Workspace, version: &str) -> Command {
    let mut command = workspace.cargo("install").with(&[
        "wasm-bindgen-cli",
        "--version",
        &format!("={version}"),
        // The default feature is TLS, for drivers on other machines; ours is local.
        "--no-default-features",
        "--bin",
        GENERATOR,
        "--bin",
        TEST_RUNNER,
        // One of them may be there, from before the other was wanted.
        "--force",
        "--root",
    ]);
    command.arg(tools_dir(workspace));
    command
}

fn missing(workspace: &Workspace, reason: &str) -> Result<Error, Error> {
    let version = workspace.locked_version("wasm-bindgen")?;
    let command = install_command(workspace, &version);
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    Ok(Error::Missing {
        what: format!("wasm-bindgen-cli {version}"),
        reason: reason.to_owned(),
        command: format!("cargo {}", words.join(" ")),
    })
}

fn tools_dir(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}
