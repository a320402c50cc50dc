//! The load table: pipelines under full load by several threads, with what arrived and what was lost.
//!
//! Every thread records traces of case b as fast as it can. The threads stay alive until a first flush, and a second
//! flush follows after they have ended, so that a pipeline that hands over per thread loses nothing by the measurement.

use crate::arrivals;
use crate::case::{Case, Mode};
use crate::library::{Library, Role};
use crate::options::Options;
use crate::report::{ReportError, run_worker, wanted};
use crate::table::{Table, number};
use cpu_time::ProcessTime;
use std::io::{self, Write};
use std::sync::Barrier;
use std::time::Instant;

/// The measured traces.
const CASE: Case = Case::RootAndChild;

/// Traces per thread.
const fn traces_per_thread(quick: bool) -> u64 {
    if quick { 20_000 } else { 250_000 }
}

/// One line of a load worker.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Load {
    started: u64,
    delivered: u64,
    dropped: Option<u64>,
    cpu_nanoseconds: f64,
    wall_nanoseconds: f64,
    peak_kilobytes: Option<u64>,
}

/// Loads `library` with `threads` threads in this process, and writes one line for the parent.
///
/// # Errors
///
/// When the parent is gone. A row that is no pipeline writes nothing.
///
/// # Panics
///
/// If a pipeline has no routine for the measured traces.
pub fn measure_load(library: &dyn Library, threads: usize, quick: bool, out: &mut impl Write) -> io::Result<()> {
    let Some(installed) = library.install(Mode::Recording).filter(|installed| installed.role() == Role::Pipeline)
    else {
        return Ok(());
    };
    let traces = traces_per_thread(quick);
    let (ready, recorded, flushed) = (Barrier::new(threads + 1), Barrier::new(threads + 1), Barrier::new(threads + 1));
    let before = arrivals::now();
    let (mut cpu, mut wall) = (ProcessTime::now(), Instant::now());
    let mut wall_nanoseconds = 0.0;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut routine = installed.routine(CASE).expect("a pipeline can record a root and a child");
                routine.run(1000);
                ready.wait();
                routine.run(traces);
                recorded.wait();
                flushed.wait();
            });
        }
        ready.wait();
        (cpu, wall) = (ProcessTime::now(), Instant::now());
        recorded.wait();
        wall_nanoseconds = wall.elapsed().as_secs_f64() * 1e9;
        installed.flush();
        flushed.wait();
    });
    installed.flush();
    let cpu_nanoseconds = cpu.elapsed().as_secs_f64() * 1e9;
    let started = (traces + 1000) * threads as u64 * CASE.spans();
    let load = Load {
        started,
        delivered: arrivals::now().since(before).spans,
        dropped: installed.dropped(),
        cpu_nanoseconds: cpu_nanoseconds / (traces * threads as u64) as f64,
        wall_nanoseconds: wall_nanoseconds / traces as f64,
        peak_kilobytes: peak_kilobytes(),
    };
    let optional = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    writeln!(
        out,
        "{}\t{}\t{}\t{}\t{}\t{}",
        load.started,
        load.delivered,
        optional(load.dropped),
        load.cpu_nanoseconds,
        load.wall_nanoseconds,
        optional(load.peak_kilobytes),
    )
}

/// The most memory this process had resident, where the system says so.
fn peak_kilobytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

impl Load {
    fn read(line: &str) -> Option<Self> {
        let optional = |field: &str| match field {
            "-" => Some(None),
            _ => field.parse().ok().map(Some),
        };
        let mut fields = line.split('\t');
        let load = Self {
            started: fields.next()?.parse().ok()?,
            delivered: fields.next()?.parse().ok()?,
            dropped: optional(fields.next()?)?,
            cpu_nanoseconds: fields.next()?.parse().ok()?,
            wall_nanoseconds: fields.next()?.parse().ok()?,
            peak_kilobytes: optional(fields.next()?)?,
        };
        fields.next().is_none().then_some(load)
    }

    fn cells(&self, label: &str, threads: usize) -> Vec<String> {
        let part = self.delivered as f64 / self.started as f64;
        vec![
            label.to_owned(),
            threads.to_string(),
            number(self.cpu_nanoseconds),
            number(self.wall_nanoseconds),
            self.started.to_string(),
            format!("{} ({:.1} %)", self.delivered, part * 100.0),
            self.started.saturating_sub(self.delivered).to_string(),
            self.dropped.map_or_else(|| "not readable".to_owned(), |count| count.to_string()),
            self.peak_kilobytes.map_or_else(|| "–".to_owned(), |kilobytes| number(kilobytes as f64 / 1024.0)),
        ]
    }
}

/// Loads every pipeline that is wanted with each number of threads, and returns the table with its notes.
///
/// # Errors
///
/// A [`ReportError`] when any worker fails.
pub fn loads(
    libraries: &[Box<dyn Library>],
    options: &Options,
    mut progress: impl FnMut(&str),
) -> Result<(Table, String), ReportError> {
    let mut table = Table::new(
        [
            "",
            "threads",
            "CPU ns/trace",
            "ns/trace on a thread",
            "spans started",
            "delivered",
            "lost",
            "lost by its own count",
            "peak MB",
        ]
        .map(ToOwned::to_owned)
        .to_vec(),
    );
    for library in wanted(libraries, options)? {
        let name = library.name();
        for &threads in &options.threads {
            progress(&format!("{threads} threads: {name}"));
            let count = threads.to_string();
            let mut arguments = vec!["--measure-load", name, &count];
            arguments.extend(options.quick.then_some("--quick"));
            for line in run_worker(name, &arguments)?.lines() {
                let load = Load::read(line).ok_or_else(|| ReportError::Line { row: name, line: line.to_owned() })?;
                table.push(load.cells(library.label(), threads));
            }
        }
    }
    let notes = format!(
        "Every thread records {} traces (root + child + 4 attributes) without a pause, then flush. CPU = the whole process, flush included, per started trace: what is lost was not paid for.",
        traces_per_thread(options.quick)
    );
    Ok((table, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_worker_is_read_whole_or_not_at_all() {
        let load = Load::read("200\t50\t-\t400.5\t300\t2048").expect("a whole line");
        let cells = load.cells("row", 4);
        assert_eq!(cells[5..], ["50 (25.0 %)", "150", "not readable", "2.0"]);
        for line in ["", "200\t50\t-\t400.5\t300", "200\t50\t-\t400.5\t300\t-\t1", "x\t50\t-\t1\t1\t-"] {
            assert_eq!(Load::read(line), None, "took `{line}`");
        }
    }
}
