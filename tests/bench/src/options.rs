//! The command line of the benchmark.

use crate::case::Mode;
use crate::table::Style;
use thiserror::Error;

/// What `--help` prints.
pub const HELP: &str = "\
cargo bench -p clewline-bench -- [options]

  --markdown         write the table as Markdown
  --quick            fewer samples: a minute becomes seconds, the numbers rougher
  --minimum          print the smallest sample of each cell instead of the median
  --only NAME,...    only the rows whose name contains one of these
  --threads N,...    instead of the table: CPU time per trace of the pipelines under full load by N threads,
                     with delivered and lost spans
  --core             instead of the table: single operations of core (headers, samplers, attributes, views, JSON)
";

/// What the user asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// How the table is written.
    pub style: Style,
    /// Fewer samples.
    pub quick: bool,
    /// Minimum instead of median.
    pub minimum: bool,
    /// Parts of row names; empty for all rows.
    pub only: Vec<String>,
    /// Numbers of threads for the load table; empty for the table of cases.
    pub threads: Vec<usize>,
    /// What this process is to do.
    pub task: Task,
}

/// The part a process plays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Task {
    /// Start workers and print a table.
    Parent,
    /// Measure the cases of one row in one mode.
    Cases {
        /// The row's name.
        library: String,
        /// The state to set up.
        mode: Mode,
    },
    /// Measure single operations of core.
    Core,
    /// Load one row's pipeline with `threads` threads.
    Load {
        /// The row's name.
        library: String,
        /// How many threads record.
        threads: usize,
    },
    /// Print the help text.
    Help,
}

/// Why a command line was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum OptionsError {
    /// No such option.
    #[error("unknown option `{0}`; --help lists them")]
    Unknown(String),
    /// An option's value is missing.
    #[error("`{0}` needs a value")]
    Missing(&'static str),
    /// An option's value cannot be used.
    #[error("`{option}` cannot be `{value}`: {expected}")]
    Invalid {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// An [`OptionsError`] that names the argument.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, OptionsError> {
        let mut options = Self {
            style: Style::Plain,
            quick: false,
            minimum: false,
            only: Vec::new(),
            threads: Vec::new(),
            task: Task::Parent,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // `cargo bench` adds this to tell a benchmark that it is not a test.
                "--bench" => {}
                "--markdown" => options.style = Style::Markdown,
                "--quick" => options.quick = true,
                "--minimum" => options.minimum = true,
                "--only" => {
                    let names = arguments.next().ok_or(OptionsError::Missing("--only"))?;
                    options.only = names.split(',').map(ToOwned::to_owned).collect();
                }
                "--threads" => {
                    let counts = arguments.next().ok_or(OptionsError::Missing("--threads"))?;
                    options.threads =
                        counts.split(',').map(|count| threads("--threads", count)).collect::<Result<_, _>>()?;
                }
                "--measure-cases" => {
                    let library = arguments.next().ok_or(OptionsError::Missing("--measure-cases"))?;
                    let mode = arguments.next().ok_or(OptionsError::Missing("--measure-cases"))?;
                    let mode = Mode::from_label(&mode).ok_or(OptionsError::Invalid {
                        option: "--measure-cases",
                        value: mode,
                        expected: "a mode",
                    })?;
                    options.task = Task::Cases { library, mode };
                }
                "--measure-load" => {
                    let library = arguments.next().ok_or(OptionsError::Missing("--measure-load"))?;
                    let count = arguments.next().ok_or(OptionsError::Missing("--measure-load"))?;
                    let threads = threads("--measure-load", &count)?;
                    options.task = Task::Load { library, threads };
                }
                "--core" => options.task = Task::Core,
                "--help" | "-h" => options.task = Task::Help,
                _ => return Err(OptionsError::Unknown(argument)),
            }
        }
        Ok(options)
    }

    /// Whether the row with this name is wanted.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

fn threads(option: &'static str, text: &str) -> Result<usize, OptionsError> {
    match text.trim().parse() {
        Ok(count @ 1..=256) => Ok(count),
        _ => Err(OptionsError::Invalid { option, value: text.to_owned(), expected: "numbers from 1 to 256" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, OptionsError> {
        Options::parse(line.split_whitespace().map(ToOwned::to_owned))
    }

    #[test]
    fn reads_what_cargo_and_the_user_give() {
        let options = parse("--quick --threads 1,2,4 --only fast,clew --bench").expect("valid");
        assert!(options.quick && options.style == Style::Plain);
        assert_eq!(options.threads, [1, 2, 4]);
        assert!(options.wants("fastrace") && options.wants("clewline"));
        assert!(!options.wants("opentelemetry"));
        assert_eq!(options.task, Task::Parent);
    }

    #[test]
    fn refuses_with_the_name_of_what_was_wrong() {
        assert_eq!(parse("--quik"), Err(OptionsError::Unknown("--quik".into())));
        assert_eq!(parse("--only"), Err(OptionsError::Missing("--only")));
        let error = parse("--threads 1,none").expect_err("not a number");
        assert_eq!(error.to_string(), "`--threads` cannot be `none`: numbers from 1 to 256");
    }
}
