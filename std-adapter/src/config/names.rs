//! Sets of names that stand for values, and the known name that is nearest to an unknown one.

use super::pairs;

/// Defines an enum whose values have names in configuration, without regard to case: the first is the one that is shown.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        pub enum $type:ident { $($(#[$variant_attribute:meta])* $variant:ident = $name:literal $(| $alias:literal)*,)+ }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type { $($(#[$variant_attribute])* $variant,)+ }

        impl $type {
            /// Every value by its name in configuration, in the order of their definition.
            pub(crate) const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),+];

            /// The name in configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The value with this name, in any case.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                $(if [$name, $($alias),*].iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    return Some(Self::$variant);
                })+
                None
            }

            /// As [`from_name`](Self::from_name); what is wrong with an unknown name says which one may have been meant.
            pub(crate) fn read(name: &str) -> Result<Self, String> {
                Self::from_name(name).ok_or_else(|| $crate::config::names::unknown(name, Self::NAMES.iter().map(|(name, _)| *name)))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}
pub(super) use named;

/// Reads a list of names, each value once, of which `none` stands alone and means none of them. A name that is not known is
/// left out with a remark.
pub(crate) fn list<T: PartialEq>(
    list: &str,
    read: impl Fn(&str) -> Result<T, String>,
    remarks: &mut Vec<String>,
) -> Result<Vec<T>, String> {
    let names: Vec<&str> = pairs::members(list).collect();
    if names.iter().any(|name| name.eq_ignore_ascii_case("none")) {
        if names.len() > 1 {
            remarks.push("`none` stands beside other names; none of them is used".to_owned());
        }
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    for name in names {
        match read(name) {
            Ok(value) if values.contains(&value) => {}
            Ok(value) => values.push(value),
            Err(problem) => remarks.push(format!("{problem}; it is left out")),
        }
    }
    if values.is_empty() { Err("no known name is in the list".to_owned()) } else { Ok(values) }
}

/// Says of an unknown name which known one may have been meant, or which there are.
pub(crate) fn unknown(name: &str, known: impl Iterator<Item = &'static str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(nearest) => format!("{name:?} is not known; did you mean `{nearest}`?"),
        None => {
            format!("{name:?} is not one of {}", known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The known name that differs least from `name`, if no more than a third of it differs.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name = name.to_lowercase();
    let scored = known.map(|known| (strsim::osa_distance(&name, &known.to_lowercase()), known));
    let (distance, nearest) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= nearest.chars().count().max(3)).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::{nearest, unknown};

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let known = || ["sampler", "service_name", "service_version", "exporter", "exporters"].into_iter();
        let table = [
            ("smapler", Some("sampler")),
            ("Sampler", Some("sampler")),
            ("servicename", Some("service_name")),
            ("service-name", Some("service_name")),
            ("exportrs", Some("exporters")),
            ("expotrer", Some("exporter")),
            ("metrics", None),
            ("x", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(nearest(name, known()), expected, "{name}");
        }
        assert!(unknown("zzz", known()).contains("`service_version`"), "every known name is listed");
    }
}
