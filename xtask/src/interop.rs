//! `cargo xtask interop`: gets programs that others wrote, and has spans travel to and from them (`tests/interop`).
//!
//! Everything is downloaded below the target directory, and kept until another version is asked for. What cannot be got here is
//! told to the comparison, which reports it as not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::process::{self, Show};
use crate::report::{heading, line};
use crate::workspace::{With, Workspace};

/// A download or a build that hangs must not hang for ever. The OpenTelemetry Collector takes minutes.
const LIMIT: Duration = Duration::from_secs(3600);

const ROTEL: &str = "rotel==0.0.1a15";
const ZIPKIN: &str = "io.zipkin:zipkin-server:3.6.1:jar:exec";
const COLLECTOR: &str = "0.159.0";
/// The oldest Java that Zipkin runs on.
const OLDEST_JAVA: u32 = 17;

/// A program to be had, by the variables that say where it is.
struct Tool {
    name: &'static str,
    variables: &'static [&'static str],
    /// Gets it into the directory; answers the value of each variable.
    get: fn(&Workspace, &Path) -> Result<Vec<PathBuf>, Error>,
}

const TOOLS: [Tool; 5] = [
    Tool { name: "rotel", variables: &["INTEROP_ROTEL"], get: rotel },
    Tool { name: "collector", variables: &["INTEROP_COLLECTOR"], get: collector },
    Tool { name: "zipkin", variables: &["INTEROP_ZIPKIN", "INTEROP_JAVA"], get: zipkin },
    Tool { name: "js", variables: &["INTEROP_NODE", "INTEROP_NODE_MODULES"], get: javascript },
    Tool { name: "python", variables: &["INTEROP_PYTHON"], get: python },
];

/// Gets what can be got, and compares.
///
/// # Errors
/// When something differs, or nothing could be compared.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let directory = workspace.target.join("interop");
    heading("setup: programs that others wrote");
    let mut comparison = workspace.cargo("run").with(&["--quiet", "--package", "clewline-interop", "--target-dir"]);
    comparison.arg(&workspace.target).env("INTEROP_DIRECTORY", directory.join("run"));
    for Tool { name, variables, get } in &TOOLS {
        let place = directory.join(name);
        fs::create_dir_all(&place).map_err(Error::io(format!("creating {}", workspace.relative(&place))))?;
        match get(workspace, &place) {
            Ok(values) => {
                line(&format!("  {name}: ready"));
                comparison.envs(variables.iter().zip(values));
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                line(&format!("  {name}: not to be had here: {error}"));
                let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
                comparison.env(format!("{}_MISSING", variables[0]), reason);
            }
        }
    }
    heading("comparison: spans as they were recorded, and as they came back");
    let build = workspace.cargo("build").with(&["--package", "clewline", "--features", "cli", "--bin", "clewline"]);
    process::check("building clewline", build, Show::Latest, LIMIT)?;
    let binary = format!("clewline{}", std::env::consts::EXE_SUFFIX);
    comparison.env("INTEROP_CLEWLINE", workspace.target.join("debug").join(binary));
    process::check("the comparison", comparison, Show::All, LIMIT).map(drop)
}

fn rotel(workspace: &Workspace, place: &Path) -> Result<Vec<PathBuf>, Error> {
    let packages = environment(workspace, place, ROTEL, &["--pre", ROTEL])?;
    let program = packages.join("rotel").join("rotel-agent");
    // Its library of Python is the distribution's, and may not be there.
    match process::answer(&program, &["--version"]) {
        Some(_) => Ok(vec![program]),
        None => Err(Error::Rejected(format!("{} does not start", workspace.relative(&program)))),
    }
}

fn python(workspace: &Workspace, place: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = workspace.root.join("tests/interop/senders/requirements.txt");
    let wanted = fs::read_to_string(&list).map_err(Error::io("reading requirements.txt"))?;
    environment(workspace, place, &wanted, &["-r", &list.to_string_lossy()])?;
    Ok(vec![place.join("bin/python")])
}

/// A virtual environment with these packages, of which `version` tells one set from another; answers where they are.
fn environment(workspace: &Workspace, place: &Path, version: &str, packages: &[&str]) -> Result<PathBuf, Error> {
    kept(place, version, || {
        let python = need("python3")?;
        let venv = workspace.command(python).with(&["-m", "venv", "--clear"]);
        check(venv, |command| command.arg(place))?;
        check(workspace.command(place.join("bin/pip")), |command| {
            command.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages)
        })
    })?;
    let library = place.join("lib");
    let versions = fs::read_dir(&library).map_err(Error::io(format!("reading {}", workspace.relative(&library))))?;
    let packages = versions.flatten().map(|version| version.path().join("site-packages")).find(|path| path.is_dir());
    packages.ok_or_else(|| Error::Rejected(format!("there are no packages in {}", workspace.relative(&library))))
}

fn zipkin(workspace: &Workspace, place: &Path) -> Result<Vec<PathBuf>, Error> {
    let java = need("java")?;
    // `-version` answers on stderr, this on stdout: `openjdk 17.0.15 2025-04-15`.
    let version = process::answer(&java, &["--version"]).unwrap_or_default();
    let major = version.split(' ').nth(1).and_then(|version| version.split('.').next()?.parse().ok());
    if major.is_none_or(|major: u32| major < OLDEST_JAVA) {
        return Err(Error::Rejected(format!("Zipkin needs Java {OLDEST_JAVA}; here is {version:?}")));
    }
    let jar = place.join("zipkin.jar");
    kept(place, ZIPKIN, || {
        let artifact = format!("-Dartifact={ZIPKIN}");
        let maven = workspace.command(need("mvn")?).with(&["-q", "-B", "dependency:copy", &artifact]);
        let output = format!("-DoutputDirectory={}", place.display());
        check(maven, |command| command.arg(output).arg("-Dmdep.stripVersion=true"))?;
        fs::rename(place.join("zipkin-server-exec.jar"), &jar).map_err(Error::io("renaming Zipkin's file"))
    })?;
    Ok(vec![jar, java])
}

fn collector(workspace: &Workspace, place: &Path) -> Result<Vec<PathBuf>, Error> {
    kept(place, COLLECTOR, || {
        let go = need("go")?;
        let modules = place.join("modules");
        // More than a gigabyte of sources and objects is of no use afterwards.
        let in_place = |program: &Path| {
            let mut command = workspace.command(program);
            command.current_dir(place).env("GOBIN", place.join("bin")).env("GOMODCACHE", &modules);
            command.env("GOCACHE", place.join("objects")).env("GOFLAGS", "-modcacherw -buildvcs=false");
            command
        };
        let builder = format!("go.opentelemetry.io/collector/cmd/builder@v{COLLECTOR}");
        check(in_place(&go), |command| command.args(["install", &builder]))?;
        let manifest = format!(
            "dist: {{name: collector, output_path: ./built}}\n\
             receivers: [{{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v{COLLECTOR}}}]\n\
             exporters: [{{gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter v{COLLECTOR}}}]\n"
        );
        fs::write(place.join("manifest.yaml"), manifest).map_err(Error::io("writing the collector's manifest"))?;
        check(in_place(&place.join("bin/builder")), |command| command.args(["--config", "manifest.yaml"]))?;
        for directory in [modules, place.join("objects")] {
            fs::remove_dir_all(&directory)
                .map_err(Error::io(format!("removing {}", workspace.relative(&directory))))?;
        }
        Ok(())
    })?;
    Ok(vec![place.join("built/collector")])
}

fn javascript(workspace: &Workspace, place: &Path) -> Result<Vec<PathBuf>, Error> {
    let node = need("node")?;
    let list = workspace.root.join("tests/interop/senders/package.json");
    let wanted = fs::read_to_string(&list).map_err(Error::io("reading package.json"))?;
    kept(place, &wanted, || {
        fs::copy(&list, place.join("package.json")).map_err(Error::io("copying package.json"))?;
        check(workspace.command(need("npm")?), |command| {
            command.current_dir(place).args(["install", "--no-audit", "--no-fund", "--no-package-lock"])
        })
    })?;
    Ok(vec![node, place.to_owned()])
}

/// Does something once for each `version` of it: the place keeps a note of the last that succeeded.
fn kept(place: &Path, version: &str, get: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let note = place.join(".version");
    if fs::read_to_string(&note).is_ok_and(|known| known == version) {
        return Ok(());
    }
    get()?;
    fs::write(&note, version).map_err(Error::io(format!("writing {}", note.display())))
}

fn need(program: &str) -> Result<PathBuf, Error> {
    process::find(program).ok_or_else(|| Error::Rejected(format!("there is no `{program}` on the PATH")))
}

fn check(mut command: Command, add: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), Error> {
    let label = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    add(&mut command);
    process::check(&label, command, Show::Latest, LIMIT).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{Error, kept};
    use std::fs;

    #[test]
    fn what_is_there_is_got_again_for_another_version_or_after_a_failure() {
        let place = std::env::temp_dir().join(format!("clewline-interop-{}", std::process::id()));
        // An earlier process with this number may have left one.
        drop(fs::remove_dir_all(&place));
        fs::create_dir_all(&place).unwrap();
        let mut got = Vec::new();
        for (version, succeeds) in [("1", false), ("1", true), ("1", true), ("2", true), ("1", true)] {
            let result = kept(&place, version, || {
                got.push(version);
                if succeeds { Ok(()) } else { Err(Error::Rejected("no".to_owned())) }
            });
            assert_eq!(result.is_ok(), succeeds);
        }
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(got, ["1", "1", "2", "1"]);
    }
}
