//! `cargo xtask test`: runs the steps one after the other and ends with a table of how each went.

use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::error::Error;
use crate::report::{heading, line, seconds};
use crate::setup::{self, Need};
use crate::steps::{self, Context, Step};
use crate::workspace::Workspace;

/// Which steps run, and whether the first failure ends them.
pub(crate) struct Options {
    /// Names of the steps to run; all when empty.
    pub(crate) only: Vec<String>,
    /// Stop at the first step that fails.
    pub(crate) fail_fast: bool,
}

/// How one step went.
struct Outcome {
    name: &'static str,
    failed: bool,
    time: Duration,
    counts: Counts,
}

/// Runs the steps.
///
/// # Errors
/// When any step failed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let chosen: Vec<&Step> = steps::ALL
        .iter()
        .filter(|step| options.only.is_empty() || options.only.iter().any(|name| name == step.name))
        .collect();
    let needs: Vec<Need> =
        Need::ALL.into_iter().filter(|need| chosen.iter().any(|step| step.needs.contains(need))).collect();
    heading("setup: what the steps need");
    let unmet = setup::ensure(workspace, &needs)?;

    let mut context = Context::new(workspace);
    let mut outcomes = Vec::new();
    for step in chosen {
        heading(&format!("{}: {}", step.name, step.about));
        let started = Instant::now();
        context.counts = Counts::default();
        let result = match unmet.among(step.needs) {
            Some(error) => Err(Error::Rejected(error.to_string())),
            None => (step.run)(&mut context),
        };
        let outcome =
            Outcome { name: step.name, failed: result.is_err(), time: started.elapsed(), counts: context.counts };
        match result {
            Ok(()) => line(&format!("  ok ({})", seconds(outcome.time))),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => line(&format!("  FAILED ({}): {error}", seconds(outcome.time))),
        }
        let stop = outcome.failed && options.fail_fast;
        outcomes.push(outcome);
        if stop {
            break;
        }
    }
    heading("summary");
    for row in table(&outcomes) {
        line(&row);
    }
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failed).map(|outcome| outcome.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::StepsFailed(failed)) }
}

/// One row per step, and last the sum of all runners, alone on its line.
fn table(outcomes: &[Outcome]) -> Vec<String> {
    let mut sum = Counts::default();
    let mut rows = Vec::new();
    for outcome in outcomes {
        let tests = match outcome.counts {
            Counts { passed: 0, failed: 0 } => String::new(),
            Counts { passed, failed } => format!("{passed} passed, {failed} failed"),
        };
        let verdict = if outcome.failed { "FAILED" } else { "ok" };
        let row = format!("  {:<12} {verdict:<7} {:>12}   {tests}", outcome.name, seconds(outcome.time));
        rows.push(row.trim_end().to_owned());
        sum += outcome.counts;
        // A step that failed without a failed test (it did not compile, say) is a failure too.
        if outcome.failed && outcome.counts.failed == 0 {
            sum.failed += 1;
        }
    }
    let total = outcomes.iter().map(|outcome| outcome.time).sum();
    rows.push(format!("  {:<12} {:<7} {:>12}", "in all", "", seconds(total)));
    rows.push(format!("{} passed, {} failed", sum.passed, sum.failed));
    rows
}

#[cfg(test)]
mod tests {
    use super::{Outcome, table};
    use crate::counts::Counts;
    use std::time::Duration;

    fn outcome(name: &'static str, failed: bool, counts: (u64, u64)) -> Outcome {
        Outcome { name, failed, time: Duration::from_secs(2), counts: Counts { passed: counts.0, failed: counts.1 } }
    }

    #[test]
    fn the_last_row_sums_tests_and_steps_that_failed_otherwise() {
        let rows = table(&[
            outcome("fmt", false, (0, 0)),
            outcome("clippy", true, (0, 0)),
            outcome("host-tests", true, (20, 2)),
            outcome("e2e", false, (3, 0)),
        ]);
        assert_eq!(rows.last().unwrap(), "23 passed, 3 failed");
        assert_eq!(rows[0], "  fmt          ok            2.00 s");
        assert_eq!(rows[2], "  host-tests   FAILED        2.00 s   20 passed, 2 failed");
    }
}
