//! How each comparison went, printed as it ends and summed up at the end.

use std::process::ExitCode;

/// How one comparison went. `Err` is what differs, or what went wrong on the way.
pub(crate) type Outcome = Result<String, Vec<String>>;

/// All comparisons so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    equal: usize,
    different: usize,
    not_run: usize,
}

impl Report {
    /// Enters and prints how a comparison went.
    pub(crate) fn enter(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(note) => {
                self.equal += 1;
                println!("  equal      {name}: {note}");
            }
            Err(differences) => {
                self.different += 1;
                println!("  DIFFERENT  {name}");
                differences.iter().for_each(|line| println!("               {line}"));
            }
        }
    }

    /// Enters and prints that something could not be tried.
    pub(crate) fn not_run(&mut self, name: &str, reason: &str) {
        self.not_run += 1;
        println!("  not run    {name}: {reason}");
    }

    /// Prints the sum. Something that differs is a failure; nothing compared at all is one too.
    pub(crate) fn finish(self) -> ExitCode {
        let Self { equal, different, not_run } = self;
        println!("{equal} equal, {different} different, {not_run} not run");
        if different == 0 && equal > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Where a program is, by the variable that says it; else why it is not there.
pub(crate) fn found(variable: &str) -> Result<String, String> {
    std::env::var(variable).map_err(|_| {
        std::env::var(format!("{variable}_MISSING")).unwrap_or_else(|_| format!("{variable} does not say where it is"))
    })
}
