//! Configuration in files, JSON or TOML, and within the configuration of an application (`serde`).
//!
//! The names are those that `clewline config` prints; what it prints can be read again.

mod resource;
mod sampler;
mod section;
mod sections;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, DeserializeSeed as _, Deserializer};

use self::section::SectionSeed;
use super::TracingConfig;
use super::environment::OfProcess;

/// Why a configuration file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFileError {
    path: Option<PathBuf>,
    position: Option<(usize, usize)>,
    field: Option<String>,
    problem: String,
}

impl ConfigFileError {
    /// The file, if it was one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Line and column, both counted from 1, where the text is at fault.
    #[must_use]
    pub const fn position(&self) -> Option<(usize, usize)> {
        self.position
    }

    /// The field whose value is at fault, with a dot between a table and its field.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl fmt::Display for ConfigFileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(formatter, "{}", path.display())?;
        }
        if let Some((line, column)) = self.position {
            let front = if self.path.is_some() { ":" } else { "line " };
            write!(formatter, "{front}{line}:{column}")?;
        }
        if self.path.is_some() || self.position.is_some() {
            formatter.write_str(": ")?;
        }
        if let Some(field) = &self.field {
            write!(formatter, "`{field}`: ")?;
        }
        formatter.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigFileError {}

/// The form of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Toml,
    /// OpenTelemetry's declarative configuration; in JSON too, which is YAML.
    Declarative,
}

impl Format {
    /// By the ending of the file's name, else by its first character.
    fn of(path: &Path, text: &str) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "toml" => Self::Toml,
            "yaml" | "yml" => Self::Declarative,
            "json" if text.contains("\"file_format\"") => Self::Declarative,
            "json" => Self::Json,
            _ if text.trim_start().starts_with('{') => Self::of(Path::new(".json"), text),
            _ => Self::Toml,
        }
    }
}

impl TracingConfig {
    /// Reads a file over the defaults: JSON or TOML, or in YAML OpenTelemetry's [declarative configuration][data-model]. The
    /// environment is not read, except for what a declarative configuration refers to; see [`with_env`](Self::with_env), which
    /// leaves one as it is.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = clewline::TracingConfig::from_file("tracing.toml")?.with_env();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A file that cannot be read, is not well formed, has a field that is not known or a value of the wrong type. A value
    /// that cannot be used, such as a queue for 0 spans, is ignored with a [warning](Self::warnings).
    ///
    /// [data-model]: https://opentelemetry.io/docs/specs/otel/configuration/data-model/
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigFileError> {
        Self::default().with_file(path)
    }

    /// Reads a configuration in JSON over the defaults.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn from_json(text: &str) -> Result<Self, ConfigFileError> {
        Self::default().with_text(text, Format::Json).map_err(|fault| ConfigFileError::new(None, fault))
    }

    /// Reads a configuration in TOML over the defaults.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn from_toml(text: &str) -> Result<Self, ConfigFileError> {
        Self::default().with_text(text, Format::Toml).map_err(|fault| ConfigFileError::new(None, fault))
    }

    /// Reads a file over this configuration, as [`from_file`](Self::from_file) does. What the environment or code has set stays.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn with_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigFileError> {
        let process = OfProcess::default();
        let mut config = self.with_file_and_lookup(path.as_ref(), &|name| process.get(name))?;
        config.warnings.extend(process.warnings());
        Ok(config)
    }

    /// As [`with_file`](Self::with_file), with the variables that `lookup` finds for references to them.
    pub(super) fn with_file_and_lookup(
        self,
        path: &Path,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigFileError> {
        let outcome = std::fs::read_to_string(path).map_err(|error| (None, None, error.to_string()));
        let outcome = outcome.and_then(|text| match Format::of(path, &text) {
            Format::Declarative => {
                self.with_declarative(&text, lookup).map_err(|(position, problem)| (position, None, problem))
            }
            format => self.with_text(&text, format),
        });
        match outcome {
            Ok(config) => Ok(Self { has_file: true, ..config }),
            Err(fault) => Err(ConfigFileError::new(Some(path.to_owned()), fault)),
        }
    }

    #[cfg(feature = "declarative")]
    fn with_declarative(mut self, text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        match super::declarative::read(&mut self, text, lookup) {
            Ok(()) => Ok(Self { is_alone: true, ..self }),
            Err((position, problem)) => Err((Some(position), problem)),
        }
    }

    #[cfg(not(feature = "declarative"))]
    fn with_declarative(self, _: &str, _: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        Err((None, "a declarative configuration needs the feature `declarative` of clewline".to_owned()))
    }

    fn with_text(mut self, text: &str, format: Format) -> Result<Self, Fault> {
        let mut warnings = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let seed = SectionSeed { section: &mut self, path: String::new(), warnings: &mut warnings };
        let outcome = if format == Format::Json {
            let mut json = serde_json::Deserializer::from_str(text);
            seed.deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track))
                .and_then(|()| json.end())
                .map_err(json_problem)
        } else {
            toml::Deserializer::parse(text)
                .and_then(|toml| seed.deserialize(serde_path_to_error::Deserializer::new(toml, &mut track)))
                .map_err(|error| toml_problem(text, &error))
        };
        if let Err((position, problem)) = outcome {
            let path = track.path().to_string();
            // A problem that names the field itself was met while the table was read, and a file as a whole has no name.
            let is_named = path == "." || path.contains('?') || problem.starts_with("the field ");
            return Err((position, (!is_named).then_some(path), problem));
        }
        self.warnings.append(&mut warnings);
        Ok(self)
    }
}

/// Line and column, the field, and what is wrong there.
type Fault = (Option<(usize, usize)>, Option<String>, String);

impl ConfigFileError {
    fn new(path: Option<PathBuf>, (position, field, problem): Fault) -> Self {
        Self { path, position, field, problem }
    }
}

/// Line and column, and what is wrong there.
type Problem = (Option<(usize, usize)>, String);

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn json_problem(error: serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let problem = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text).to_owned();
    ((line > 0).then_some((line, column.max(1))), problem)
}

fn toml_problem(text: &str, error: &toml::de::Error) -> Problem {
    let position = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
    });
    (position, error.message().to_owned())
}

/// Reads a configuration that is part of an application's own, over the defaults.
impl<'de> Deserialize<'de> for TracingConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut config = Self::default();
        let mut warnings = Vec::new();
        SectionSeed { section: &mut config, path: String::new(), warnings: &mut warnings }.deserialize(deserializer)?;
        config.warnings = warnings;
        Ok(config)
    }
}
