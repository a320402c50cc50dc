//! The ledger of spans: what came in, and what became of it, readable at any time from any thread.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fate::Fate;

/// Why a span was dropped by us, rather than refused by the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// Too many spans were waiting already.
    QueueFull,
    /// Every attempt within the time limit failed.
    Undeliverable,
    /// The request was over the size limit of OTLP.
    TooLarge,
    /// The exporter was shut down first.
    Shutdown,
    /// The disk spool was full.
    SpoolFull,
    /// The disk spool could not be written, or was damaged.
    SpoolFailed,
}

/// Spans dropped, by [`DropReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// [`DropReason::QueueFull`]
    pub queue_full: u64,
    /// [`DropReason::Undeliverable`]
    pub undeliverable: u64,
    /// [`DropReason::TooLarge`]
    pub too_large: u64,
    /// [`DropReason::Shutdown`]
    pub shutdown: u64,
    /// [`DropReason::SpoolFull`]
    pub spool_full: u64,
    /// [`DropReason::SpoolFailed`]
    pub spool_failed: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.queue_full + self.undeliverable + self.too_large + self.shutdown + self.spool_full + self.spool_failed
    }

    /// The reasons in words.
    pub(crate) const fn reasons(&self) -> [(&'static str, u64); 6] {
        [
            ("queue full", self.queue_full),
            ("not delivered in time", self.undeliverable),
            ("too large", self.too_large),
            ("shut down", self.shutdown),
            ("spool full", self.spool_full),
            ("spool failed", self.spool_failed),
        ]
    }
}

/// The ledger at one moment: `received = delivered + rejected + dropped.total() + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Spans handed over.
    pub received: u64,
    /// Spans that the collector took.
    pub delivered: u64,
    /// Spans that the collector refused for good.
    pub rejected: u64,
    /// Spans dropped here.
    pub dropped: Dropped,
    /// Spans waiting, on disk, or on their way.
    pub pending: u64,
    /// Those of the pending spans that are safe on disk (feature `spool`).
    pub spooled: u64,
    /// What an earlier process left on disk; not part of the other numbers.
    pub inherited: Inherited,
    /// Attempts to deliver a request.
    pub attempts: u64,
    /// Attempts that repeated an earlier one.
    pub retries: u64,
}

/// What became of the spans that an earlier process left in the disk spool:
/// `found = delivered + rejected + dropped + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inherited {
    /// Spans that were on disk when the pipeline started.
    pub found: u64,
    /// Spans that the collector took since.
    pub delivered: u64,
    /// Spans that the collector refused for good.
    pub rejected: u64,
    /// Spans dropped because the spool was full, could not be written, or was damaged; or too large to be sent.
    pub dropped: u64,
    /// Spans still on disk.
    pub waiting: u64,
}

impl Stats {
    /// Spans that will never arrive.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.rejected + self.dropped.total()
    }
}

impl fmt::Display for Stats {
    /// The lost spans by reason, without the reasons that did not occur.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [queue_full, undeliverable, others @ ..] = self.dropped.reasons();
        let rejected = (REJECTED, self.rejected);
        write_counts(f, "", [queue_full, undeliverable, rejected].into_iter().chain(others))
    }
}

/// What [`Stats::rejected`] is called.
pub(crate) const REJECTED: &str = "refused by the collector";

/// Writes `before` and the counts that are not zero; nothing if all of them are.
pub(crate) fn write_counts(
    f: &mut fmt::Formatter<'_>,
    before: &str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    for (index, (name, count)) in counts.into_iter().filter(|(_, count)| *count > 0).enumerate() {
        let before = if index == 0 { before } else { ", " };
        write!(f, "{before}{name} {count}")?;
    }
    Ok(())
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    received: AtomicU64,
    delivered: AtomicU64,
    rejected: AtomicU64,
    queue_full: AtomicU64,
    undeliverable: AtomicU64,
    too_large: AtomicU64,
    shutdown: AtomicU64,
    spool_full: AtomicU64,
    spool_failed: AtomicU64,
    spooled: AtomicU64,
    inherited: [AtomicU64; 4],
    attempts: AtomicU64,
    retries: AtomicU64,
}

impl Counters {
    /// Must be called before the same spans are counted as anything else.
    pub(super) fn received(&self, spans: usize) {
        self.received.fetch_add(spans as u64, Ordering::Relaxed);
    }

    pub(super) fn delivered(&self, spans: u64) {
        self.delivered.fetch_add(spans, Ordering::Release);
    }

    pub(super) fn rejected(&self, spans: u64) {
        self.rejected.fetch_add(spans, Ordering::Release);
    }

    pub(super) fn dropped(&self, reason: DropReason, spans: u64) {
        let counter = match reason {
            DropReason::QueueFull => &self.queue_full,
            DropReason::Undeliverable => &self.undeliverable,
            DropReason::TooLarge => &self.too_large,
            DropReason::Shutdown => &self.shutdown,
            DropReason::SpoolFull => &self.spool_full,
            DropReason::SpoolFailed => &self.spool_failed,
        };
        counter.fetch_add(spans, Ordering::Release);
    }

    /// What became of some spans.
    pub(crate) fn settled(&self, fate: Fate, spans: u64) {
        match fate {
            Fate::Delivered => self.delivered(spans),
            Fate::Rejected => self.rejected(spans),
            Fate::Dropped(reason) => self.dropped(reason, spans),
        }
    }

    /// Spans have reached the disk. Counted before they can be settled.
    #[cfg(feature = "spool")]
    pub(crate) fn spooled(&self, spans: u64) {
        self.spooled.fetch_add(spans, Ordering::Release);
    }

    /// Spans are no longer on disk.
    #[cfg(feature = "spool")]
    pub(crate) fn unspooled(&self, spans: u64) {
        self.spooled.fetch_sub(spans, Ordering::Relaxed);
    }

    /// An earlier process left spans on disk.
    #[cfg(feature = "spool")]
    pub(crate) fn inherited(&self, spans: usize) {
        self.inherited[0].fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// What became of spans that an earlier process left on disk.
    #[cfg(feature = "spool")]
    pub(crate) fn settled_inherited(&self, fate: Fate, spans: u64) {
        let index = match fate {
            Fate::Delivered => 1,
            Fate::Rejected => 2,
            Fate::Dropped(_) => 3,
        };
        self.inherited[index].fetch_add(spans, Ordering::Release);
    }

    fn read_inherited(&self) -> Inherited {
        let [found, delivered, rejected, dropped] = &self.inherited;
        let [delivered, rejected, dropped] = [delivered, rejected, dropped].map(|count| count.load(Ordering::Acquire));
        let found = found.load(Ordering::Acquire);
        Inherited { found, delivered, rejected, dropped, waiting: found - delivered - rejected - dropped }
    }

    pub(super) fn attempt(&self, is_repeated: bool) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(u64::from(is_repeated), Ordering::Relaxed);
    }

    /// The ledger now. What became of spans is read before how many came in, so `pending` is never negative.
    pub(crate) fn read(&self) -> Stats {
        let mut stats = Stats {
            delivered: self.delivered.load(Ordering::Acquire),
            rejected: self.rejected.load(Ordering::Acquire),
            dropped: Dropped {
                queue_full: self.queue_full.load(Ordering::Acquire),
                undeliverable: self.undeliverable.load(Ordering::Acquire),
                too_large: self.too_large.load(Ordering::Acquire),
                shutdown: self.shutdown.load(Ordering::Acquire),
                spool_full: self.spool_full.load(Ordering::Acquire),
                spool_failed: self.spool_failed.load(Ordering::Acquire),
            },
            inherited: self.read_inherited(),
            spooled: self.spooled.load(Ordering::Acquire),
            attempts: self.attempts.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Acquire),
            pending: 0,
        };
        stats.pending = stats.received.saturating_sub(stats.delivered + stats.lost());
        stats
    }
}
