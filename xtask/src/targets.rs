//! Provides `core` or `std` for targets other than the host: installed, by rustup, or built from the distribution's sources.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::apt;
use crate::error::Error;
use crate::process::{self, Show};
use crate::report::line;
use crate::workspace::{With, Workspace};

/// The browser's target.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The targets that core alone must build for; none of them has an allocator or std that core could lean on.
pub(crate) const CORE_ALONE: [&str; 4] =
    ["thumbv6m-none-eabi", "thumbv7em-none-eabihf", "riscv32imc-unknown-none-elf", WASM];

/// Debian's and Ubuntu's current toolchain with the sources of the standard library.
const SYSTEM_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// Where those packages put their programs.
const SYSTEM_PROGRAMS: &str = "/usr/bin";
/// `rustup target add` fetches some 30 MB; on a machine that cannot reach its server it must not hang.
const RUSTUP_LIMIT: Duration = Duration::from_secs(600);

/// How a target gets its standard library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// The toolchain in use has it.
    Installed,
    /// Another toolchain on this machine has its sources, and builds it along (`-Zbuild-std`).
    FromSource(SourceToolchain),
}

/// A toolchain with the sources of the standard library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceToolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    version: String,
}

/// Which part of the standard library a build needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// `core`, and neither `alloc` nor `std`.
    Core,
    /// All of it, panics abort.
    Std,
}

impl Provider {
    /// How this provider does it, for a person.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Installed => "installed in the Rust toolchain".to_owned(),
            Self::FromSource(toolchain) => {
                format!("built from source by {} ({})", toolchain.rustc.display(), toolchain.version)
            }
        }
    }

    /// Where builds by this provider go; two toolchains in one directory would wait for and undo each other.
    pub(crate) fn target_dir(&self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Installed => workspace.target.clone(),
            Self::FromSource(_) => workspace.target.join("web"),
        }
    }

    /// A cargo command that builds for a target of this provider; the caller adds `--target` and `--target-dir`.
    pub(crate) fn cargo(&self, workspace: &Workspace, subcommand: &str, library: Library) -> Command {
        let toolchain = match self {
            Self::Installed => return workspace.cargo(subcommand),
            Self::FromSource(toolchain) => toolchain,
        };
        let mut command = workspace.command(&toolchain.cargo).with(&[
            subcommand,
            match library {
                Library::Core => "-Zbuild-std=core",
                Library::Std => "-Zbuild-std=std,panic_abort",
            },
        ]);
        command
            .env("RUSTC", &toolchain.rustc)
            // -Zbuild-std is unstable; this lets a release toolchain build its own standard library.
            .env("RUSTC_BOOTSTRAP", "1")
            // Set by the cargo that runs this task, for its own toolchain's libraries.
            .env_remove("LD_LIBRARY_PATH");
        // The distribution's toolchain comes without a linker for WebAssembly.
        if let Some(linker) = wasm_linker() {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }
}

/// The provider of one target on this machine as it is; `None` when something must be installed first.
pub(crate) fn provider(target: &str) -> Option<Provider> {
    if is_installed(target) {
        return Some(Provider::Installed);
    }
    let toolchain = system_toolchain()?;
    (target != WASM || wasm_linker().is_some()).then(|| Provider::FromSource(toolchain.clone()))
}

/// The provider of one target, or the error that tells how to get one.
pub(crate) fn require(target: &'static str) -> Result<Provider, Error> {
    provider(target).ok_or_else(|| missing(&[target], "neither the toolchain nor the system provides it"))
}

/// How the given targets are provided; `None` when something is missing, or rustup has a better way that was not tried.
///
/// A target from rustup spares each first build half a minute of compiling the standard library.
pub(crate) fn find(workspace: &Workspace, targets: &[&'static str]) -> Option<Vec<Provider>> {
    let mut providers: Vec<Provider> = targets.iter().map(|target| provider(target)).collect::<Option<_>>()?;
    let all_installed = providers.iter().all(|provider| *provider == Provider::Installed);
    if !all_installed && process::find("rustup").is_some() && !rustup_has_failed(workspace) {
        return None;
    }
    providers.dedup();
    Some(providers)
}

/// Installs what the given targets lack: by rustup, else by the distribution's packages.
///
/// # Errors
/// With the command to type when neither way works here.
pub(crate) fn install(workspace: &Workspace, targets: &[&'static str]) -> Result<(), Error> {
    let lacking: Vec<_> = targets.iter().copied().filter(|target| !is_installed(target)).collect();
    let rustup_said = match rustup_target_add(workspace, &lacking) {
        Ok(()) => return Ok(()),
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => error.to_string(),
    };
    note_failure_of_rustup(workspace, &rustup_said)?;
    let rustup_said = first_line(&rustup_said);
    line(&format!("           {rustup_said}; trying the distribution's toolchain"));
    if lacking.iter().all(|target| provider(target).is_some()) {
        return Ok(());
    }
    let mut packages = SYSTEM_PACKAGES.to_vec();
    if lacking.contains(&WASM) && wasm_linker().is_none() {
        packages.push("lld");
    }
    apt::install(&packages).map_err(|apt_said| {
        let reason = format!("{rustup_said}; packages: {}", first_line(&apt_said));
        missing(&lacking, &reason)
    })
}

/// Where a failure of rustup is kept, so that not every run waits for the same answer.
fn failure_of_rustup(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/rustup-target-add-failed")
}

fn rustup_has_failed(workspace: &Workspace) -> bool {
    // Noted with the toolchain: a new one gets a new chance.
    fs::read_to_string(failure_of_rustup(workspace))
        .is_ok_and(|note| active().is_some_and(|active| note.starts_with(&active.commit)))
}

fn note_failure_of_rustup(workspace: &Workspace, said: &str) -> Result<(), Error> {
    let path = failure_of_rustup(workspace);
    let commit = active().map_or("", |active| active.commit.as_str());
    let directory = path.parent().unwrap_or(&workspace.target);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&path, format!("{commit}\n{said}\n")))
        .map_err(Error::io(format!("writing {}", path.display())))
}

fn rustup_target_add(workspace: &Workspace, targets: &[&str]) -> Result<(), Error> {
    if process::find("rustup").is_none() {
        return Err(Error::Rejected("there is no rustup".to_owned()));
    }
    let command = workspace.command("rustup").with(&["target", "add"]).with(targets);
    process::check("rustup target add", command, Show::Latest, RUSTUP_LIMIT)?;
    match targets.iter().find(|target| !is_installed(target)) {
        None => Ok(()),
        // For example a system rustc stands before rustup's on the PATH.
        Some(target) => Err(Error::Rejected(format!("the rustc in use still lacks {target}"))),
    }
}

fn missing(targets: &[&str], reason: &str) -> Error {
    let command = if process::find("rustup").is_some() || !apt::exists() {
        format!("rustup target add {}", targets.join(" "))
    } else {
        apt::command_line(&SYSTEM_PACKAGES)
    };
    Error::Missing {
        what: format!("the standard library for {}", targets.join(", ")),
        reason: reason.to_owned(),
        command,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Facts about the toolchain in use, asked once: its sysroot, host triple and commit.
pub(crate) struct Active {
    pub(crate) sysroot: PathBuf,
    pub(crate) host: String,
    pub(crate) commit: String,
}

/// The toolchain in use, if there is a `rustc` at all.
pub(crate) fn active() -> Option<&'static Active> {
    static ACTIVE: OnceLock<Option<Active>> = OnceLock::new();
    ACTIVE
        .get_or_init(|| {
            let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
            let (host, commit) = parse_version(&process::answer(&rustc, &["-vV"])?)?;
            let sysroot = process::answer(&rustc, &["--print", "sysroot"])?.into();
            Some(Active { sysroot, host, commit })
        })
        .as_ref()
}

/// Host triple and commit from what `rustc -vV` prints.
fn parse_version(text: &str) -> Option<(String, String)> {
    let field = |name: &str| text.lines().find_map(|text| text.strip_prefix(name)).map(str::to_owned);
    Some((field("host: ")?, field("commit-hash: ")?))
}

/// Where a toolchain keeps the compiled standard library of a target.
pub(crate) fn library_dir(sysroot: &Path, target: &str) -> PathBuf {
    sysroot.join("lib/rustlib").join(target).join("lib")
}

fn is_installed(target: &str) -> bool {
    // WebAssembly needs std, the chips have core only.
    let library = if target == WASM { "libstd-" } else { "libcore-" };
    active().is_some_and(|active| holds(&library_dir(&active.sysroot, target), library))
}

fn holds(directory: &Path, prefix: &str) -> bool {
    fs::read_dir(directory)
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(prefix)))
}

/// The distribution's toolchain, when it has the library's sources and is new enough for this workspace.
fn system_toolchain() -> Option<&'static SourceToolchain> {
    /// Kept once found; looked for again after an installation.
    static FOUND: OnceLock<SourceToolchain> = OnceLock::new();
    if FOUND.get().is_none() {
        let found = look_for_system_toolchain()?;
        return Some(FOUND.get_or_init(|| found));
    }
    FOUND.get()
}

fn look_for_system_toolchain() -> Option<SourceToolchain> {
    let programs = Path::new(SYSTEM_PROGRAMS);
    let (cargo, rustc) = (programs.join("cargo"), programs.join("rustc"));
    if !cargo.is_file() || !rustc.is_file() {
        return None;
    }
    let version = process::answer(&rustc, &["-V"])?;
    let version = version.strip_prefix("rustc ")?.split(' ').next()?.to_owned();
    let sysroot = PathBuf::from(process::answer(&rustc, &["--print", "sysroot"])?);
    let sources = sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml");
    let new_enough = minor(&version)? >= minor(env!("CARGO_PKG_RUST_VERSION"))?;
    (new_enough && sources.is_file()).then_some(SourceToolchain { cargo, rustc, version })
}

/// The `95` of `1.95.0`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

/// LLVM's linker for targets that have none of their own.
pub(crate) fn linker() -> Option<PathBuf> {
    wasm_linker()
}

fn wasm_linker() -> Option<PathBuf> {
    let shipped = active().map(|active| {
        active
            .sysroot
            .join("lib/rustlib")
            .join(&active.host)
            .join("bin")
            .join(format!("rust-lld{}", env::consts::EXE_SUFFIX))
    });
    shipped.filter(|linker| linker.is_file()).or_else(|| process::find("rust-lld")).or_else(|| process::find("wasm-ld"))
}

#[cfg(test)]
mod tests {
    use super::{active, library_dir, minor, parse_version};

    #[test]
    fn host_and_commit_are_read_from_the_verbose_version() {
        let text = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\ncommit-hash: 5980\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0";
        let expected = ("x86_64-unknown-linux-gnu".to_owned(), "5980".to_owned());
        assert_eq!(parse_version(text), Some(expected));
        assert_eq!(parse_version("rustc 1.95.0"), None);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(minor("1.100.0") > minor("1.95"));
        assert_eq!(minor("1.63.0"), Some(63));
        assert_eq!(minor("nightly"), None);
    }

    #[test]
    fn the_toolchain_that_runs_this_test_has_its_own_library() {
        let active = active().unwrap();
        let directory = library_dir(&active.sysroot, &active.host);
        assert!(super::holds(&directory, "libcore-"), "{}", directory.display());
    }
}
