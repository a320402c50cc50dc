//! Reads a configuration twice: in this process from given variables, and by `clewline config` from a real environment.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use clewline::TracingConfig;
use serde_json::Value;

/// One row of a table: variables, and what they lead to.
pub(crate) struct Row {
    variables: Vec<(&'static str, &'static str)>,
    expected: Vec<(&'static str, Value)>,
    warnings: Vec<&'static str>,
}

/// These variables are set.
pub(crate) fn given(variables: &[(&'static str, &'static str)]) -> Row {
    Row { variables: variables.to_vec(), expected: Vec::new(), warnings: Vec::new() }
}

impl Row {
    /// The value at a JSON pointer.
    pub(crate) fn has(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.expected.push((pointer, value.into()));
        self
    }

    /// There is a warning that begins with the name of this variable. There are no others.
    pub(crate) fn warns(mut self, variable: &'static str) -> Self {
        self.warnings.push(variable);
        self
    }

    fn check(&self, how: &str, report: &Value) {
        let Self { variables, expected, warnings } = self;
        for (pointer, value) in expected {
            assert_eq!(report.pointer(pointer), Some(value), "{how}: {pointer} with {variables:?} in {report:#}");
        }
        let seen: Vec<&str> =
            report["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let is_expected =
            seen.len() == warnings.len() && seen.iter().zip(warnings).all(|(seen, name)| begins(seen, name));
        assert!(
            is_expected,
            "{how}: with {variables:?} warnings of {warnings:?} are expected, but there are {seen:#?}"
        );
    }
}

fn begins(warning: &str, variable: &str) -> bool {
    warning.strip_prefix(variable).is_some_and(|rest| rest.starts_with([':', '=']))
}

/// Checks every row in this process and in one of its own.
pub(crate) fn check(rows: Vec<Row>) {
    for row in rows {
        row.check("from_lookup", &report(&from_lookup(&row.variables)));
        let output = run(&row.variables, &[]);
        assert!(output.status.success(), "{output:?}");
        row.check("clewline config", &serde_json::from_slice(&output.stdout).unwrap());
    }
}

pub(crate) fn from_lookup(variables: &[(&str, &str)]) -> TracingConfig {
    TracingConfig::from_lookup(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

pub(crate) fn report(config: &TracingConfig) -> Value {
    serde_json::to_value(config.report()).unwrap()
}

/// Runs `clewline config` with these variables and no others.
pub(crate) fn run(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clewline"));
    command.arg("config").args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().unwrap()
}

/// A file of this test, gone when dropped.
pub(crate) struct File(std::path::PathBuf);

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let directory = std::env::temp_dir().join(format!(
            "clewline-config-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
        drop(self.0.parent().map(std::fs::remove_dir));
    }
}

impl AsRef<Path> for File {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}
