//! `clewline inspect env`: what the process that started this one handed on.

use std::ffi::OsString;

use clap::Args;
use clewline_core::environment::variable;

use super::Format;
use super::explain::explain;
use super::headers::Findings;
use crate::streams::print;

/// Say what TRACEPARENT, TRACESTATE and BAGGAGE mean in this environment, or the variables of another format.
#[derive(Debug, Args)]
pub(super) struct EnvironmentArguments {
    /// The format in which the context arrives. Baggage is read with each.
    #[arg(long, value_enum, default_value_t = Format::Tracecontext)]
    format: Format,

    /// Answer as `clewline inspect headers` answers a line, instead of for people.
    #[arg(long)]
    json: bool,
}

/// Reads the variables and prints what they say.
pub(super) fn inspect(arguments: &EnvironmentArguments) -> Result<(), String> {
    let variables: Vec<(&str, OsString)> = arguments
        .format
        .names()
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(variable(name)?.as_str())?)))
        .collect();
    let headers: Vec<(&str, &[u8])> = variables.iter().map(|(name, value)| (*name, value.as_encoded_bytes())).collect();
    if arguments.json {
        let line = serde_json::to_string(&Findings::new(arguments.format, &headers));
        return print(line.map_err(|error| format!("the findings cannot be written as JSON: {error}"))? + "\n");
    }
    print(explain(arguments.format, &headers))?;
    if !headers.is_empty() {
        return Ok(());
    }
    let names = arguments.format.names().iter().filter_map(|name| variable(name));
    let names: Vec<String> = names.map(|name| name.as_str().to_owned()).collect();
    print(format_args!("none of these variables is set: {}\n", names.join(", ")))
}
