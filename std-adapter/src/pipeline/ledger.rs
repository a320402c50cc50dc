//! The ledger: what became of every span that was started.

use std::fmt;
use std::sync::atomic::Ordering;

use super::lane::Counters;
use super::tail::TailCounts;
use crate::exporter::{Dropped, Inherited, REJECTED, Stats, write_counts};

/// What became of every recorded span, at one moment. Nothing is missing:
/// `started = delivered + rejected + dropped() + not_exported + pending`.
///
/// Where spans go to several destinations, each counts once, as the least successful of them left it: `delivered` is what every
/// collector took, `rejected` what none of us dropped but a collector refused, `dropped` what was dropped on the way to any of
/// them (of several reasons the last one in [`Dropped`]), and `pending` what one of them has still to settle.
/// [`Pipeline::ledgers`](crate::Pipeline::ledgers) tells them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Recorded spans that have begun. Spans that the sampler dropped at their start are not among them.
    pub started: u64,
    /// Spans that the collector took.
    pub delivered: u64,
    /// Spans that the collector refused for good.
    pub rejected: u64,
    /// Spans dropped because the buffer of their thread was full, or their thread was being torn down.
    pub dropped_buffer_full: u64,
    /// Spans that the exporter thread dropped, by reason.
    pub dropped_exporting: Dropped,
    /// Spans of traces that the tail rule did not keep; see [`TailSampling`](crate::pipeline::TailSampling).
    pub dropped_by_tail_rule: u64,
    /// Spans of traces that the tail rule could not decide about, because they waited too long for their local root, or for
    /// want of memory.
    pub dropped_undecided: u64,
    /// Spans that a processor held back, or that were recorded for processors only.
    pub not_exported: u64,
    /// Spans that go on, wait, lie on disk, or are on their way.
    pub pending: u64,
    /// Those of the pending spans that are safe on disk (feature `spool`): at least one destination has them there.
    pub spooled: u64,
    /// Spans that could not be recorded, because a sampler started them while it decided about another one, or their thread was
    /// being torn down. They are not among those that have begun.
    pub refused_starts: u64,
    /// Attributes, events and links that finished spans had to refuse, and texts that were cut.
    pub dropped_content: u64,
}

impl Ledger {
    /// Spans dropped here, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_buffer_full + self.dropped_exporting.total() + self.dropped_by_tail_rule + self.dropped_undecided
    }

    pub(super) fn new(
        totals: &Totals,
        dropped_late: u64,
        refused_starts: u64,
        tail: TailCounts,
        export: Stats,
    ) -> Self {
        let mut ledger = Self {
            started: totals.started,
            delivered: export.delivered,
            rejected: export.rejected,
            dropped_buffer_full: totals.dropped_full + dropped_late,
            dropped_exporting: export.dropped,
            dropped_by_tail_rule: tail.discarded,
            dropped_undecided: tail.undecided,
            not_exported: totals.not_exported,
            pending: 0,
            spooled: export.spooled,
            refused_starts,
            dropped_content: totals.dropped_content,
        };
        let ended = ledger.delivered + ledger.rejected + ledger.dropped() + ledger.not_exported;
        // Threads go on while their counters are added up, so an end may be seen whose start was not.
        ledger.started = ledger.started.max(ended);
        ledger.pending = ledger.started - ended;
        ledger
    }
}

impl fmt::Display for Ledger {
    /// One line for people: how many spans have begun, and what became of them, without the numbers that are zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "started {}", self.started)?;
        let done = [
            ("delivered", self.delivered),
            (REJECTED, self.rejected),
            ("thread's buffer full", self.dropped_buffer_full),
        ];
        let others = [
            ("not kept by the tail rule", self.dropped_by_tail_rule),
            ("undecided by the tail rule", self.dropped_undecided),
            ("not exported", self.not_exported),
            ("pending", self.pending),
        ];
        write_counts(f, ": ", done.into_iter().chain(self.dropped_exporting.reasons()).chain(others))?;
        write_counts(f, "; ", [("refused starts", self.refused_starts), ("dropped content", self.dropped_content)])
    }
}

/// What one destination made of the spans. `ledger` is as exact as that of the whole, with the same number of spans started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExporterLedger<'p> {
    /// The destination's name.
    pub name: &'p str,
    /// What became of every recorded span on its way there.
    pub ledger: Ledger,
    /// Attempts to deliver a request.
    pub attempts: u64,
    /// Attempts that repeated an earlier one.
    pub retries: u64,
    /// What an earlier process left in the disk spool; not part of the ledger.
    pub inherited: Inherited,
}

impl<'p> ExporterLedger<'p> {
    pub(super) fn new(name: &'p str, export: Stats, ledger: impl FnOnce(Stats) -> Ledger) -> Self {
        Self {
            name,
            ledger: ledger(export),
            attempts: export.attempts,
            retries: export.retries,
            inherited: export.inherited,
        }
    }
}

/// Sums over threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    started: u64,
    not_exported: u64,
    dropped_full: u64,
    dropped_content: u64,
}

impl Totals {
    pub(super) fn add(&mut self, thread: &Counters) {
        self.started += thread.started.load(Ordering::Relaxed);
        self.not_exported += thread.not_exported.load(Ordering::Relaxed);
        self.dropped_full += thread.dropped_full.load(Ordering::Relaxed);
        self.dropped_content += thread.dropped_content.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_reads_as_a_line_whose_numbers_add_up() {
        assert_eq!(Ledger::default().to_string(), "started 0");
        let dropped_exporting = Dropped { undeliverable: 3, spool_failed: 1, ..Dropped::default() };
        let ledger = Ledger { started: 15, delivered: 9, rejected: 2, dropped_exporting, ..Ledger::default() };
        let expected = "started 15: delivered 9, refused by the collector 2, not delivered in time 3, spool failed 1";
        assert_eq!(ledger.to_string(), expected);
        let ledger = Ledger {
            started: 1 + 2 + 4 + 8 + 16,
            dropped_buffer_full: 1,
            dropped_by_tail_rule: 2,
            dropped_undecided: 4,
            not_exported: 8,
            pending: 16,
            refused_starts: 5,
            dropped_content: 6,
            ..Ledger::default()
        };
        let expected = "started 31: thread's buffer full 1, not kept by the tail rule 2, undecided by the tail rule 4, \
                        not exported 8, pending 16; refused starts 5, dropped content 6";
        assert_eq!(ledger.to_string(), expected);
    }
}
