//! What a library implements to have a row in the table.

use crate::case::{Case, Mode};
use crate::routine::Routine;

/// A library in one configuration: one row.
pub trait Library {
    /// The row's label.
    fn label(&self) -> &'static str;

    /// The name that selects the row on the command line.
    fn name(&self) -> &'static str;

    /// Sets up the process for `mode`, or answers that the library has nothing to measure there.
    ///
    /// Called once in a process.
    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>>;
}

/// A library that has been set up in this process.
pub trait Installed: Sync {
    /// The measured work of `case` for the calling thread, if the library can do it.
    fn routine(&self, case: Case) -> Option<Routine>;

    /// Returns when everything that was handed over has reached the exporter.
    fn flush(&self) {}

    /// Like [`flush`](Self::flush), also for what the library has put by until this thread records more. Called where spans are
    /// counted; nothing of it may arrive as a span.
    fn settle(&self) {
        self.flush();
    }

    /// What is measured and checked of this row.
    fn role(&self) -> Role {
        Role::Recorder
    }

    /// Spans dropped so far by the library's own account, if it lets the program read one.
    fn dropped(&self) -> Option<u64> {
        None
    }
}

/// How much of a tracing library a row is; each role is measured in more ways than the one before.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Something to compare with: only timed.
    Baseline,
    /// Spans that nobody records: allocations are counted too.
    Facade,
    /// Recorded spans that end in [`arrivals`](crate::arrivals): what arrives is checked too.
    Recorder,
    /// Spans that go through a queue to an exporter: CPU time outside the caller is measured too.
    Pipeline,
}
