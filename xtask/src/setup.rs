//! Finds or installs what the other tasks need, saying in one line each what was found, done and how long it took.

use std::time::Instant;

use crate::bindgen;
use crate::browser;
use crate::error::Error;
use crate::firmware;
use crate::node::{self, Packages};
use crate::process;
use crate::report::{line, seconds};
use crate::targets;
use crate::workspace::Workspace;

/// Something a task needs on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// rustfmt and clippy.
    Components,
    /// `core` for the chips and the browser.
    CoreTargets,
    /// `std` for the browser.
    WasmTarget,
    /// wasm-bindgen's tools.
    Bindgen,
    /// Node.js and npm.
    Node,
    /// npm packages.
    Packages(Packages),
    /// Chromium and its driver.
    Browser,
    /// QEMU for the chips.
    Emulators,
}

impl Need {
    /// Everything that the tests need, in the order of installation.
    pub(crate) const ALL: [Self; 10] = [
        Self::Components,
        Self::CoreTargets,
        Self::WasmTarget,
        Self::Bindgen,
        Self::Node,
        Self::Packages(Packages::Build),
        Self::Packages(Packages::EndToEnd),
        Self::Packages(Packages::Consumers),
        Self::Browser,
        Self::Emulators,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Components => "rustfmt and clippy",
            Self::CoreTargets => "targets for core alone",
            Self::WasmTarget => "target wasm32",
            Self::Bindgen => "wasm-bindgen-cli",
            Self::Node => "Node.js and npm",
            Self::Packages(Packages::Build) => "npm packages (wasm)",
            Self::Packages(Packages::EndToEnd) => "npm packages (e2e)",
            Self::Packages(Packages::Consumers) => "bundlers, compilers",
            Self::Packages(Packages::OpenTelemetry2) => "OpenTelemetry-JS 2",
            Self::Packages(Packages::OpenTelemetry3) => "OpenTelemetry-JS 3",
            Self::Browser => "Chromium and driver",
            Self::Emulators => "QEMU",
        }
    }

    /// What is there, in a few words; `None` when something is missing.
    fn find(self, workspace: &Workspace) -> Result<Option<String>, Error> {
        Ok(match self {
            Self::Components => {
                let both = ["cargo-fmt", "cargo-clippy"].into_iter().all(|program| process::find(program).is_some());
                both.then(|| "there".to_owned())
            }
            Self::CoreTargets => targets::find(workspace, &targets::CORE_ALONE).map(|providers| describe(&providers)),
            Self::WasmTarget => targets::find(workspace, &[targets::WASM]).map(|providers| describe(&providers)),
            Self::Bindgen => bindgen::find(workspace)?.map(|found| found.version),
            Self::Node => node::find().ok(),
            Self::Packages(packages) => packages.are_ready(workspace)?.then(|| "as package-lock.json says".to_owned()),
            Self::Emulators => firmware::find_emulators(),
            Self::Browser => browser::find().ok().map(|found| found.chromium.display().to_string()),
        })
    }

    fn install(self, workspace: &Workspace) -> Result<(), Error> {
        match self {
            Self::Components => Err(Error::Missing {
                what: self.name().to_owned(),
                reason: "cargo-fmt or cargo-clippy is not on the PATH".to_owned(),
                command: "rustup component add rustfmt clippy".to_owned(),
            }),
            Self::CoreTargets => targets::install(workspace, &targets::CORE_ALONE),
            Self::WasmTarget => targets::install(workspace, &[targets::WASM]),
            Self::Bindgen => bindgen::install(workspace),
            Self::Node => node::install(),
            Self::Packages(packages) => packages.install(workspace),
            Self::Browser => browser::install(),
            Self::Emulators => firmware::install_emulators(),
        }
    }
}

fn describe(providers: &[targets::Provider]) -> String {
    let how: Vec<_> = providers.iter().map(targets::Provider::describe).collect();
    how.join("; ")
}

/// The needs that could not be met, each with its message.
#[derive(Default)]
pub(crate) struct Unmet(Vec<(Need, Error)>);

impl Unmet {
    /// The first of `needs` that is not met.
    pub(crate) fn among(&self, needs: &[Need]) -> Option<&Error> {
        self.0.iter().find(|(need, _)| needs.contains(need)).map(|(_, error)| error)
    }

    /// All messages as one error, or success.
    pub(crate) fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let messages: Vec<_> = self.0.iter().map(|(_, error)| error.to_string()).collect();
        Err(Error::Rejected(format!("not set up yet:\n{}", messages.join("\n"))))
    }
}

/// Meets each need, going on where one cannot be met.
///
/// # Errors
/// When the user pressed Ctrl-C.
pub(crate) fn ensure(workspace: &Workspace, needs: &[Need]) -> Result<Unmet, Error> {
    let started = Instant::now();
    let mut unmet = Unmet::default();
    for &need in needs {
        let began = Instant::now();
        let name = need.name();
        let outcome = need.find(workspace).and_then(|found| match found {
            Some(what) => Ok(("ready", what)),
            None => {
                line(&format!("  install  {name} …"));
                need.install(workspace)?;
                match need.find(workspace)? {
                    Some(what) => Ok(("done", what)),
                    None => Err(Error::Rejected(format!("{name}: installed, but still not found"))),
                }
            }
        });
        let time = seconds(began.elapsed());
        match outcome {
            Ok((state, what)) => line(&format!("  {state:<8} {name}: {what} ({time})")),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                line(&format!("  missing  {name} ({time})\n           {error}"));
                unmet.0.push((need, error));
            }
        }
    }
    let state = if unmet.0.is_empty() { "complete" } else { "incomplete" };
    line(&format!("  set-up is {state} ({})", seconds(started.elapsed())));
    Ok(unmet)
}
