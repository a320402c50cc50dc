//! The sampler of a declarative configuration (`tracer_provider.sampler`).

use super::reader::Reader;
use super::tree::{Content, Node};
use crate::config::sampler::{ParentBasedConfig, SamplerConfig};

/// Reads a sampler; `None` with a warning if it is not one of this version, or has one within it that is not.
pub(super) fn sampler(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<SamplerConfig> {
    let (kind, settings, path) = reader.kind(node, path)?;
    let read = match kind {
        "always_on" => SamplerConfig::AlwaysOn,
        "always_off" => SamplerConfig::AlwaysOff,
        "trace_id_ratio_based" => SamplerConfig::TraceIdRatio(ratio(reader, settings, &path)?),
        // The second name is that within `composite/development`.
        "probability/development" | "probability" => SamplerConfig::Probability(ratio(reader, settings, &path)?),
        "parent_based" => parent_based(reader, settings, &path)?,
        "composite/development" => composite(reader, settings, &path)?,
        _ => {
            reader.warn(&path, node.at, "not a sampler of this version; it is ignored");
            return None;
        }
    };
    match read.check() {
        Ok(()) => Some(read),
        Err(error) => {
            reader.warn(&path, node.at, format_args!("{error}; the sampler is ignored"));
            None
        }
    }
}

/// "If omitted or null, 1.0 is used."
fn ratio(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<f64> {
    let mut ratio = Some(1.0);
    reader.table(node, path, &["ratio"], |reader, _, node, path| ratio = reader.number(node, path));
    ratio
}

fn parent_based(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<SamplerConfig> {
    let mut config = ParentBasedConfig::new(SamplerConfig::AlwaysOn);
    let mut is_good = true;
    reader.table(node, path, &ParentBasedConfig::FIELDS, |reader, name, node, path| {
        let place = if name == "root" { Some(&mut config.root) } else { config.parent_mut(name) };
        match (place, sampler(reader, node, path)) {
            (Some(place), Some(sampler)) => *place = sampler,
            _ => is_good = false,
        }
    });
    is_good.then(|| SamplerConfig::ParentBased(Box::new(config)))
}

/// A composable sampler: of its own kinds, `parent_threshold` has the sampler for spans without a parent as its `root`.
fn composite(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<SamplerConfig> {
    let (kind, settings, below) = reader.kind(node, path)?;
    if kind != "parent_threshold" {
        return sampler(reader, node, path);
    }
    let mut root = None;
    reader.table(settings, &below, &["root"], |reader, _, node, path| root = composite(reader, node, path));
    if root.is_none() && settings.content == Content::Null {
        reader.warn(&below, node.at, "`root` is missing; the sampler is ignored");
    }
    root.map(|root| SamplerConfig::ParentThreshold(Box::new(root)))
}
