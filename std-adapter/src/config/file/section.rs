//! Reads one table of a configuration file: its fields one after another, by rules that are the same in every format.
//!
//! What does not have the right shape (an unknown field, a text where a number belongs) is an error. A value of the right
//! shape that cannot be used is ignored with a warning, as it is in the environment (`configuration/common.md`).

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::config::names;
use crate::config::setting::{Setting, Source, Warning};

/// A table whose fields are known.
pub(super) trait Section {
    /// The names of its fields.
    const FIELDS: &'static [&'static str];
    /// The names of fields that it has from a table within it, whose name may be left out.
    const INHERITED: &'static [&'static str] = &[];
    /// Tables within it, and the names of their fields.
    const TABLES: &'static [(&'static str, &'static [&'static str])] = &[];

    /// Takes the value of one of these fields.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, field: Field<'_, A>) -> Result<(), A::Error>;

    /// Looks at the whole once every field has been read. `path` is where the table stands, with a dot at its end.
    fn finish(&mut self, path: &str, warnings: &mut Vec<Warning>) {
        let _ = (path, warnings);
    }
}

/// Fills a [`Section`] from a table.
pub(super) struct SectionSeed<'s, S> {
    pub(super) section: &'s mut S,
    /// Where the table stands, with a dot at its end; empty for the whole file.
    pub(super) path: String,
    pub(super) warnings: &'s mut Vec<Warning>,
}

impl<'de, S: Section> DeserializeSeed<'de> for SectionSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Section> Visitor<'de> for SectionSeed<'_, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Vec::new();
        while let Some(name) = map.next_key_seed(NameSeed {
            known: [S::FIELDS, S::INHERITED],
            tables: S::TABLES,
            seen: &seen,
            path: &self.path,
        })? {
            let field = Field { map: &mut map, path: format!("{}{name}", self.path), warnings: &mut *self.warnings };
            self.section.take(name, field)?;
            seen.push(name);
        }
        self.section.finish(&self.path, self.warnings);
        Ok(())
    }
}

/// Reads the name of a field, so that a wrong one is refused where it stands.
struct NameSeed<'n> {
    known: [&'static [&'static str]; 2],
    tables: &'static [(&'static str, &'static [&'static str])],
    /// Those that this table has had.
    seen: &'n [&'static str],
    path: &'n str,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = &'static str;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let Self { known, tables, seen, path } = self;
        let known = known.iter().copied().flatten().copied();
        match known.clone().find(|known| *known == name) {
            Some(name) if seen.contains(&name) => Err(E::custom(format!("the field `{path}{name}` stands here twice"))),
            Some(name) => Ok(name),
            None => {
                let table = path.strip_suffix('.').map_or_else(String::new, |table| format!("of `{table}` "));
                let problem = match within(name, tables) {
                    Some((inner, field)) => format!("{name:?} is not known; did you mean `{path}{inner}.{field}`?"),
                    None => names::unknown(name, known),
                };
                Err(E::custom(format!("the field {table}{problem}")))
            }
        }
    }
}

/// The field of a table that is meant by its name alone (`max_queue_size`), or by both in one (`jaeger_endpoint`).
fn within(name: &str, tables: &[(&'static str, &'static [&'static str])]) -> Option<(&'static str, &'static str)> {
    let fields = tables.iter().flat_map(|(table, fields)| fields.iter().map(move |field| (*table, *field)));
    let in_one = |table: &str| name.strip_prefix(table).and_then(|rest| rest.strip_prefix('_'));
    fields.clone().find(|(table, field)| in_one(table) == Some(*field)).or_else(|| {
        let mut alone = fields.filter(|(_, field)| *field == name);
        // One that several tables have says nothing.
        alone.next().filter(|_| alone.next().is_none())
    })
}

/// The value of one field, to be taken by one of these methods.
pub(super) struct Field<'f, A> {
    map: &'f mut A,
    path: String,
    warnings: &'f mut Vec<Warning>,
}

impl<'de, A: MapAccess<'de>> Field<'_, A> {
    /// The value as it stands there.
    pub(super) fn get<T: Deserialize<'de>>(self) -> Result<T, A::Error> {
        self.map.next_value()
    }

    /// Skips the value.
    pub(super) fn ignore(self) -> Result<(), A::Error> {
        self.map.next_value::<IgnoredAny>().map(drop)
    }

    /// The value if `check` lets it through; else a warning that shows it.
    pub(super) fn checked<T: Deserialize<'de> + fmt::Display, U>(
        self,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Result<Option<U>, A::Error> {
        let value: T = self.map.next_value()?;
        let shown = value.to_string();
        match check(value) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => {
                let problem = format!("{problem}; the value is ignored");
                self.warnings.push(Warning::new(self.path, Some(&shown), problem));
                Ok(None)
            }
        }
    }

    /// A setting whose value `check` lets through.
    pub(super) fn set<T: Deserialize<'de> + fmt::Display, U>(
        self,
        slot: &mut Setting<U>,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Result<(), A::Error> {
        if let Some(value) = self.checked(check)? {
            slot.offer(value, Source::File);
        }
        Ok(())
    }

    pub(super) fn boolean(self, slot: &mut Setting<bool>) -> Result<(), A::Error> {
        slot.offer(self.get()?, Source::File);
        Ok(())
    }

    /// A whole number of at least `least`.
    pub(super) fn count(self, least: usize, slot: &mut Setting<usize>) -> Result<(), A::Error> {
        self.set(slot, |number: Whole| match number.0 {
            Ok(number) if number >= least as u64 => usize::try_from(number).map_err(|_| "out of range".to_owned()),
            _ => Err(format!("must be at least {least}")),
        })
    }

    /// A whole number, or null for "no limit".
    pub(super) fn limit(self, slot: &mut Setting<Option<usize>>) -> Result<(), A::Error> {
        self.set(slot, |number: Nullable<Whole>| match number.0 {
            None => Ok(None),
            Some(Whole(Ok(number))) => usize::try_from(number).map(Some).map_err(|_| "out of range".to_owned()),
            Some(Whole(Err(_))) => Err("must be at least 0".to_owned()),
        })
    }

    /// A time in milliseconds.
    pub(super) fn milliseconds(self, slot: &mut Setting<Duration>) -> Result<(), A::Error> {
        self.set(slot, milliseconds)
    }

    /// A time limit in milliseconds, where 0 means "no limit".
    pub(super) fn timeout(self, slot: &mut Setting<Option<Duration>>) -> Result<(), A::Error> {
        self.set(slot, |number| milliseconds(number).map(|limit| Some(limit).filter(|limit| !limit.is_zero())))
    }

    /// The path of a file.
    pub(super) fn file(self, slot: &mut Setting<Option<PathBuf>>) -> Result<(), A::Error> {
        slot.offer(Some(PathBuf::from(self.get::<String>()?)), Source::File);
        Ok(())
    }

    /// A list of names, or one text with commas between them.
    pub(super) fn list<T>(
        self,
        slot: &mut Setting<Vec<T>>,
        read: impl Fn(&str, &mut Vec<String>) -> Result<Vec<T>, String>,
    ) -> Result<(), A::Error> {
        let text = self.map.next_value::<NameList>()?.0;
        let mut remarks = Vec::new();
        match read(&text, &mut remarks) {
            Ok(values) => slot.offer(values, Source::File),
            Err(problem) => remarks.push(format!("{problem}; the value is ignored")),
        }
        self.warnings.extend(remarks.into_iter().map(|remark| Warning::new(self.path.clone(), Some(&text), remark)));
        Ok(())
    }

    /// A table within this one.
    pub(super) fn section(self, section: &mut impl Section) -> Result<(), A::Error> {
        let path = format!("{}.", self.path);
        self.map.next_value_seed(SectionSeed { section, path, warnings: self.warnings })
    }

    /// A table whose keys are not known beforehand. `take` says what is wrong with a key and its value, which are not shown.
    pub(super) fn pairs<T: Deserialize<'de>>(
        self,
        mut take: impl FnMut(String, T) -> Result<(), String>,
    ) -> Result<(), A::Error> {
        let pairs: Pairs<T> = self.map.next_value()?;
        for (index, (key, value)) in pairs.0.into_iter().enumerate() {
            if let Err(problem) = take(key, value) {
                let problem = format!("{problem}; member {} is left out", index + 1);
                self.warnings.push(Warning::new(self.path.clone(), None, problem));
            }
        }
        Ok(())
    }
}

fn milliseconds(number: Whole) -> Result<Duration, String> {
    number.0.map(Duration::from_millis).map_err(|_| "must be at least 0".to_owned())
}

/// A whole number; the error is one below zero.
#[derive(Clone, Copy)]
pub(super) struct Whole(pub(super) Result<u64, i64>);

impl fmt::Display for Whole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(number) => number.fmt(formatter),
            Err(number) => number.fmt(formatter),
        }
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;
        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(Ok(number)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(u64::try_from(number).map_err(|_| number)))
            }
        }
        deserializer.deserialize_u64(WholeVisitor)
    }
}

/// A value or null.
struct Nullable<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Nullable<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(formatter),
            None => formatter.write_str("null"),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

/// Names, joined by commas; `none` for an empty list.
struct NameList(String);

impl<'de> Deserialize<'de> for NameList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = NameList;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name or a list of names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<NameList, E> {
                Ok(NameList(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<NameList, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element::<String>()? {
                    list.push(name);
                }
                Ok(NameList(if list.is_empty() { "none".to_owned() } else { list.join(",") }))
            }
        }
        deserializer.deserialize_any(ListVisitor)
    }
}

/// The members of a table in their order.
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
            type Value = Pairs<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a table of names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}
