//! Attributes of the resource in a configuration file: values of any type that attributes have, also under nested tables.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::ResourceValue;

/// A value, or a table of values whose keys continue the key of the table after a dot: in TOML `host.name = "a"` is one.
pub(super) enum ResourceTree {
    Value(ResourceValue),
    Table(Vec<(String, Self)>),
}

impl ResourceTree {
    /// Calls `found` with every value and its whole key, of which `key` is the beginning.
    pub(super) fn walk(self, key: &str, found: &mut dyn FnMut(&str, ResourceValue)) {
        match self {
            Self::Value(value) => found(key, value),
            Self::Table(table) => {
                for (name, tree) in table {
                    tree.walk(&format!("{key}.{name}"), found);
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for ResourceTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = ResourceTree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, true or false, or an array of one of these")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<ResourceTree, E> {
        Ok(ResourceTree::Value(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<ResourceTree, E> {
        Ok(ResourceTree::Value(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ResourceTree, E> {
        let value = i64::try_from(value).map_err(|_| E::custom("a whole number beyond 64 bits with a sign"))?;
        Ok(ResourceTree::Value(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<ResourceTree, E> {
        Ok(ResourceTree::Value(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<ResourceTree, E> {
        Ok(ResourceTree::Value(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ResourceTree, A::Error> {
        let mut values = Vec::new();
        while let Some(item) = items.next_element::<ResourceTree>()? {
            match item {
                ResourceTree::Value(value) => values.push(value),
                ResourceTree::Table(_) => return Err(A::Error::custom("an array of tables is not a value")),
            }
        }
        let array = ResourceValue::array(values).ok_or_else(|| A::Error::custom("an array has values of one type"))?;
        Ok(ResourceTree::Value(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ResourceTree, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = map.next_entry()? {
            table.push(entry);
        }
        Ok(ResourceTree::Table(table))
    }
}
