//! Builds the npm package: the module, and around it the files owned by hand.

use std::time::Duration;

use crate::error::Error;
use crate::node::Packages;
use crate::process::{self, Show};
use crate::setup::Need;
use crate::targets::{self, Library};
use crate::workspace::{With, Workspace};

/// What this task needs on the machine.
pub(crate) const NEEDS: [Need; 3] = [Need::WasmTarget, Need::Node, Need::Packages(Packages::Build)];

/// The cargo profile of the module, see the root `Cargo.toml`.
const PROFILE: &str = "wasm";

/// A first build from source compiles std too.
const BUILD_LIMIT: Duration = Duration::from_secs(1200);
const TOOL_LIMIT: Duration = Duration::from_secs(300);

/// Builds the package into `wasm/dist`; answers what the script that assembles it says of its size.
pub(crate) fn build(workspace: &Workspace) -> Result<String, Error> {
    let provider = targets::require(targets::WASM)?;
    let target_dir = provider.target_dir(workspace);

    let mut command = provider.cargo(workspace, "build", Library::Std).with(&[
        "--package",
        "clewline-wasm-module",
        "--lib",
        "--features",
        "panic-handler",
        "--profile",
        PROFILE,
        "--target",
        targets::WASM,
    ]);
    command.arg("--target-dir").arg(&target_dir);
    process::check("cargo build clewline-wasm-module", command, Show::Latest, BUILD_LIMIT)?;
    let module = target_dir.join(targets::WASM).join(PROFILE).join("clewline_wasm_module.wasm");

    let mut command = workspace.command("node").with(&["wasm/build.mjs"]);
    command.arg(&module).arg(workspace.root.join("wasm/dist"));
    process::check("node wasm/build.mjs", command, Show::Latest, TOOL_LIMIT)
}

/// Measures the package and holds it against its budget; `bless` writes the budget anew instead.
///
/// # Errors
/// When something is over its budget, or cannot be measured.
pub(crate) fn size(workspace: &Workspace, bless: bool) -> Result<(), Error> {
    let mut command = workspace.command("node").with(&["wasm/size.mjs"]);
    if bless {
        command.arg("--bless");
    }
    process::check("node wasm/size.mjs", command, Show::All, TOOL_LIMIT).map(drop)
}
