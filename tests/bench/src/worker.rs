//! Measures one row in one mode in this process, and writes one line per result for the parent.
//!
//! Lines on standard output, fields separated by tabs:
//! `time <case> <nanoseconds per iteration>`, `allocations <case> <caller> <all threads>` (per iteration),
//! `cpu <case> <nanoseconds per trace> <delivered part>`.

use crate::allocation;
use crate::arrivals;
use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::routine::Routine;
use crate::workload::EVENTS_PER_SPAN;
use cpu_time::ProcessTime;
use std::io::{self, Write};
use std::time::Duration;
use thiserror::Error;

/// The most spans in one timed sample: half of the smallest queue of any peer (opentelemetry's 2,048), so that no
/// sample is fast because spans were dropped.
pub const SPANS_PER_SAMPLE: u64 = 1000;

/// Traces between two pauses of the CPU measurement: with two spans each, a quarter of that queue.
const TRACES_PER_BURST: u64 = 250;

/// The pause in which exporter threads catch up; what pausing itself costs is measured and subtracted.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a sample should take where the number of spans does not limit it.
const SAMPLE_TIME: Duration = Duration::from_micros(200);

/// Iterations of a case that is checked.
const CHECKED_ITERATIONS: u64 = 20;

/// Samples that are thrown away: enough spans to have touched all of the largest queue (fastrace's 10,240 commands a
/// thread), so that its first page faults are not charged to a span.
const WARM_UP: usize = 20;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples per case in this process.
    pub samples: usize,
    /// Traces of each CPU measurement.
    pub traces: u64,
}

impl Effort {
    /// The usual effort, or a part of it.
    #[must_use]
    pub const fn new(quick: bool) -> Self {
        if quick { Self { samples: 15, traces: 10_000 } } else { Self { samples: 40, traces: 50_000 } }
    }
}

/// Why a row could not be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The row does not do what its case says.
    #[error("case {case}: {what}: {found} instead of {expected}")]
    Dishonest {
        /// The case's label.
        case: &'static str,
        /// What was counted.
        what: &'static str,
        /// What arrived.
        found: u64,
        /// What the case says must arrive.
        expected: u64,
    },
    /// The parent is gone.
    #[error("cannot write results")]
    Write(#[from] io::Error),
}

/// Measures every case that `library` has in `mode`.
///
/// # Errors
///
/// [`WorkerError::Dishonest`] before anything is timed when the row does not deliver what its cases claim.
pub fn measure_cases(
    library: &dyn Library,
    mode: Mode,
    effort: Effort,
    out: &mut impl Write,
) -> Result<(), WorkerError> {
    let Some(installed) = library.install(mode) else {
        return Ok(());
    };
    for case in Case::ALL.into_iter().filter(|case| case.mode() == mode) {
        let Some(mut routine) = installed.routine(case) else {
            continue;
        };
        if installed.role() >= Role::Recorder {
            check(&*installed, case, &mut routine)?;
        }
        for time in samples(&*installed, case, &mut routine, effort.samples) {
            writeln!(out, "time\t{}\t{time}", case.label())?;
        }
        if installed.role() >= Role::Facade && case.spans() > 0 {
            let (caller, all_threads) = allocations(&*installed, case, &mut routine);
            writeln!(out, "allocations\t{}\t{caller}\t{all_threads}", case.label())?;
        }
        if installed.role() == Role::Pipeline && matches!(case, Case::Root | Case::RootAndChild) {
            let (time, delivered) = cpu(&*installed, case, &mut routine, effort.traces);
            writeln!(out, "cpu\t{}\t{time}\t{delivered}", case.label())?;
        }
    }
    Ok(())
}

/// Runs a few iterations and compares what arrived with what the case says.
fn check(installed: &dyn Installed, case: Case, routine: &mut Routine) -> Result<(), WorkerError> {
    if !case.starts_spans() && case != Case::AddEvent {
        return Ok(());
    }
    installed.settle();
    let before = arrivals::now();
    arrivals::inspect(true);
    let (iterations, _) = routine.run(CHECKED_ITERATIONS);
    installed.settle();
    arrivals::inspect(false);
    let found = arrivals::now().since(before);
    let (spans, attributes, events) = match case {
        Case::AddEvent => (iterations / EVENTS_PER_SPAN, 0, iterations),
        _ => (iterations * case.spans(), iterations * case.attributes(), 0),
    };
    for (what, found, expected) in
        [("spans", found.spans, spans), ("attributes", found.attributes, attributes), ("events", found.events, events)]
    {
        if found != expected {
            return Err(WorkerError::Dishonest { case: case.label(), what, found, expected });
        }
    }
    Ok(())
}

/// The most iterations of `case` in one sample.
fn iteration_limit(case: Case) -> u64 {
    match (case, case.spans()) {
        (Case::AddEvent, _) => SPANS_PER_SAMPLE / 4 * EVENTS_PER_SPAN,
        (_, 0) => u64::MAX,
        (_, spans) => SPANS_PER_SAMPLE / spans,
    }
}

/// Nanoseconds per iteration of `count` samples, after calibration and warm-up.
fn samples(installed: &dyn Installed, case: Case, routine: &mut Routine, count: usize) -> Vec<f64> {
    let limit = iteration_limit(case);
    let mut iterations = 1;
    loop {
        let (done, time) = routine.run(iterations);
        installed.flush();
        if time >= SAMPLE_TIME || done >= limit {
            iterations = done.min(limit);
            break;
        }
        iterations = (done * 2).min(limit);
    }
    let mut samples = Vec::with_capacity(count);
    for index in 0..WARM_UP + count {
        let (iterations, time) = routine.run(iterations);
        installed.flush();
        if index >= WARM_UP {
            samples.push(time.as_secs_f64() * 1e9 / iterations as f64);
        }
    }
    samples
}

/// Allocations per iteration in the steady state: by the caller, and by all threads with the flush included.
fn allocations(installed: &dyn Installed, case: Case, routine: &mut Routine) -> (f64, f64) {
    let limit = iteration_limit(case);
    routine.run(limit);
    installed.flush();
    let mut iterations = 0;
    let counts = allocation::counted(|| (iterations, _) = routine.run(limit), || installed.flush());
    (counts.caller as f64 / iterations as f64, counts.all_threads as f64 / iterations as f64)
}

/// CPU nanoseconds of the whole process per trace, last flush included, and the part of the spans that was delivered.
///
/// Traces come in bursts with pauses in between, as on a server with some room left: a pipeline that saves work by
/// dropping would otherwise look cheap. The load table measures full load.
fn cpu(installed: &dyn Installed, case: Case, routine: &mut Routine, traces: u64) -> (f64, f64) {
    let bursts = traces / TRACES_PER_BURST;
    let start = ProcessTime::now();
    for _ in 0..bursts {
        std::thread::sleep(PAUSE);
    }
    let pauses = start.elapsed();

    // The exporter's thread too must have touched its memory.
    for _ in 0..bursts / 4 {
        routine.run(TRACES_PER_BURST);
        std::thread::sleep(PAUSE);
    }
    installed.settle();
    let before = arrivals::now();
    let start = ProcessTime::now();
    for _ in 0..bursts {
        routine.run(TRACES_PER_BURST);
        std::thread::sleep(PAUSE);
    }
    installed.settle();
    let time = start.elapsed().saturating_sub(pauses);
    let traces = bursts * TRACES_PER_BURST;
    let delivered = arrivals::now().since(before).spans;
    (time.as_secs_f64() * 1e9 / traces as f64, delivered as f64 / (traces * case.spans()) as f64)
}
