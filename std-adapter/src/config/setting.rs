//! A configured value together with where it came from, and the warnings that reading it left behind.

use std::fmt;

/// Where the value of a [`Setting`] came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it: the default of the OpenTelemetry specification.
    Default,
    /// The environment variable of this name.
    Environment(&'static str),
    /// A setter called by the application.
    Code,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(variable) => write!(f, "env {variable}"),
            Self::Code => f.write_str("code"),
        }
    }
}

/// A value that remembers its [`Source`].
#[derive(Clone, Debug, PartialEq)]
pub struct Setting<T> {
    value: T,
    source: Source,
}

impl<T> Setting<T> {
    pub(crate) const fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }

    pub(crate) const fn default(value: T) -> Self {
        Self::new(value, Source::Default)
    }

    /// The value in force.
    pub const fn get(&self) -> &T {
        &self.value
    }

    /// Where the value came from.
    pub const fn source(&self) -> Source {
        self.source
    }
}

/// A value set by code: `config.limits.event_count = 32.into()`.
impl<T> From<T> for Setting<T> {
    fn from(value: T) -> Self {
        Self::new(value, Source::Code)
    }
}

/// One thing in the environment that was not understood, and what was done instead.
///
/// Configuration never fails: the specification asks that a value which cannot be read is ignored with a warning
/// (`configuration/common.md`). Values that may hold secrets (headers) are never part of a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    variable: &'static str,
    value: Option<String>,
    problem: String,
}

impl Warning {
    pub(crate) fn new(variable: &'static str, value: Option<&str>, problem: impl Into<String>) -> Self {
        Self { variable, value: value.map(str::to_owned), problem: problem.into() }
    }

    /// The environment variable that the warning is about.
    #[must_use]
    pub fn variable(&self) -> &str {
        self.variable
    }

    /// What was wrong and what was done instead, without the value.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?}: {}", self.variable, self.problem),
            None => write!(f, "{}: {}", self.variable, self.problem),
        }
    }
}
