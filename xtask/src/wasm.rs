//! Builds the npm package: the module for the browser, its bindings, the files owned by hand, and the bytes they weigh.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bindgen;
use crate::error::Error;
use crate::process::{self, Show};
use crate::report::line;
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

/// Prints raw, gzip and brotli sizes of the files named; Node has both compressors.
const SIZES: &str = r#"
const { readFileSync } = require("node:fs");
const { basename } = require("node:path");
const { gzipSync, brotliCompressSync } = require("node:zlib");
const column = (value) => String(value).padStart(10);
const print = (name, cells) => console.log("  " + name.padEnd(28) + cells.map(column).join(""));
print("bytes", ["raw", "gzip", "brotli"]);
for (const path of process.argv.slice(1)) {
  const bytes = readFileSync(path);
  print(basename(path), [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length]);
}
"#;

/// Where the finished npm package is.
pub(crate) fn package_dir(workspace: &Workspace) -> PathBuf {
    workspace.root.join("wasm/dist")
}

/// Builds the package into `wasm/dist` and prints its sizes.
pub(crate) fn build(workspace: &Workspace) -> Result<(), Error> {
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

    let package = package_dir(workspace);
    let mut command = workspace.command("node").with(&["wasm/build.mjs"]);
    command.arg(&bindings).arg(&package);
    process::check("node wasm/build.mjs", command, Show::Latest, TOOL_LIMIT)?;
    print_sizes(workspace, &package)
}

fn remove_directory(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", directory.display()))(error))
        }
        _ => Ok(()),
    }
}

fn print_sizes(workspace: &Workspace, package: &Path) -> Result<(), Error> {
    let reading = || Error::io(format!("reading {}", workspace.relative(package)));
    let mut files = Vec::new();
    for entry in fs::read_dir(package).map_err(reading())? {
        let path = entry.map_err(reading())?.path();
        if is_shipped_code(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::Rejected(format!("wasm/build.mjs left no code in {}", workspace.relative(package))));
    }
    files.sort();
    let mut command = workspace.command("node").with(&["--eval", SIZES, "--"]);
    command.args(&files);
    let table = process::check("measuring sizes", command, Show::Latest, TOOL_LIMIT)?;
    line(table.trim_end());
    Ok(())
}

/// Whether a browser downloads this file.
fn is_shipped_code(path: &Path) -> bool {
    path.is_file()
        && path
            .extension()
            .is_some_and(|extension| ["wasm", "mjs", "js", "cjs"].iter().any(|known| extension == *known))
}

#[cfg(test)]
mod tests {
    use super::is_shipped_code;
    use std::path::Path;

    #[test]
    fn sources_are_code_and_directories_or_texts_are_not() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(!is_shipped_code(package));
        assert!(!is_shipped_code(&package.join("Cargo.toml")));
        assert!(!is_shipped_code(&package.join("absent.mjs")));
    }
}
