//! `clewline config`: the effective configuration, and where each value came from.

use std::path::PathBuf;

use clap::Args;
use clewline::TracingConfig;

use crate::streams::print;

/// Print the configuration that a program with this environment would have, as JSON: every value, where it came from, and
/// what was wrong.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Configuration file. In JSON or TOML, the environment wins over it; in YAML it is OpenTelemetry's declarative
    /// configuration, which stands alone.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Hide what may be a secret: values of headers, and users and queries in addresses.
    #[arg(long)]
    redact: bool,
}

/// Prints the configuration. Warnings are part of it; only a file that cannot be used is a failure.
pub(crate) fn config(arguments: &ConfigArguments) -> Result<(), String> {
    let config = match &arguments.config {
        Some(path) => TracingConfig::from_file(path).map_err(|error| error.to_string())?,
        None => TracingConfig::default(),
    };
    let config = config.with_env();
    let report = config.report().with_files();
    let report = if arguments.redact { report.redacted() } else { report };
    let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
    print(json + "\n")
}
