//! The steps of `cargo xtask test`: what each checks, needs and runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bindgen;
use crate::browser;
use crate::core_alone;
use crate::counts::Counts;
use crate::error::Error;
use crate::firmware;
use crate::hygiene;
use crate::node::Packages;
use crate::process::{self, Show};
use crate::report::line;
use crate::setup::Need;
use crate::size;
use crate::targets::{self, Library};
use crate::wasm::{self, Sizes};
use crate::workspace::{With, Workspace};

/// A step that hangs must not hold up a build machine for hours.
const LIMIT: Duration = Duration::from_secs(5400);

/// The seconds that one file of browser tests may take.
const BROWSER_TEST_LIMIT: &str = "300";

/// The seconds that the browser's driver may take to begin.
const DRIVER_LIMIT: &str = "300";

/// How many random spans are held against the official messages.
const DIFFERENTIAL_SPANS: &str = "100000";

/// How long each fuzz target gets; as many run at once as there are processors.
const FUZZ_SECONDS: &str = "3";

/// One step.
pub(crate) struct Step {
    /// Its name on the command line and in the summary.
    pub(crate) name: &'static str,
    /// What it checks, as the end of a heading.
    pub(crate) about: &'static str,
    /// What it needs on the machine.
    pub(crate) needs: &'static [Need],
    /// Does it; tests that ran are counted whether it succeeds or not.
    pub(crate) run: fn(&mut Context<'_>) -> Result<(), Error>,
}

/// What steps share in one run.
pub(crate) struct Context<'a> {
    workspace: &'a Workspace,
    /// The tests that the current step's runners reported.
    pub(crate) counts: Counts,
    /// Whether `wasm/dist` was built in this run.
    package_is_fresh: bool,
}

impl<'a> Context<'a> {
    /// The state before the first step.
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, counts: Counts::default(), package_is_fresh: false }
    }
}

/// All steps: the quick ones first, and what produces something before what uses it.
pub(crate) const ALL: &[Step] = &[
    Step {
        name: "hygiene",
        about: "the sources follow the house rules",
        needs: &[],
        run: |context| hygiene::run(context.workspace),
    },
    Step {
        name: "fmt",
        about: "the sources are formatted",
        needs: &[Need::Components],
        run: |context| {
            let command = context.workspace.cargo("fmt").with(&["--all", "--check", "--", "-l"]);
            process::check("these files need `cargo fmt --all`: the check", command, Show::Latest, LIMIT).map(drop)
        },
    },
    Step { name: "npm", about: "the npm package builds", needs: &wasm::NEEDS, run: fresh_package },
    Step {
        name: "clippy",
        about: "no warning in any target",
        needs: &[Need::Components],
        run: |context| {
            let command = cargo(context, "clippy", &["--all-targets", "--all-features", "--", "-D", "warnings"]);
            process::check("cargo clippy", command, Show::All, LIMIT).map(drop)
        },
    },
    Step {
        name: "core-alone",
        about: "core needs neither std nor alloc",
        needs: &core_alone::NEEDS,
        run: |context| core_alone::run(context.workspace),
    },
    Step {
        name: "host-tests",
        about: "unit and integration tests on this machine",
        needs: &[],
        run: |context| {
            let command = cargo(context, "test", &["--all-features", "--tests", "--no-fail-fast"]);
            tests(context, "cargo test", command)
        },
    },
    Step {
        name: "differential",
        about: "100,000 random spans decode as they were recorded, and conformance with all its cases",
        needs: &[],
        run: |context| {
            let mut command = checked(context, &["--test", "conformance", "--", "--nocapture"]);
            command.env("CLEWLINE_SPANS", DIFFERENTIAL_SPANS);
            tests(context, "conformance with opentelemetry-proto", command)
        },
    },
    Step {
        name: "fuzz",
        about: "no parser breaks its promises on mutated seeds",
        needs: &[],
        run: |context| {
            let mut command = checked(context, &["--test", "fuzz", "--", "--nocapture"]);
            command.env("CLEWLINE_FUZZ_SECONDS", FUZZ_SECONDS);
            tests(context, "mutated seeds", command)
        },
    },
    Step {
        name: "doc-tests",
        about: "the examples in the documentation",
        needs: &[],
        run: |context| {
            let command = cargo(context, "test", &["--all-features", "--doc", "--no-fail-fast"]);
            tests(context, "cargo test --doc", command)
        },
    },
    Step {
        name: "docs",
        about: "the documentation builds without a warning, core's with each feature alone too",
        needs: &[],
        run: documentation,
    },
    Step {
        name: "firmware",
        about: "three chips in an emulator: no panic, no allocator, no span lost",
        needs: &firmware::NEEDS,
        run: firmware_tests,
    },
    Step {
        name: "size",
        about: "flash, stack and instructions on a chip are within their budget",
        needs: &firmware::NEEDS,
        run: |context| size::run(context.workspace, false),
    },
    Step {
        name: "npm-size",
        about: "the npm package weighs no more than its budget and our promise",
        needs: &wasm::NEEDS,
        run: |context| {
            if !context.package_is_fresh {
                fresh_package(context)?;
            }
            wasm::size(context.workspace, Sizes::Judge)
        },
    },
    Step { name: "js-tests", about: "the npm package in Node.js", needs: &wasm::NEEDS, run: package_tests },
    Step {
        name: "wasm-tests",
        about: "the browser's half in headless Chromium",
        needs: &[Need::WasmTarget, Need::Bindgen, Need::Browser],
        run: wasm_tests,
    },
    Step {
        name: "e2e",
        about: "one trace from the button to the server, in a real browser, and applications that use the npm package",
        needs: &[
            Need::WasmTarget,
            Need::Bindgen,
            Need::Node,
            Need::Packages(Packages::Build),
            Need::Packages(Packages::EndToEnd),
            Need::Packages(Packages::Consumers),
            Need::Browser,
        ],
        run: end_to_end,
    },
];

/// A cargo command over the whole workspace; steps use the same features, so that they share what they build.
fn cargo(context: &Context<'_>, subcommand: &str, arguments: &[&str]) -> Command {
    let mut command = context.workspace.cargo(subcommand).with(&["--workspace", "--target-dir"]);
    command.arg(&context.workspace.target);
    command.with(arguments)
}

/// A run of the crossing tests with optimisation, for those that do very much.
fn checked(context: &Context<'_>, arguments: &[&str]) -> Command {
    let package = ["--package", "clewline-tests", "--profile", "checked", "--target-dir"];
    let mut command = context.workspace.cargo("test").with(&package);
    command.arg(&context.workspace.target);
    command.with(arguments)
}

/// Runs a test runner, and fails when it fails or when it found nothing to run.
fn tests(context: &mut Context<'_>, label: &str, command: Command) -> Result<(), Error> {
    let finished = process::run(label, command, Show::All, LIMIT)?;
    let counts = Counts::in_output(&finished.output);
    context.counts += counts;
    judge_tests(label, finished.success, finished.code, counts)
}

/// A runner's word is not taken alone: one that found nothing to run reports success too.
fn judge_tests(label: &str, success: bool, code: Option<i32>, counts: Counts) -> Result<(), Error> {
    if !success {
        return Err(Error::Failed {
            what: label.to_owned(),
            code,
            // Shown already, line by line.
            output: String::new(),
        });
    }
    if counts.failed > 0 {
        return Err(Error::Rejected(format!("{label} ended well, but reported failed tests")));
    }
    if counts.passed == 0 {
        return Err(Error::Rejected(format!("{label} ran no test at all")));
    }
    Ok(())
}

fn documentation(context: &mut Context<'_>) -> Result<(), Error> {
    let build = |label: &str, mut command: Command| {
        command.env("RUSTDOCFLAGS", "-D warnings");
        process::check(label, command, Show::All, LIMIT).map(drop)
    };
    build("cargo doc", cargo(context, "doc", &["--all-features", "--no-deps"]))?;
    // A link to what another feature brings is seen in no other way.
    let manifest = context.workspace.root.join("core/Cargo.toml");
    let manifest = fs::read_to_string(&manifest).map_err(Error::io(format!("reading {}", manifest.display())))?;
    let features = features_of(&manifest);
    if features.is_empty() {
        return Err(Error::Rejected("core has no features, or they are written in another way".to_owned()));
    }
    for feature in [""].into_iter().chain(features) {
        let package = ["--package", "clewline-core", "--no-deps", "--features", feature, "--target-dir"];
        let mut command = context.workspace.cargo("doc").with(&package);
        // Of its own: the complete documentation stays where it is.
        command.arg(context.workspace.target.join("doc-of-features"));
        build(&format!("cargo doc of core with feature {feature:?} alone"), command)?;
    }
    Ok(())
}

/// The names in the `[features]` of a manifest, as cargo's own tools write it: each at the beginning of a line.
fn features_of(manifest: &str) -> Vec<&str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.starts_with([' ', '#'])).filter_map(|line| Some(line.split_once(" = ")?.0)).collect()
}

fn fresh_package(context: &mut Context<'_>) -> Result<(), Error> {
    line(wasm::build(context.workspace)?.trim_end());
    context.package_is_fresh = true;
    Ok(())
}

fn package_tests(context: &mut Context<'_>) -> Result<(), Error> {
    let directory = context.workspace.root.join("wasm");
    let files = test_scripts(&directory.join("tests/js"))?;
    if !context.package_is_fresh {
        fresh_package(context)?;
    }
    let mut command = context.workspace.command("node").with(&["--test", "--test-reporter=spec"]);
    command.current_dir(&directory).args(files);
    tests(context, "node --test", command)
}

/// The `*.test.mjs` files in a directory: older Node.js takes no pattern for them.
fn test_scripts(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io(format!("looking for tests in {}", directory.display())))? {
        let path = entry.map_err(Error::io(format!("reading {}", directory.display())))?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            scripts.push(path);
        }
    }
    if scripts.is_empty() {
        return Err(Error::Rejected(format!("{} holds no *.test.mjs", directory.display())));
    }
    scripts.sort();
    Ok(scripts)
}

fn wasm_tests(context: &mut Context<'_>) -> Result<(), Error> {
    let workspace = context.workspace;
    if !workspace.root.join("wasm/tests").is_dir() {
        return Err(Error::Rejected("there are no browser tests: wasm/tests does not exist".to_owned()));
    }
    let provider = targets::require(targets::WASM)?;
    let browser = browser::require()?;
    let bindgen = bindgen::require(workspace)?;
    let mut command = provider.cargo(workspace, "test", Library::Std).with(&[
        "--package",
        "clewline-wasm",
        "--all-features",
        "--test",
        "*",
        "--no-fail-fast",
        "--target",
        targets::WASM,
    ]);
    command.arg("--target-dir").arg(provider.target_dir(workspace));
    command
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &bindgen.test_runner)
        .env("CHROMEDRIVER", &browser.driver)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", browser::write_webdriver_file(workspace, &browser)?)
        .env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TEST_LIMIT)
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", DRIVER_LIMIT)
        // A test file that does not say where it runs means the browser, not Node.
        .env("WASM_BINDGEN_USE_BROWSER", "1")
        .env_remove("NO_HEADLESS");
    // Other drivers named in the environment would be taken first.
    for other in ["GECKODRIVER", "SAFARIDRIVER", "MSEDGEDRIVER"] {
        command.env_remove(other).env_remove(format!("{other}_REMOTE"));
    }
    tests(context, "wasm-bindgen-test in Chromium", command)
}

fn firmware_tests(context: &mut Context<'_>) -> Result<(), Error> {
    let workspace = context.workspace;
    firmware::build(workspace)?;
    let mut command =
        workspace.cargo("test").with(&["--package", "clewline-tests", "--test", "firmware", "--target-dir"]);
    command.arg(&workspace.target).env("FIRMWARE", firmware::target_dir(workspace));
    tests(context, "cargo test", command)
}

fn end_to_end(context: &mut Context<'_>) -> Result<(), Error> {
    let workspace = context.workspace;
    let directory = Packages::EndToEnd.directory(workspace);
    if !directory.join("package.json").is_file() {
        return Err(Error::Rejected("there is no end-to-end test: tests/e2e/package.json does not exist".to_owned()));
    }
    let browser = browser::require()?;
    if !context.package_is_fresh {
        fresh_package(context)?;
    }
    wasm::bundle_shop(workspace)?;
    let build = cargo(context, "build", &["--all-features", "--bins", "--examples"]);
    process::check("building the servers", build, Show::Latest, LIMIT)?;

    let rust_page = wasm::rust_page(workspace)?;

    let debug = workspace.target.join("debug");
    let exe = std::env::consts::EXE_SUFFIX;
    let mut command = workspace.command("node").with(&["--test", "--test-reporter=spec"]);
    command
        .current_dir(&directory)
        .env("CLEWLINE_BIN", debug.join(format!("clewline{exe}")))
        .env("SHOP_BIN", debug.join("examples").join(format!("shop{exe}")))
        .env("RUST_PAGE", rust_page)
        .env("CHROME", &browser.chromium)
        .env("CHROMEDRIVER", &browser.driver)
        // Screenshots and other things to look at afterwards.
        .env("ARTIFACTS_DIR", workspace.target.join("e2e"));
    tests(context, "node --test", command)
}

#[cfg(test)]
mod tests {
    use super::{ALL, features_of, judge_tests};
    use crate::counts::Counts;
    use crate::error::Error;

    #[test]
    fn step_names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn features_are_the_names_in_their_table() {
        let manifest =
            "[package]\nname = \"a\"\n[features]\n# b = c\none = []\ntwo = [\n    \"dep:x = y\",\n]\n[lints]\nd = 1\n";
        assert_eq!(features_of(manifest), ["one", "two"]);
        assert_eq!(features_of("[package]\nname = \"a\"\n"), Vec::<&str>::new());
    }

    #[test]
    fn a_runner_without_tests_or_with_failures_fails_the_step() {
        let judge = |success, passed, failed| judge_tests("runner", success, Some(1), Counts { passed, failed });
        assert!(judge(true, 2, 0).is_ok());
        assert!(matches!(judge(true, 0, 0), Err(Error::Rejected(_))));
        assert!(matches!(judge(true, 2, 1), Err(Error::Rejected(_))));
        assert!(matches!(judge(false, 2, 0), Err(Error::Failed { .. })));
    }
}
