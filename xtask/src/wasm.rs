//! Builds the npm package: the module, and around it the files owned by hand.

use std::path::PathBuf;
use std::time::Duration;

use crate::bindgen;
use crate::browser;
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
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
const TOOL_LIMIT: Duration = Duration::from_secs(1800);

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

/// Bundles the shop's page with the package that `build` made.
pub(crate) fn bundle_shop(workspace: &Workspace) -> Result<(), Error> {
    let command = workspace.command("node").with(&["examples/shop/build.mjs"]);
    process::check("node examples/shop/build.mjs", command, Show::Latest, TOOL_LIMIT).map(drop)
}

/// Builds the example page in Rust, and answers where what the page loads of it is.
///
/// # Errors
/// A tool is missing, or fails.
pub(crate) fn rust_page(workspace: &Workspace) -> Result<PathBuf, Error> {
    built_rust_page(workspace, "dev", "debug", "rust-page")
}

/// The example page in Rust in `profile`, whose folder is `built`; what a page loads of it is in the folder `name`.
fn built_rust_page(workspace: &Workspace, profile: &str, built: &str, name: &str) -> Result<PathBuf, Error> {
    let provider = targets::require(targets::WASM)?;
    let target_dir = provider.target_dir(workspace);
    let bindgen = bindgen::require(workspace)?;
    let arguments = ["--package", "rust-page", "--target", targets::WASM, "--profile", profile];
    let mut command = provider.cargo(workspace, "build", Library::Std).with(&arguments);
    command.arg("--target-dir").arg(&target_dir).env("CARGO_PROFILE_WASM_OPT_LEVEL", "z");
    process::check("cargo build rust-page", command, Show::Latest, BUILD_LIMIT)?;
    let module = target_dir.join(targets::WASM).join(built).join("rust_page.wasm");

    let pkg = target_dir.join(name);
    let mut command = workspace.command(&bindgen.generator).with(&["--target", "web", "--no-typescript", "--out-dir"]);
    command.arg(&pkg).arg(&module);
    process::check("wasm-bindgen rust-page", command, Show::Latest, TOOL_LIMIT)?;
    Ok(pkg)
}

/// What a comparison with the peers needs besides.
pub(crate) const PEERS: [Need; 2] =
    [Need::Packages(Packages::OpenTelemetry2), Need::Packages(Packages::OpenTelemetry3)];

/// What measuring the page in Rust needs besides.
pub(crate) const RUST_PAGE: [Need; 1] = [Need::Bindgen];

/// What is done with the measured sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// They are held against the budget.
    Judge,
    /// And shown beside the peers.
    Compare,
    /// And become the budget.
    Bless,
}

/// Measures the package and holds it against its budget.
///
/// # Errors
/// When something is over its budget, or cannot be measured.
pub(crate) fn size(workspace: &Workspace, sizes: Sizes) -> Result<(), Error> {
    let options: &[&str] = match sizes {
        Sizes::Judge => &[],
        Sizes::Compare => &["--peers"],
        Sizes::Bless => &["--peers", "--bless"],
    };
    let mut command = workspace.command("node").with(&["wasm/size.mjs"]).with(options);
    if sizes != Sizes::Judge {
        // Too long a build for every run of the checks.
        command.arg("--rust-page").arg(built_rust_page(workspace, PROFILE, PROFILE, "rust-page-small")?);
    }
    process::check("node wasm/size.mjs", command, Show::All, TOOL_LIMIT).map(drop)
}

/// Measures spans and exports in Node.js and in Chromium, peers in the same run.
///
/// # Errors
/// When a case fails.
pub(crate) fn bench(workspace: &Workspace) -> Result<(), Error> {
    let mut command = workspace.command("node").with(&["tests/bench/web/bench.mjs"]);
    command.env("CHROME", &browser::require()?.chromium);
    process::check("node tests/bench/web/bench.mjs", command, Show::All, BUILD_LIMIT).map(drop)
}
