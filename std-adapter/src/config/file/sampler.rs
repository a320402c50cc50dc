//! Samplers in a configuration file: as text, or as a table where a text would be long.
//!
//! ```toml
//! sampler = "ParentBased(TraceIdRatio(0.25))"
//!
//! [sampler]
//! rules = [
//!     { name = "GET /health", sampler = "always_off" },
//!     { name = "GET /static/*", kind = "server", sampler = "TraceIdRatio(0.01)" },
//! ]
//! otherwise = { parent_based = { root = "TraceIdRatio(0.25)", remote_parent_not_sampled = "TraceIdRatio(0.01)" } }
//! ```

use std::fmt;

use clewline_core::SpanKind;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::config::names;
use crate::config::sampler::{ParentBasedConfig, RuleConfig, RulesConfig, SamplerConfig, kind};

/// A sampler as it stands in a file.
pub(super) enum WrittenSampler {
    /// To be read.
    Text(String),
    Table(SamplerConfig),
}

impl WrittenSampler {
    pub(super) fn read(self) -> Result<SamplerConfig, String> {
        match self {
            Self::Text(text) => text.parse().map_err(|error: crate::config::SamplerTextError| error.to_string()),
            Self::Table(sampler) => match sampler.check() {
                Ok(()) => Ok(sampler),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl fmt::Display for WrittenSampler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(formatter),
            Self::Table(sampler) => sampler.fmt(formatter),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenSampler {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SamplerVisitor)
    }
}

struct SamplerVisitor;

impl<'de> Visitor<'de> for SamplerVisitor {
    type Value = WrittenSampler;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sampler, as text or as a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WrittenSampler, E> {
        Ok(WrittenSampler::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenSampler, A::Error> {
        let (mut rules, mut otherwise, mut single) = (None, None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "rules" => rules = Some(map.next_value::<Vec<Rule>>()?),
                "otherwise" => otherwise = Some(map.next_value::<Inner>()?.0),
                "parent_based" => single = Some(map.next_value::<ParentBased>()?.0),
                "parent_threshold" => {
                    single = Some(SamplerConfig::ParentThreshold(Box::new(map.next_value::<Inner>()?.0)));
                }
                "probability" => single = Some(SamplerConfig::Probability(map.next_value()?)),
                "trace_id_ratio" => single = Some(SamplerConfig::TraceIdRatio(map.next_value()?)),
                "rate_limited" => single = Some(SamplerConfig::RateLimited(map.next_value()?)),
                name => return Err(unknown(name, &FIELDS)),
            }
        }
        match (rules, otherwise, single) {
            (Some(rules), otherwise, None) => {
                let rules = rules.into_iter().map(|rule| rule.0).collect();
                let otherwise = otherwise.unwrap_or_default();
                Ok(WrittenSampler::Table(SamplerConfig::Rules(Box::new(RulesConfig { rules, otherwise }))))
            }
            (None, None, Some(sampler)) => Ok(WrittenSampler::Table(sampler)),
            _ => Err(A::Error::custom(
                "a sampler is either `parent_based`, `parent_threshold`, `probability`, `trace_id_ratio`, `rate_limited`, \
                 or `rules` with `otherwise`",
            )),
        }
    }
}

const FIELDS: [&str; 7] =
    ["parent_based", "parent_threshold", "probability", "trace_id_ratio", "rate_limited", "rules", "otherwise"];

fn unknown<E: Error>(name: &str, known: &[&'static str]) -> E {
    E::custom(format!("the field of the sampler {}", names::unknown(name, known.iter().copied())))
}

/// A sampler within another one: one that cannot be used makes the whole of it useless.
struct Inner(SamplerConfig);

impl<'de> Deserialize<'de> for Inner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WrittenSampler::deserialize(deserializer)?.read().map(Self).map_err(D::Error::custom)
    }
}

struct ParentBased(SamplerConfig);

impl<'de> Deserialize<'de> for ParentBased {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParentBasedVisitor;
        impl<'de> Visitor<'de> for ParentBasedVisitor {
            type Value = ParentBased;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a table of samplers by what the parent is")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParentBased, A::Error> {
                let mut config = ParentBasedConfig::new(SamplerConfig::AlwaysOn);
                while let Some(name) = map.next_key::<String>()? {
                    let place = match name.as_str() {
                        "root" => Some(&mut config.root),
                        name => config.parent_mut(name),
                    };
                    match place {
                        Some(place) => *place = map.next_value::<Inner>()?.0,
                        None => return Err(unknown(&name, &ParentBasedConfig::FIELDS)),
                    }
                }
                Ok(ParentBased(SamplerConfig::ParentBased(Box::new(config))))
            }
        }
        deserializer.deserialize_map(ParentBasedVisitor)
    }
}

struct Rule(RuleConfig);

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RuleVisitor;
        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = Rule;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a rule: `name`, `kind` or both, and `sampler`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rule, A::Error> {
                let (mut name, mut kind, mut sampler) = (None, None, None);
                while let Some(field) = map.next_key::<String>()? {
                    match field.as_str() {
                        "name" => name = Some(map.next_value::<String>()?),
                        "kind" => kind = Some(read_kind::<A::Error>(&map.next_value::<String>()?)?),
                        "sampler" => sampler = Some(map.next_value::<Inner>()?.0),
                        field => return Err(unknown(field, &["name", "kind", "sampler"])),
                    }
                }
                let sampler = sampler.ok_or_else(|| A::Error::custom("a rule has no `sampler`"))?;
                if name.is_none() && kind.is_none() {
                    return Err(A::Error::custom("a rule has neither `name` nor `kind`"));
                }
                Ok(Rule(RuleConfig { name: name.unwrap_or_else(|| "*".to_owned()), kind, sampler }))
            }
        }
        deserializer.deserialize_map(RuleVisitor)
    }
}

fn read_kind<E: Error>(name: &str) -> Result<SpanKind, E> {
    kind(name).ok_or_else(|| E::custom(format!("{name:?} is none of internal, server, client, producer and consumer")))
}
