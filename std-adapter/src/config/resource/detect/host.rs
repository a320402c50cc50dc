//! The host and its operating system (semantic conventions, "Host", "Operating System").

use std::path::Path;

use super::{Detected, container, text};

pub(super) fn host(root: &Path) -> Vec<Detected> {
    let mut detected: Vec<Detected> = vec![("host.arch", arch(std::env::consts::ARCH).into())];
    detected.extend(name(root).map(|name| ("host.name", name.into())));
    // An image brings the same machine id to every container that is made of it.
    if container::id(root).is_none() {
        detected.extend(id(root).map(|id| ("host.id", id.into())));
    }
    detected
}

/// The architecture as the semantic conventions call it; others by Rust's name.
fn arch(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        name => name,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn name(root: &Path) -> Option<String> {
    let name = text(root, "proc/sys/kernel/hostname").or_else(|| text(root, "etc/hostname"))?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(all(any(unix, windows), not(any(target_os = "linux", target_os = "android"))))]
fn name(_: &Path) -> Option<String> {
    Some(gethostname::gethostname().to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

#[cfg(not(any(unix, windows)))]
fn name(_: &Path) -> Option<String> {
    None
}

/// Where Linux and the BSDs keep an id that stays the same from one start to the next.
fn id(root: &Path) -> Option<String> {
    let files = ["etc/machine-id", "var/lib/dbus/machine-id", "etc/hostid"];
    let mut ids = files.into_iter().filter_map(|file| Some(text(root, file)?.trim().to_owned()));
    // systemd writes "uninitialized" while an image is being made.
    ids.find(|id| !id.is_empty() && id != "uninitialized")
}

pub(super) fn os(root: &Path) -> Vec<Detected> {
    let mut detected: Vec<Detected> = vec![("os.type", os_type(std::env::consts::OS).into())];
    let release = text(root, "etc/os-release").or_else(|| text(root, "usr/lib/os-release")).unwrap_or_default();
    let fields = [("NAME", "os.name"), ("VERSION_ID", "os.version"), ("PRETTY_NAME", "os.description")];
    for (field, key) in fields {
        let line = release.lines().find_map(|line| line.trim().strip_prefix(field)?.strip_prefix('='));
        let value = line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned());
        detected.extend(value.filter(|value| !value.is_empty()).map(|value| (key, value.into())));
    }
    detected
}

/// The operating system as the semantic conventions call it; others by Rust's name.
fn os_type(name: &str) -> &str {
    match name {
        "macos" | "ios" => "darwin",
        "dragonfly" => "dragonflybsd",
        "android" => "linux",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{arch, host, os, os_type};
    use crate::config::resource::detect::tests::root;

    #[test]
    fn names_are_those_of_the_semantic_conventions() {
        assert_eq!(["x86_64", "aarch64", "arm", "s390x", "x86"].map(arch), ["amd64", "arm64", "arm32", "s390x", "x86"]);
        assert_eq!(["macos", "dragonfly", "linux"].map(os_type), ["darwin", "dragonflybsd", "linux"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_files_of_a_linux_host_are_read() {
        let release =
            "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME='Debian GNU/Linux'\n#\nVERSION_ID=13\nID=debian\n";
        let files = [
            ("proc/sys/kernel/hostname", "web-1\n"),
            ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ("etc/os-release", release),
        ];
        let root = root("host", &files);
        let shown = |detected: Vec<(&str, crate::config::ResourceValue)>| {
            detected.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
        };
        let host_shown = shown(host(root.path()));
        assert_eq!(host_shown[1..], ["host.name=web-1", "host.id=0123456789abcdef0123456789abcdef"]);
        let names = [
            "os.type=linux",
            "os.name=Debian GNU/Linux",
            "os.version=13",
            "os.description=Debian GNU/Linux 13 (trixie)",
        ];
        assert_eq!(shown(os(root.path())), names);
        assert_eq!(shown(os(std::path::Path::new("/absent"))), ["os.type=linux"]);
        assert_eq!(host(std::path::Path::new("/absent")).len(), 1, "the architecture is always known");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn in_a_container_the_machine_id_is_not_the_host_s() {
        let id = "a".repeat(64);
        let cgroup = format!("0::/system.slice/docker-{id}.scope\n");
        let root = root("in-container", &[("etc/machine-id", "0123"), ("proc/self/cgroup", &cgroup)]);
        assert!(host(root.path()).iter().all(|(key, _)| *key != "host.id"));
    }
}
