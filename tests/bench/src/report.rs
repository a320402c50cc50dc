//! The parent of the table of cases: starts a process per row and mode, several rounds of them, and merges the samples.

use crate::case::{Case, Mode};
use crate::library::Library;
use crate::options::Options;
use crate::peers::opentelemetry::payload;
use crate::statistics::Samples;
use crate::table::{Table, count, joined, number};
use crate::workload;
use std::io;
use std::process::{Command, Stdio};
use thiserror::Error;

/// How often every row is measured, each time in a fresh process: some rows differ by a third from process to process
/// with where their memory happens to lie, and a median must not hang on one such draw.
const ROUNDS: usize = 12;

/// [`ROUNDS`] with `--quick`.
const QUICK_ROUNDS: usize = 3;

/// The cases whose allocations are counted.
const COUNTED: [Case; 3] = [Case::Root, Case::RootAndChild, Case::HundredChildren];

/// The cases whose CPU time is measured.
const CPU: [Case; 2] = [Case::Root, Case::RootAndChild];

/// Why there is no table.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// No row's name contains what was asked for.
    #[error("no row is named like that; the rows are {0}")]
    NoRow(String),
    /// A worker could not be started.
    #[error("cannot start a worker for `{row}`: {source}")]
    Start {
        /// The row's name.
        row: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A worker failed; it said why on standard error.
    #[error("the worker for `{row}` failed: {message}")]
    Worker {
        /// The row's name.
        row: &'static str,
        /// What it said.
        message: String,
    },
    /// A worker wrote a line that is no result.
    #[error("the worker for `{row}` wrote `{line}`, which is no result")]
    Line {
        /// The row's name.
        row: &'static str,
        /// What it wrote.
        line: String,
    },
}

/// Everything measured of one row.
#[derive(Clone, Debug, Default)]
struct Row {
    times: [Samples; Case::ALL.len()],
    caller: [Samples; Case::ALL.len()],
    all_threads: [Samples; Case::ALL.len()],
    cpu: [Samples; Case::ALL.len()],
    delivered: [Samples; Case::ALL.len()],
}

impl Row {
    /// Takes one result line of a worker; answers whether it was one.
    fn read(&mut self, line: &str) -> bool {
        let fields: Vec<&str> = line.split('\t').collect();
        let (kind, Some(case), numbers) = (
            fields[0],
            fields.get(1).and_then(|label| Case::from_label(label)),
            fields.iter().skip(2).map(|field| field.parse::<f64>()).collect::<Result<Vec<_>, _>>(),
        ) else {
            return false;
        };
        let index = case as usize;
        match (kind, numbers.as_deref()) {
            ("time", Ok(&[time])) => self.times[index].push(time),
            ("allocations", Ok(&[caller, all_threads])) => {
                self.caller[index].push(caller);
                self.all_threads[index].push(all_threads);
            }
            ("cpu", Ok(&[time, delivered])) => {
                self.cpu[index].push(time);
                self.delivered[index].push(delivered);
            }
            _ => return false,
        }
        true
    }
}

/// Runs a worker with `arguments` and returns what it wrote.
///
/// # Errors
///
/// When it cannot be started or fails.
pub(crate) fn run_worker(row: &'static str, arguments: &[&str]) -> Result<String, ReportError> {
    let start = |source| ReportError::Start { row, source };
    let program = std::env::current_exe().map_err(start)?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(start)?;
    if !output.status.success() {
        return Err(ReportError::Worker { row, message: String::from_utf8_lossy(&output.stderr).trim().to_owned() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The rows that the options name.
///
/// # Errors
///
/// [`ReportError::NoRow`] if there is none.
pub(crate) fn wanted<'a>(
    libraries: &'a [Box<dyn Library>],
    options: &Options,
) -> Result<Vec<&'a dyn Library>, ReportError> {
    let wanted: Vec<_> =
        libraries.iter().map(|library| &**library).filter(|library| options.wants(library.name())).collect();
    if wanted.is_empty() {
        let names: Vec<_> = libraries.iter().map(|library| library.name()).collect();
        return Err(ReportError::NoRow(names.join(", ")));
    }
    Ok(wanted)
}

/// Measures the rows that are wanted and returns the table with its notes.
///
/// # Errors
///
/// A [`ReportError`] when any worker fails: a table with silent holes would be quoted.
pub fn cases(
    libraries: &[Box<dyn Library>],
    options: &Options,
    mut progress: impl FnMut(&str),
) -> Result<(Table, String), ReportError> {
    let libraries = wanted(libraries, options)?;
    let mut rows = vec![Row::default(); libraries.len()];
    let rounds = if options.quick { QUICK_ROUNDS } else { ROUNDS };
    for round in 1..=rounds {
        for (library, row) in libraries.iter().zip(&mut rows) {
            let name = library.name();
            progress(&format!("round {round} of {rounds}: {name}"));
            for mode in Mode::ALL {
                let mut arguments = vec!["--measure-cases", name, mode.label()];
                arguments.extend(options.quick.then_some("--quick"));
                for line in run_worker(name, &arguments)?.lines() {
                    if !row.read(line) {
                        return Err(ReportError::Line { row: name, line: line.to_owned() });
                    }
                }
            }
        }
    }
    let mut table = Table::new(headings());
    for (library, row) in libraries.iter().zip(&rows) {
        table.push(cells(library.label(), row, options.minimum));
    }
    Ok((table, notes(&rows, options)))
}

fn headings() -> Vec<String> {
    let mut headings = vec![String::new()];
    headings.extend(Case::ALL.map(|case| case.label().to_owned()));
    headings.extend(["allocations a/b/c", "of all threads", "CPU a/b"].map(ToOwned::to_owned));
    headings
}

fn cells(label: &str, row: &Row, minimum: bool) -> Vec<String> {
    let of = |samples: &Samples| {
        if minimum { samples.minimum() } else { samples.median() }
    };
    let mut cells = vec![label.to_owned()];
    cells.extend(Case::ALL.map(|case| {
        of(&row.times[case as usize])
            .map_or_else(|| String::from("–"), |time| number(time / case.nanoseconds_per_unit()))
    }));
    cells.push(joined(&COUNTED.map(|case| row.caller[case as usize].median().map(count))));
    cells.push(joined(&COUNTED.map(|case| row.all_threads[case as usize].median().map(count))));
    cells.push(joined(&CPU.map(|case| {
        let time = of(&row.cpu[case as usize])?;
        let delivered = row.delivered[case as usize].minimum()?;
        Some(if delivered < 1.0 {
            format!("{} ({:.1} % delivered)", number(time), delivered * 100.0)
        } else {
            number(time)
        })
    })));
    cells
}

fn notes(rows: &[Row], options: &Options) -> String {
    let mut spreads = Samples::default();
    let mut samples = usize::MAX;
    for cell in rows.iter().flat_map(|row| &row.times) {
        if let Some(spread) = cell.spread() {
            spreads.push(spread);
            samples = samples.min(cell.len());
        }
    }
    let statistic = if options.minimum { "Minimum" } else { "Median" };
    let spread = spreads.median().unwrap_or(0.0);
    format!(
        "{statistic} of {samples} samples, ns on the caller's thread; quartiles of a cell lie {:.0} % of its median apart (the median cell).\n\
         a = root span; b = root + child + 4 attributes; c = root + {} children; d = sampled out; e = add an event to a live span;\n\
         f = encode {} spans x {} attributes as OTLP protobuf ({} KB); g1/g2 = parse/format traceparent.\n\
         Allocations are per iteration: by the caller; by all threads, flush included. CPU = ns of the whole process per trace, flush included, with pauses in which exporters catch up; a cell says so if spans were lost all the same.\n\
         Clewline encodes while it records (columns a to e include it), so that in column f only the envelope and one copy are left.",
        spread * 100.0,
        workload::CHILDREN,
        workload::ENCODED_SPANS,
        workload::ENCODED_ATTRIBUTES.len(),
        payload().len() / 1000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_results_and_refuses_everything_else() {
        let mut row = Row::default();
        assert!(row.read("time\ta\t75.5"));
        assert!(row.read("allocations\tb\t3\t4.25"));
        assert!(row.read("cpu\tb\t1007\t0.5"));
        for line in ["", "time", "time\tz\t1", "time\ta", "time\ta\t1\t2", "note\ta\t1", "time\ta\tx"] {
            assert!(!row.read(line), "took `{line}`");
        }
        let cells = cells("row", &row, false);
        assert_eq!(cells.len(), headings().len());
        assert_eq!(cells[..3], ["row", "76", "–"]);
        assert_eq!(cells[10..], ["–/3/–", "–/4.2/–", "–/1007 (50.0 % delivered)"]);
    }
}
