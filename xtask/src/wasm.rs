//! Builds the npm package: the module for the browser, its bindings, and the files owned by hand.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::bindgen;
use crate::error::Error;
use crate::process::{self, Show};
use crate::setup::Need;
use crate::targets::{self, Library};
use crate::workspace::{With, Workspace};

/// What this task needs on the machine.
pub(crate) const NEEDS: [Need; 3] = [Need::WasmTarget, Need::Bindgen, Need::Node];

/// The cargo profile of the module, see the root `Cargo.toml`.
const PROFILE: &str = "wasm";

/// A first build from source compiles std too.
const BUILD_LIMIT: Duration = Duration::from_secs(1200);
const TOOL_LIMIT: Duration = Duration::from_secs(300);

/// Builds the package into `wasm/dist`; answers with the table of the bytes it weighs, by the script that assembles it.
pub(crate) fn build(workspace: &Workspace) -> Result<String, Error> {
    let provider = targets::require(targets::WASM)?;
    let bindgen = bindgen::require(workspace)?;
    let target_dir = provider.target_dir(workspace);

    let mut command = provider.cargo(workspace, "build", Library::Std).with(&[
        "--package",
        "clewline-wasm",
        "--lib",
        "--profile",
        PROFILE,
        "--target",
        targets::WASM,
    ]);
    command.arg("--target-dir").arg(&target_dir);
    process::check("cargo build clewline-wasm", command, Show::Latest, BUILD_LIMIT)?;
    let module = target_dir.join(targets::WASM).join(PROFILE).join("clewline_wasm.wasm");

    let bindings = workspace.target.join("wasm-bindgen");
    remove_directory(&bindings)?;
    let mut command = workspace.command(&bindgen.tool).with(&["--target", "web", "--out-dir"]);
    command.arg(&bindings).arg(&module);
    process::check("wasm-bindgen", command, Show::Latest, TOOL_LIMIT)?;

    let mut command = workspace.command("node").with(&["wasm/build.mjs"]);
    command.arg(&bindings).arg(workspace.root.join("wasm/dist"));
    process::check("node wasm/build.mjs", command, Show::Latest, TOOL_LIMIT)
}

fn remove_directory(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", directory.display()))(error))
        }
        _ => Ok(()),
    }
}
