//! OpenTelemetry's declarative configuration, in YAML (`configuration/data-model.md`; schema of opentelemetry-configuration):
//! what concerns traces.
//!
//! Variables in its scalars are replaced, other variables are not looked at. What this crate does not have is named in a
//! warning, and so is every value that is not as the schema wants it; the rest counts. Metrics, logs and the settings of
//! instrumentation are skipped.

mod exporter;
mod reader;
mod sampler;
mod substitute;
mod tree;

use self::reader::{Reader, offer};
use self::tree::{Content, Node, TreeError};
use super::pairs;
use super::propagators::Propagator;
use super::resource::{Detector, ResourceValue, SERVICE_NAME};
use super::setting::Source;
use super::{LogLevel, TracingConfig};

impl Node {
    /// The value of a field, unless it is null.
    fn field(&self, name: &str) -> Option<&Self> {
        let Content::Map(entries) = &self.content else { return None };
        let (.., node) = entries.iter().find(|(known, ..)| known == name)?;
        (node.content != Content::Null).then_some(node)
    }
}

/// Why a document is not one: where, and what is wrong.
pub(super) type DeclarativeError = TreeError;

/// Reads a document over `config`.
pub(super) fn read(
    config: &mut TracingConfig,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), DeclarativeError> {
    let document = tree::parse(text, lookup)?;
    let Some(format) = document.field("file_format") else {
        let problem = "`file_format` is missing: a YAML file is OpenTelemetry's declarative configuration, such as of format \"1.0\"";
        return Err((document.at, problem.to_owned()));
    };
    let mut warnings = Vec::new();
    let mut reader = Reader { warnings: &mut warnings };
    let version = match &format.content {
        Content::Text(version) => version.clone(),
        Content::Float(version) => format!("{version:.1}"),
        _ => String::new(),
    };
    if !(version == "1.0" || version.starts_with("1.") || version.starts_with("1-")) {
        reader.warn("file_format", format.at, "read as format 1.0, which may understand less of it");
    }
    // What is not said is not done: no propagators, no detectors, no spans.
    offer(&mut config.propagators, Vec::new());
    offer(&mut config.detectors, Vec::new());
    if document.field("tracer_provider").is_none() {
        reader.warn("tracer_provider", document.at, "missing, so no spans are recorded");
        offer(&mut config.enabled, false);
    }
    read_document(&mut reader, config, &document, lookup);
    config.warnings.append(&mut warnings);
    Ok(())
}

fn read_document(
    reader: &mut Reader<'_>,
    config: &mut TracingConfig,
    document: &Node,
    lookup: &dyn Fn(&str) -> Option<String>,
) {
    const FIELDS: &[&str] = &[
        "file_format",
        "disabled",
        "log_level",
        "attribute_limits",
        "resource",
        "propagator",
        "tracer_provider",
        "meter_provider",
        "logger_provider",
        "instrumentation/development",
        "distribution",
    ];
    reader.table(document, "", FIELDS, |reader, name, node, path| match name {
        "disabled" => {
            if let Some(is_disabled) = reader.boolean(node, path) {
                // Once off, as without a tracer provider, it stays off.
                let is_enabled = *config.enabled.get() && !is_disabled;
                offer(&mut config.enabled, is_enabled);
            }
        }
        "log_level" => {
            // `info2` is a little more severe than `info` (logs data model, "Displaying Severity").
            let read = |name: &str| LogLevel::read(name.trim_end_matches(['2', '3', '4']));
            if let Some(level) = reader.read(node, path, read) {
                offer(&mut config.log_level, level);
            }
        }
        "attribute_limits" => limits(reader, config, node, path),
        "resource" => resource(reader, config, node, path, lookup),
        "propagator" => propagators(reader, config, node, path),
        _ => {}
    });
    // After the general limits, which its own overrule.
    if let Some(provider) = document.field("tracer_provider") {
        let fields = &["processors", "limits", "sampler", "tracer_configurator/development", "id_generator"];
        reader.table(provider, "tracer_provider", fields, |reader, name, node, path| match name {
            "processors" => exporter::processors(reader, config, node, path),
            "limits" => limits(reader, config, node, path),
            "sampler" => {
                if let Some(sampler) = sampler::sampler(reader, node, path) {
                    offer(&mut config.sampler, sampler);
                }
            }
            _ => reader.warn(path, node.at, "not supported in this version; it has no effect"),
        });
        if provider.field("processors").is_none() {
            reader.warn("tracer_provider.processors", provider.at, "missing, so nothing is exported");
            offer(&mut config.exporters, Vec::new());
        }
    }
}

fn limits(reader: &mut Reader<'_>, config: &mut TracingConfig, node: &Node, path: &str) {
    const FIELDS: &[&str] = &[
        "attribute_value_length_limit",
        "attribute_count_limit",
        "event_count_limit",
        "link_count_limit",
        "event_attribute_count_limit",
        "link_attribute_count_limit",
    ];
    let known = if path == "attribute_limits" { &FIELDS[..2] } else { FIELDS };
    let limits = &mut config.limits;
    reader.table(node, path, known, |reader, name, node, path| match name {
        "attribute_value_length_limit" => reader.limit(node, path, &mut limits.attribute_value_length),
        "attribute_count_limit" => reader.count(node, path, 0, &mut limits.attribute_count),
        "event_count_limit" => reader.count(node, path, 0, &mut limits.event_count),
        "link_count_limit" => reader.count(node, path, 0, &mut limits.link_count),
        "event_attribute_count_limit" => reader.count(node, path, 0, &mut limits.event_attribute_count),
        _ => reader.count(node, path, 0, &mut limits.link_attribute_count),
    });
}

fn propagators(reader: &mut Reader<'_>, config: &mut TracingConfig, node: &Node, path: &str) {
    let mut propagators = Vec::new();
    let mut add = |reader: &mut Reader<'_>, name: &str, node: &Node, path: &str| match Propagator::read(name) {
        Ok(propagator) if propagators.contains(&propagator) => {}
        Ok(propagator) => propagators.push(propagator),
        Err(_) if name == "none" => {}
        Err(problem) => reader.warn(path, node.at, format_args!("{problem}; it is left out")),
    };
    // Entries of the list are appended, whichever stands first.
    for field in ["composite", "composite_list"] {
        let Some(value) = node.field(field) else { continue };
        let path = format!("{path}.{field}");
        match &value.content {
            Content::List(_) => {
                for (item, path) in reader.items(value, &path) {
                    if let Some((name, ..)) = reader.kind(item, &path) {
                        add(reader, name, item, &path);
                    }
                }
            }
            _ => {
                let names = reader.text(value, &path).unwrap_or_default();
                pairs::members(names).for_each(|name| add(reader, name, value, &path));
            }
        }
    }
    reader.table(node, path, &["composite", "composite_list"], |_, _, _, _| ());
    offer(&mut config.propagators, propagators);
}

fn resource(
    reader: &mut Reader<'_>,
    config: &mut TracingConfig,
    node: &Node,
    path: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) {
    const DETECTION: &str = "detection/development";
    // From the lowest priority to the highest: what is detected, the list, the attributes.
    if let Some(detection) = node.field(DETECTION) {
        detectors(reader, config, detection, &format!("{path}.{DETECTION}"), lookup);
    }
    if let Some(list) = node.field("attributes_list") {
        let path = format!("{path}.attributes_list");
        let read = |text: &str| pairs::resource_attributes(text).map_err(|error| error.to_string());
        for (key, value) in reader.read(list, &path, read).unwrap_or_default() {
            config.resource.offer(&key, value.into(), Source::File);
        }
    }
    reader.table(
        node,
        path,
        &["attributes", "attributes_list", DETECTION, "schema_url"],
        |reader, name, node, path| match name {
            "attributes" => {
                for (item, path) in reader.items(node, path) {
                    attribute(reader, config, item, &path);
                }
            }
            "schema_url" => reader.warn(path, node.at, "not supported in this version; it has no effect"),
            _ => {}
        },
    );
}

fn detectors(
    reader: &mut Reader<'_>,
    config: &mut TracingConfig,
    node: &Node,
    path: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) {
    let mut detectors = Vec::new();
    reader.table(node, path, &["detectors", "attributes"], |reader, name, node, path| {
        if name == "attributes" {
            return reader.warn(path, node.at, "not supported in this version; it has no effect");
        }
        for (item, path) in reader.items(node, path) {
            let Some((name, ..)) = reader.kind(item, &path) else { continue };
            match Detector::read(name) {
                // The schema's detector of the host tells the operating system too.
                Ok(Detector::Host) => detectors.extend([Detector::Host, Detector::Os]),
                Ok(Detector::Service) => {
                    detectors.push(Detector::Service);
                    if let Some(name) = lookup("OTEL_SERVICE_NAME") {
                        config.resource.offer(SERVICE_NAME, name.into(), Source::File);
                    }
                }
                Ok(detector) => detectors.push(detector),
                Err(problem) => reader.warn(&path, item.at, format_args!("{problem}; it is left out")),
            }
        }
    });
    offer(&mut config.detectors, detectors);
}

fn attribute(reader: &mut Reader<'_>, config: &mut TracingConfig, node: &Node, path: &str) {
    let (mut key, mut value, mut wanted) = (None, None, None);
    reader.table(node, path, &["name", "value", "type"], |reader, name, node, path| match name {
        "name" => key = reader.text(node, path),
        "value" => value = Some(node),
        _ => wanted = reader.text(node, path),
    });
    let (Some(key), Some(found)) = (key, value) else { return };
    match typed(&found.content, wanted) {
        Some(value) => config.resource.offer(key, value, Source::File),
        None => reader.warn(path, found.at, "the value is not of its type; the attribute is left out"),
    }
}

/// The value as an attribute of the type that is wanted; of its own type if none is.
fn typed(content: &Content, wanted: Option<&str>) -> Option<ResourceValue> {
    let value = match content {
        Content::Text(text) => ResourceValue::from(text.as_str()),
        Content::Bool(value) => ResourceValue::from(*value),
        Content::Integer(value) => ResourceValue::from(*value),
        Content::Float(value) => ResourceValue::from(*value),
        Content::List(items) => {
            let item = wanted.and_then(|wanted| wanted.strip_suffix("_array"));
            let values = items.iter().map(|node| typed(&node.content, item)).collect::<Option<Vec<_>>>()?;
            return ResourceValue::array(values).filter(|_| wanted.is_none() || item.is_some());
        }
        Content::Null | Content::Map(_) => return None,
    };
    match (wanted, value) {
        (None, value)
        | (Some("string"), value @ ResourceValue::Text(_))
        | (Some("bool"), value @ ResourceValue::Bool(_))
        | (Some("int"), value @ ResourceValue::Integer(_))
        | (Some("double"), value @ ResourceValue::Double(_)) => Some(value),
        (Some("double"), ResourceValue::Integer(value)) => Some(f64::from(i32::try_from(value).ok()?).into()),
        // A number or a truth value without quotation marks.
        (Some("string"), value) => Some(value.to_string().into()),
        _ => None,
    }
}
