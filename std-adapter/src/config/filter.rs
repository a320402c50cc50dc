//! Which `tracing` spans and events are recorded, by target and level: what `RUST_LOG` says.

use std::fmt;
use std::str::FromStr;

use super::names::named;
use super::pairs;

named! {
    /// The least severe level that is let through.
    pub enum FilterLevel {
        /// None.
        Off = "off" | "0",
        /// Errors.
        Error = "error" | "1",
        /// Warnings too.
        Warn = "warn" | "2",
        /// Information too.
        Info = "info" | "3",
        /// What helps to find mistakes, too.
        Debug = "debug" | "4",
        /// Everything.
        Trace = "trace" | "5",
    }
}

/// A level for everything, and others for targets that begin with some path: `info,shop::db=debug`.
///
/// ```
/// use clewline::config::FilterConfig;
/// let filter: FilterConfig = "warn,shop=debug".parse().unwrap();
/// assert_eq!(filter.to_string(), "warn,shop=debug");
/// assert!("shop[checkout]=debug".parse::<FilterConfig>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterConfig {
    /// For targets that nothing else is said of.
    pub level: FilterLevel,
    /// For targets that begin with a path; the longest that fits counts.
    pub targets: Vec<(String, FilterLevel)>,
}

impl Default for FilterConfig {
    /// Information, warnings and errors.
    fn default() -> Self {
        Self { level: FilterLevel::Info, targets: Vec::new() }
    }
}

/// A part of a filter that is neither `level`, `target` nor `target=level`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    part: String,
    problem: String,
}

impl FilterError {
    /// The part.
    #[must_use]
    pub fn part(&self) -> &str {
        &self.part
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.part, self.problem)
    }
}

impl std::error::Error for FilterError {}

impl FilterConfig {
    /// Reads what can be read and tells the rest. Where nothing is left the default holds, and where something is said of
    /// targets alone, nothing else is let through. The extended form `target[span{field=value}]=level` of other filters is not
    /// understood, and would otherwise be taken for one that lets no span through.
    pub(crate) fn read(text: &str) -> (Self, Vec<FilterError>) {
        let mut filter = Self { level: FilterLevel::Off, targets: Vec::new() };
        let mut errors = Vec::new();
        let mut is_default = true;
        for part in pairs::members(text) {
            let directive = match part.split_once('=') {
                Some((target, level)) => FilterLevel::read(level.trim()).map(|level| (Some(target.trim()), level)),
                None => match FilterLevel::from_name(part) {
                    Some(level) => Ok((None, level)),
                    None => Ok((Some(part), FilterLevel::Trace)),
                },
            };
            match directive {
                Ok((None, level)) => filter.level = level,
                Ok((Some(target), level)) if is_target(target) => {
                    filter.targets.retain(|(known, _)| known != target);
                    filter.targets.push((target.to_owned(), level));
                }
                refused => {
                    let form = |_| "neither `level`, `target` nor `target=level`".to_owned();
                    errors
                        .push(FilterError { part: part.to_owned(), problem: refused.map_or_else(|error| error, form) });
                    continue;
                }
            }
            is_default = false;
        }
        (if is_default { Self::default() } else { filter }, errors)
    }
}

fn is_target(text: &str) -> bool {
    !text.is_empty() && !text.contains(['[', ']', '{', '}', '=', ' '])
}

impl FromStr for FilterConfig {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (filter, errors) = Self::read(text);
        errors.into_iter().next().map_or(Ok(filter), Err)
    }
}

impl fmt::Display for FilterConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, targets } = self;
        // Targets alone mean that everything else is off.
        if *level != FilterLevel::Off || targets.is_empty() {
            write!(formatter, "{level}")?;
        }
        for (index, (target, level)) in targets.iter().enumerate() {
            let comma = if index > 0 || self.level != FilterLevel::Off { "," } else { "" };
            write!(formatter, "{comma}{target}={level}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{FilterConfig, FilterLevel};

    #[test]
    fn it_is_read_part_by_part_and_never_silences_by_accident() {
        // What is given, what it means, and how many parts were refused.
        let table = [
            ("", "info", 0),
            (" , ", "info", 0),
            ("info,", "info", 0),
            ("DEBUG", "debug", 0),
            ("4", "debug", 0),
            ("warn,shop::db=debug", "warn,shop::db=debug", 0),
            ("shop::db = Debug, warn", "warn,shop::db=debug", 0),
            ("shop=info,shop=trace", "shop=trace", 0),
            ("off", "off", 0),
            ("shop=off", "shop=off", 0),
            ("shop=loud", "info", 1),
            ("shop", "shop=trace", 0),
            ("shop=loud,debug", "debug", 1),
            ("shop[checkout]=debug", "info", 1),
            ("debug,shop[{id=7}]=off", "debug", 1),
            ("=debug", "info", 1),
            ("a b=debug", "info", 1),
        ];
        for (text, meaning, refused) in table {
            let (filter, errors) = FilterConfig::read(text);
            assert_eq!((filter.to_string().as_str(), errors.len()), (meaning, refused), "{text:?}");
            assert_eq!(meaning.parse(), Ok(filter), "what is displayed reads as the same");
            assert_eq!(text.parse::<FilterConfig>().is_err(), refused > 0, "{text:?}");
        }
        let shop = FilterConfig::read("shop").0;
        assert_eq!((shop.level, shop.targets), (FilterLevel::Off, vec![("shop".to_owned(), FilterLevel::Trace)]));
    }
}
