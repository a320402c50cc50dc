//! Resource detection: what can be found out about host, process and container (`resource/sdk.md`, "Detecting resource
//! information from the environment"; semantic conventions, "Resource").

mod container;
mod host;
mod instance;
mod process;

use std::path::Path;

use super::ResourceValue;
use crate::config::names::named;

pub(super) use process::executable_name;

named! {
    /// Something that finds out attributes of the resource.
    pub enum Detector {
        /// `host.name`, `host.arch`, and outside of containers `host.id`, which systemd and others keep in `/etc/machine-id`.
        Host = "host",
        /// `os.type`, and where there is `/etc/os-release`, `os.name`, `os.version` and `os.description`.
        Os = "os",
        /// `process.pid`, the executable's name and path, the command without its arguments, and the compiler as runtime.
        Process = "process",
        /// `process.command_args`, which may hold secrets: only on request.
        ProcessArguments = "process_arguments",
        /// `service.instance.id`, random for each process.
        Service = "service",
        /// `container.id` on Linux, from control groups or mounts.
        Container = "container",
    }
}

/// An attribute that was found out.
pub(super) type Detected = (&'static str, ResourceValue);

impl Detector {
    /// Those that work unless told otherwise: all but [`ProcessArguments`](Self::ProcessArguments).
    pub(crate) const DEFAULT: [Self; 5] = [Self::Host, Self::Os, Self::Process, Self::Service, Self::Container];

    /// Reads a list of names, of which `none` stands alone and `all` is [`DEFAULT`](Self::DEFAULT).
    pub(crate) fn list(list: &str, remarks: &mut Vec<String>) -> Result<Vec<Self>, String> {
        if list.trim().eq_ignore_ascii_case("all") {
            return Ok(Self::DEFAULT.to_vec());
        }
        crate::config::names::list(list, Self::read, remarks)
    }

    /// Finds out what there is. What cannot be found out is left out.
    pub(super) fn detect(self) -> Vec<Detected> {
        match self {
            Self::Host => host::host(Path::new("/")),
            Self::Os => host::os(Path::new("/")),
            Self::Process => process::process(),
            Self::ProcessArguments => process::arguments(),
            Self::Service => instance::instance(),
            Self::Container => {
                container::id(Path::new("/")).map(|id| ("container.id", id.into())).into_iter().collect()
            }
        }
    }
}

/// The text of a small file of the system, such as those under `/proc`; `None` if there is none.
fn text(root: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(root.join(path)).ok()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Detector;

    /// A root directory of a test, gone when dropped.
    pub(super) struct Root(PathBuf);

    impl Root {
        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    pub(super) fn root(name: &str, files: &[(&str, &str)]) -> Root {
        let root = std::env::temp_dir().join(format!("clewline-detect-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a directory for the test");
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a path has a parent")).expect("a directory for the test");
            std::fs::write(path, text).expect("a file for the test");
        }
        Root(root)
    }

    #[test]
    fn no_detector_shows_the_arguments_unless_asked_to() {
        let keys = |detectors: &[Detector]| -> Vec<&str> {
            detectors.iter().flat_map(|detector| detector.detect()).map(|(key, _)| key).collect()
        };
        let usual = keys(&Detector::DEFAULT);
        for key in ["host.arch", "os.type", "process.pid", "process.executable.name", "service.instance.id"] {
            assert!(usual.contains(&key), "{key} is among {usual:?}");
        }
        assert!(!usual.contains(&"process.command_args"));
        assert_eq!(keys(&[Detector::ProcessArguments]), ["process.command_args"]);
    }

    #[test]
    fn lists_of_detectors() {
        let read = |list| Detector::list(list, &mut Vec::new());
        assert_eq!(read("all"), Ok(Detector::DEFAULT.to_vec()));
        assert_eq!(read("none"), Ok(Vec::new()));
        assert_eq!(read("Process, host,process"), Ok(vec![Detector::Process, Detector::Host]));
        assert!(read("gpu").is_err());
    }
}
