//! Node.js for the npm package's build and the tests, and the npm packages that those need.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::apt;
use crate::download;
use crate::error::Error;
use crate::process;
use crate::workspace::{With, Workspace};

/// The oldest Node.js whose test runner and `fetch` are stable.
pub(crate) const OLDEST_MAJOR: u32 = 20;

/// A slow registry must not block for ever.
const LIMIT: Duration = Duration::from_secs(3600);

/// The version of a usable Node.js, or why there is none.
pub(crate) fn find() -> Result<String, String> {
    let Some(version) = process::answer("node", &["--version"]) else {
        return Err("there is no `node` on the PATH".to_owned());
    };
    if process::find("npm").is_none() {
        return Err(format!("there is Node.js {version}, but no `npm` on the PATH"));
    }
    match major(&version) {
        Some(major) if major >= OLDEST_MAJOR => Ok(version),
        _ => Err(format!("Node.js {version} is older than {OLDEST_MAJOR}")),
    }
}

/// Installs the distribution's Node.js where that is new enough.
pub(crate) fn install() -> Result<(), Error> {
    let found = find().err().unwrap_or_default();
    let offered = process::answer("apt-cache", &["policy", "nodejs"]).and_then(|policy| candidate_major(&policy));
    let reason = match offered {
        Some(major) if major < OLDEST_MAJOR => {
            format!("{found}, and this distribution offers {major} only")
        }
        // Unknown before the first `apt-get update`: try, and look at what came.
        _ => match apt::install(&["nodejs", "npm"]) {
            Ok(()) => match find() {
                Ok(_) => return Ok(()),
                Err(why) => why,
            },
            Err(why) => format!("{found}; {why}"),
        },
    };
    Err(Error::Missing {
        what: format!("Node.js {OLDEST_MAJOR} or newer with npm"),
        reason,
        command: if process::find("npm").is_some() {
            "sudo npm install --global n && sudo n lts".to_owned()
        } else if apt::exists() {
            format!("{} && sudo npm install --global n && sudo n lts", apt::command_line(&["npm"]))
        } else {
            apt::manual_command(&["nodejs", "npm"], "nodejs npm", "nodejs npm", "node")
        },
    })
}

fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

/// The major version in the `Candidate:` line of `apt-cache policy`.
fn candidate_major(policy: &str) -> Option<u32> {
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    // Debian versions may begin with an epoch, `1:18.19.0`.
    major(candidate.rsplit(':').next()?)
}

/// A directory with a `package.json` and its lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packages {
    /// What builds the npm package.
    Build,
    /// What the end-to-end test needs.
    EndToEnd,
    /// The bundlers and compilers with which applications take the npm package.
    Consumers,
    /// OpenTelemetry-JS 2, to be measured beside us.
    OpenTelemetry2,
    /// OpenTelemetry-JS 3, to be measured beside us.
    OpenTelemetry3,
}

impl Packages {
    /// Where it is.
    pub(crate) fn directory(self, workspace: &Workspace) -> PathBuf {
        workspace.root.join(self.path())
    }

    /// Where it is, from the root.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Build => "wasm",
            Self::EndToEnd => "tests/e2e",
            Self::Consumers => "tests/e2e/consumers",
            Self::OpenTelemetry2 => "tests/bench/web/opentelemetry-2",
            Self::OpenTelemetry3 => "tests/bench/web/opentelemetry-3",
        }
    }

    /// Whether the packages are installed as the lock file says.
    pub(crate) fn are_ready(self, workspace: &Workspace) -> Result<bool, Error> {
        let lock = self.directory(workspace).join("package-lock.json");
        let wanted = fs::read(&lock).map_err(Error::io(format!("reading {}", workspace.relative(&lock))))?;
        Ok(fs::read(self.installed_mark(workspace)).is_ok_and(|installed| installed == wanted))
    }

    /// Installs the packages with `npm ci`.
    pub(crate) fn install(self, workspace: &Workspace) -> Result<(), Error> {
        let directory = self.directory(workspace);
        let command = || {
            let mut command = workspace.command("npm").with(&["ci", "--no-audit", "--no-fund", "--no-progress"]);
            command
                .current_dir(&directory)
                // The browser is the system's, see `browser.rs`.
                .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
                .env("PUPPETEER_SKIP_DOWNLOAD", "1");
            command
        };
        download::check("npm ci", LIMIT, command).map_err(|error| match error {
            Error::Interrupted => Error::Interrupted,
            other => Error::Missing {
                what: format!("the npm packages of {}", self.path()),
                reason: other.to_string(),
                command: format!("(cd {} && npm ci)", directory.display()),
            },
        })?;
        let mark = self.installed_mark(workspace);
        fs::create_dir_all(directory.join("node_modules"))
            .and_then(|()| fs::copy(directory.join("package-lock.json"), &mark))
            .map(drop)
            .map_err(Error::io(format!("writing {}", workspace.relative(&mark))))
    }

    /// A copy of the lock file that `npm ci` last succeeded with.
    fn installed_mark(self, workspace: &Workspace) -> PathBuf {
        self.directory(workspace).join("node_modules/.installed-package-lock.json")
    }
}

#[cfg(test)]
mod tests {
    use super::{candidate_major, major};

    #[test]
    fn the_major_version_is_a_number() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v9.1.0"), Some(9));
        assert_eq!(major("unknown"), None);
    }

    #[test]
    fn the_candidate_of_apt_is_read_with_and_without_epoch() {
        let policy = "nodejs:\n  Installed: (none)\n  Candidate: 18.19.0+dfsg-6~deb12u2\n";
        assert_eq!(candidate_major(policy), Some(18));
        assert_eq!(candidate_major("nodejs:\n  Candidate: 1:22.4.1-1\n"), Some(22));
        assert_eq!(candidate_major("nodejs:\n  Candidate: (none)\n"), None);
    }
}
