//! A configured value together with where it came from, and the warnings that reading it left behind.

use std::borrow::Cow;
use std::fmt;

/// Where the value of a [`Setting`] came from. A later one of these wins over an earlier one, whichever is read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Nobody set it: the default of the OpenTelemetry specification, or what was found out about host and process.
    Default,
    /// A configuration file, or a configuration within one of the application's own.
    File,
    /// The environment variable of this name.
    Environment(&'static str),
    /// A setter called by the application.
    Code,
}

impl Source {
    const fn rank(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File => 1,
            Self::Environment(_) => 2,
            Self::Code => 3,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
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

    /// Takes a value, unless the one in force has a source that wins over this one's.
    pub(crate) fn offer(&mut self, value: T, source: Source) {
        if source.rank() >= self.source.rank() {
            *self = Self::new(value, source);
        }
    }

    /// Takes what somebody set elsewhere, as [`offer`](Self::offer) does.
    #[cfg(feature = "declarative")]
    pub(crate) fn overlay(&mut self, other: Self) {
        if other.source != Source::Default {
            self.offer(other.value, other.source);
        }
    }
}

/// A value set by code: `config.limits.event_count = 32.into()`.
impl<T> From<T> for Setting<T> {
    fn from(value: T) -> Self {
        Self::new(value, Source::Code)
    }
}

/// One thing in the environment or in a file that was not understood, and what was done instead.
///
/// The specification asks that a value which cannot be read is ignored with a warning (`configuration/common.md`). Values
/// that may hold secrets (headers) are never part of a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    subject: Cow<'static, str>,
    value: Option<String>,
    problem: String,
}

impl Warning {
    pub(crate) fn new(subject: impl Into<Cow<'static, str>>, value: Option<&str>, problem: impl Into<String>) -> Self {
        Self { subject: subject.into(), value: value.map(str::to_owned), problem: problem.into() }
    }

    /// What the warning is about: an environment variable, or a field of a file.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
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
            Some(value) => write!(f, "{}={value:?}: {}", self.subject, self.problem),
            None => write!(f, "{}: {}", self.subject, self.problem),
        }
    }
}
