//! What is shown of a configuration: names, values and where each value came from.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::config::setting::{Setting, Source};
use crate::config::{Header, ResourceValue};

/// One field.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: Shown,
    /// `None` for a table, whose fields have sources of their own.
    pub(super) source: Option<Source>,
}

/// The value of a field.
pub(super) enum Shown {
    Nothing,
    Bool(bool),
    Number(u64),
    Text(String),
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
    Resource(ResourceValue),
    Table(Vec<Entry>),
}

impl Entry {
    pub(super) fn new<T>(name: impl Into<String>, setting: &Setting<T>, show: impl FnOnce(&T) -> Shown) -> Self {
        Self { name: name.into(), value: show(setting.get()), source: Some(setting.source()) }
    }

    pub(super) fn table(name: &str, entries: Vec<Self>) -> Self {
        Self { name: name.to_owned(), value: Shown::Table(entries), source: None }
    }

    /// Whether somebody set it: for a table, whether anything is left in it.
    pub(super) fn is_set(&self) -> bool {
        match &self.value {
            Shown::Nothing => false,
            Shown::Table(entries) => !entries.is_empty(),
            _ => self.source != Some(Source::Default),
        }
    }
}

impl Shown {
    pub(super) fn text(value: &impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    pub(super) fn texts<T: ToString>(values: &[T]) -> Self {
        Self::Texts(values.iter().map(ToString::to_string).collect())
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Number(u64::try_from(count).unwrap_or(u64::MAX))
    }

    pub(super) fn milliseconds(time: Duration) -> Self {
        Self::Number(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// A time limit, where 0 is none, as in the environment.
    pub(super) fn timeout(limit: Option<Duration>) -> Self {
        limit.map_or(Self::Number(0), Self::milliseconds)
    }

    pub(super) fn headers(headers: &[Header], are_hidden: bool) -> Self {
        let value = |header: &Header| if are_hidden { "(hidden)" } else { header.value() }.to_owned();
        Self::Pairs(headers.iter().map(|header| (header.name().to_owned(), value(header))).collect())
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Texts(values) => values.serialize(serializer),
            Self::Pairs(pairs) => serializer.collect_map(pairs.iter().map(|(name, value)| (name, value))),
            Self::Resource(value) => value.serialize(serializer),
            Self::Table(entries) => entries_as_map(entries, serializer),
        }
    }
}

impl Serialize for ResourceValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(value) => serializer.serialize_str(value),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Double(value) => serializer.serialize_f64(*value),
            Self::Texts(values) => values.serialize(serializer),
            Self::Bools(values) => values.serialize(serializer),
            Self::Integers(values) => values.serialize(serializer),
            Self::Doubles(values) => values.serialize(serializer),
        }
    }
}

/// Fields as a map, tables last: where a format has tables, nothing may follow them.
pub(super) fn entries_as_map<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for entry in entries {
        map.serialize_entry(&entry.name, &entry.value)?;
    }
    map.end()
}
