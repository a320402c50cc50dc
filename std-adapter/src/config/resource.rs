//! The attributes that say which service, on which software, the spans come from (`resource/sdk.md`).

use super::environment::{Environment, Show};
use super::pairs;
use super::setting::{Setting, Source};

pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const UNKNOWN_SERVICE: &str = "unknown_service";

/// What every resource holds before anybody says more (`resource/sdk.md`, "SDK-provided resource attributes").
pub(super) fn defaults() -> Vec<(String, Setting<String>)> {
    let executable = std::env::current_exe().ok();
    let executable = executable.as_deref().and_then(|path| path.file_stem());
    let service_name = match executable {
        Some(name) => format!("{UNKNOWN_SERVICE}:{}", name.to_string_lossy()),
        None => UNKNOWN_SERVICE.to_owned(),
    };
    [
        (SERVICE_NAME, service_name.as_str()),
        ("telemetry.sdk.name", "clewline"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ]
    .map(|(key, value)| (key.to_owned(), Setting::default(value.to_owned())))
    .into()
}

/// Adds an attribute, or replaces the one with the same key.
pub(super) fn set(resource: &mut Vec<(String, Setting<String>)>, key: String, value: Setting<String>) {
    match resource.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => resource.push((key, value)),
    }
}

/// Reads `OTEL_RESOURCE_ATTRIBUTES`, then `OTEL_SERVICE_NAME`, which wins over a `service.name` in the former.
pub(super) fn read(resource: &mut Vec<(String, Setting<String>)>, environment: &mut Environment<'_>) {
    let mut attributes = Setting::default(Vec::new());
    environment.read(&["OTEL_RESOURCE_ATTRIBUTES"], Show::Value, &mut attributes, |text, _| {
        pairs::resource_attributes(text).map_err(|error| error.to_string())
    });
    let source = attributes.source();
    // An empty service name names nothing: the default says more.
    for (key, value) in attributes.get().iter().filter(|(key, value)| key != SERVICE_NAME || !value.is_empty()) {
        set(resource, key.clone(), Setting::new(value.clone(), source));
    }
    const NAME: &str = "OTEL_SERVICE_NAME";
    if let Some(name) = environment.value(NAME) {
        set(resource, SERVICE_NAME.to_owned(), Setting::new(name, Source::Environment(NAME)));
    }
}
