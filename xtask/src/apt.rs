//! Installs packages of a Debian-like distribution, when this user may.

use std::process::Command;
use std::time::Duration;

use crate::download;
use crate::error::Error;
use crate::process::{self, Show};
use crate::workspace::With;

/// Downloads of a browser are large and lines can be slow.
const LIMIT: Duration = Duration::from_secs(3600);

/// A mirror that fails once is asked again, and a fresh machine's own upgrades are waited for.
const PATIENCE: [&str; 4] = ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=600"];

/// The command a person would type.
pub(crate) fn command_line(packages: &[&str]) -> String {
    format!("sudo apt-get update && sudo apt-get install -y {}", packages.join(" "))
}

/// The command for the package manager of this machine, given the names that each manager has for the same thing.
pub(crate) fn manual_command(apt: &[&str], dnf: &str, pacman: &str, brew: &str) -> String {
    let has = |manager: &str| process::find(manager).is_some();
    if cfg!(target_os = "macos") {
        format!("brew install {brew}")
    } else if !exists() && has("dnf") {
        format!("sudo dnf install {dnf}")
    } else if !exists() && has("pacman") {
        format!("sudo pacman -S {pacman}")
    } else {
        command_line(apt)
    }
}

/// Whether this machine has apt at all.
pub(crate) fn exists() -> bool {
    process::find("apt-get").is_some()
}

/// Installs the packages.
///
/// # Errors
/// A sentence why not: no apt, not allowed, or apt's own words.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    if !exists() {
        return Err("this system has no apt-get".to_owned());
    }
    let Some(prefix) = privilege() else {
        return Err("installing packages needs root (or sudo without a password)".to_owned());
    };
    let label = format!("apt-get install {}", packages.join(" "));
    let install = || apt(prefix).with(&["install", "-y", "--no-install-recommends"]).with(packages);
    match process::check(&label, install(), Show::Latest, LIMIT) {
        Ok(_) => Ok(()),
        Err(Error::Interrupted) => Err(Error::Interrupted.to_string()),
        // A fresh machine or container has no package lists yet, or stale ones.
        Err(_) => download::check("apt-get update", LIMIT, || apt(prefix).with(&["update"]))
            .and_then(|_| {
                let is_offered = |output: &str| !output.contains("Unable to locate package");
                download::check_if(&label, LIMIT, is_offered, install)
            })
            .map(drop)
            .map_err(|error| error.to_string()),
    }
}

/// What comes before `apt-get`: nothing for root, `sudo -n` where that works, `None` where neither does.
fn privilege() -> Option<&'static [&'static str]> {
    if process::answer("id", &["-u"])? == "0" {
        Some(&[])
    } else if process::answer("sudo", &["-n", "true"]).is_some() {
        Some(&["sudo", "-n"])
    } else {
        None
    }
}

fn apt(prefix: &[&str]) -> Command {
    let mut words = prefix.iter().copied().chain(["apt-get"]);
    let mut command = Command::new(words.next().unwrap_or("apt-get"));
    command.args(words).args(PATIENCE).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::{apt, command_line};

    #[test]
    fn sudo_stands_before_apt_get() {
        let command = apt(&["sudo", "-n"]);
        assert_eq!(command.get_program(), "sudo");
        assert!(command.get_args().take(2).eq(["-n", "apt-get"]));
        assert_eq!(apt(&[]).get_program(), "apt-get");
    }

    #[test]
    fn the_command_to_type_is_complete() {
        assert_eq!(
            command_line(&["chromium", "chromium-driver"]),
            "sudo apt-get update && sudo apt-get install -y chromium chromium-driver"
        );
    }
}
