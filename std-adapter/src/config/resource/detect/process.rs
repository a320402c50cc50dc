//! The process (semantic conventions, "Process", "Process runtime").

use super::{Detected, ResourceValue};

pub(super) fn process() -> Vec<Detected> {
    let executable = std::env::current_exe().ok();
    let path = executable.as_deref().map(|path| path.to_string_lossy().into_owned());
    let name = executable.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let command = std::env::args_os().next().map(|command| command.to_string_lossy().into_owned());
    let mut detected: Vec<Detected> = vec![
        ("process.runtime.name", "rustc".into()),
        ("process.runtime.version", env!("CLEWLINE_RUSTC_VERSION").into()),
    ];
    // WebAssembly has no processes, and asking for a number panics there.
    if cfg!(not(target_family = "wasm")) {
        detected.push(("process.pid", ResourceValue::Integer(std::process::id().into())));
    }
    let texts = [("process.executable.name", name), ("process.executable.path", path), ("process.command", command)];
    detected.extend(texts.into_iter().filter_map(|(key, value)| Some((key, value?.into()))));
    detected
}

/// All arguments, with the command itself in front.
pub(super) fn arguments() -> Vec<Detected> {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    vec![("process.command_args", ResourceValue::Texts(arguments))]
}

/// The name of the executable without the ending that the system asks for.
pub(in super::super) fn executable_name() -> Option<String> {
    let executable = std::env::current_exe().ok()?;
    let name = executable.file_name()?.to_string_lossy();
    Some(name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(&name).to_owned())
}
