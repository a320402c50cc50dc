//! The attributes that say which service, on which software, the spans come from (`resource/sdk.md`).

mod detect;
mod entities;
mod value;

pub use detect::Detector;
pub use value::ResourceValue;

use super::environment::{Environment, Show};
use super::pairs;
use super::setting::{Setting, Source};

pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const UNKNOWN_SERVICE: &str = "unknown_service";

/// The attributes of the resource that were configured, each key once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ResourceConfig {
    attributes: Vec<(String, Setting<ResourceValue>)>,
}

impl ResourceConfig {
    /// Offers a value for an attribute. An empty service name names nothing: the default says more.
    pub(super) fn offer(&mut self, key: &str, value: ResourceValue, source: Source) {
        if key == SERVICE_NAME && value.as_text() == Some("") {
            return;
        }
        match self.attributes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => known.offer(value, source),
            None => self.attributes.push((key.to_owned(), Setting::new(value, source))),
        }
    }

    /// Reads `OTEL_ENTITIES`, over it `OTEL_RESOURCE_ATTRIBUTES`, then `OTEL_SERVICE_NAME`, which wins over a `service.name` in the former.
    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        let found =
            environment.first(&["OTEL_ENTITIES"], Show::Value, |text, remarks| Ok(entities::attributes(text, remarks)));
        if let Some((name, attributes)) = found {
            for (key, value) in attributes {
                self.offer(&key, value.into(), Source::Environment(name));
            }
        }
        let found = environment.first(&["OTEL_RESOURCE_ATTRIBUTES"], Show::Value, |text, _| {
            pairs::resource_attributes(text).map_err(|error| error.to_string())
        });
        if let Some((name, attributes)) = found {
            for (key, value) in attributes {
                self.offer(&key, value.into(), Source::Environment(name));
            }
        }
        const NAME: &str = "OTEL_SERVICE_NAME";
        if let Some(name) = environment.value(NAME) {
            self.offer(SERVICE_NAME, name.into(), Source::Environment(NAME));
        }
    }

    /// What was configured, each key once.
    #[cfg(feature = "serde")]
    pub(super) fn configured(&self) -> &[(String, Setting<ResourceValue>)] {
        &self.attributes
    }

    /// Everything that is known, each key once: what `detectors` find out, and over it what was configured.
    pub(super) fn effective(&self, detectors: &[Detector]) -> Vec<(String, Setting<ResourceValue>)> {
        let mut effective = Self { attributes: Vec::new() };
        for (key, value) in provided() {
            effective.offer(key, value.into(), Source::Default);
        }
        for (key, value) in detectors.iter().flat_map(|detector| detector.detect()) {
            effective.offer(key, value, Source::Default);
        }
        for (key, value) in &self.attributes {
            effective.offer(key, value.get().clone(), value.source());
        }
        effective.attributes
    }
}

/// What every resource holds before anybody says more (`resource/sdk.md`, "SDK-provided resource attributes").
fn provided() -> [(&'static str, String); 4] {
    [
        (SERVICE_NAME, unknown_service()),
        ("telemetry.sdk.name", "clewline".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

/// The name of a service that nobody named: that of its executable.
fn unknown_service() -> String {
    let executable = detect::executable_name();
    executable.map_or_else(|| UNKNOWN_SERVICE.to_owned(), |name| format!("{UNKNOWN_SERVICE}:{name}"))
}
