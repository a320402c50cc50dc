//! What several exporters together made of each span: it counts once, as what the least successful of them made of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::chunk::Chunk;
use super::stats::{Counters, DropReason};

/// How a span ended for one exporter, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// The collector took it.
    Delivered,
    /// The collector refused it for good.
    Rejected,
    /// It was dropped here.
    Dropped(DropReason),
}

/// The spans of one chunk that several exporters send.
#[derive(Clone, Debug)]
pub(crate) struct Fates {
    totals: Arc<Counters>,
    spans: Arc<Mutex<Box<[Open]>>>,
}

/// One span that several exporters send.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// How many exporters have yet to say.
    waiting: u8,
    /// The worst that was said.
    worst: Fate,
    /// How many of them have it on disk.
    #[cfg_attr(not(feature = "spool"), expect(dead_code, reason = "only a spool puts spans on disk"))]
    spooled: u8,
}

impl Fates {
    /// `count` spans that go to `exporters` exporters. What becomes of each is added to `totals` when the last of them has
    /// said so.
    pub(crate) fn new(totals: Arc<Counters>, count: usize, exporters: usize) -> Self {
        totals.received(count);
        let waiting = u8::try_from(exporters).unwrap_or(u8::MAX);
        let open = Open { waiting, worst: Fate::Delivered, spooled: 0 };
        Self { totals, spans: Arc::new(Mutex::new(vec![open; count].into())) }
    }
}

/// The spans from one place of a chunk on, as cutting a chunk makes them.
#[derive(Clone, Debug)]
pub(super) struct FatesRange {
    fates: Fates,
    start: usize,
}

impl FatesRange {
    pub(super) const fn new(fates: Fates) -> Self {
        Self { fates, start: 0 }
    }

    pub(super) fn behind(&self, spans: usize) -> Self {
        Self { fates: self.fates.clone(), start: self.start + spans }
    }

    /// One exporter has settled the spans `from..to`.
    pub(super) fn settle(&self, from: usize, to: usize, fate: Fate) {
        let mut spans = self.fates.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (self.start + from, self.start + to);
        let mut run = (Fate::Delivered, 0);
        for span in spans.get_mut(from..to).unwrap_or_default() {
            span.worst = fate.max(span.worst);
            span.waiting = span.waiting.saturating_sub(1);
            if span.waiting > 0 {
                continue;
            }
            if run.0 != span.worst {
                self.fates.totals.settled(run.0, run.1);
                run = (span.worst, 0);
            }
            run.1 += 1;
        }
        self.fates.totals.settled(run.0, run.1);
    }

    /// One exporter has put the first `count` spans on disk, or has them there no longer.
    #[cfg(feature = "spool")]
    fn spooled(&self, count: usize, is_spooled: bool) {
        let mut spans = self.fates.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = 0;
        for span in spans.get_mut(self.start..self.start + count).unwrap_or_default() {
            let was_spooled = span.spooled > 0;
            span.spooled = if is_spooled { span.spooled.saturating_add(1) } else { span.spooled.saturating_sub(1) };
            changed += u64::from(was_spooled != (span.spooled > 0));
        }
        if is_spooled { self.fates.totals.spooled(changed) } else { self.fates.totals.unspooled(changed) }
    }
}

/// What is needed to say of the spans of some chunks what became of them, without the chunks.
#[derive(Debug)]
pub(crate) struct Parts(Vec<(FatesRange, usize)>);

impl Parts {
    /// The spans of `chunks`: nothing where one exporter sends them alone.
    pub(crate) fn of(chunks: &[Chunk]) -> Self {
        Self(chunks.iter().filter_map(|chunk| Some((chunk.fates()?.clone(), chunk.count()))).collect())
    }

    /// Enters what became of the `first` spans and of the rest.
    pub(crate) fn settle(&self, first: usize, fate: Fate, rest: Fate) {
        let mut left = first;
        for (fates, count) in &self.0 {
            let cut = left.min(*count);
            fates.settle(0, cut, fate);
            fates.settle(cut, *count, rest);
            left -= cut;
        }
    }

    /// Enters that the spans lie on disk, or no longer do.
    #[cfg(feature = "spool")]
    pub(crate) fn spooled(&self, is_spooled: bool) {
        self.0.iter().for_each(|(fates, count)| fates.spooled(*count, is_spooled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_once_as_the_least_successful_exporter_left_it() {
        let totals = Arc::new(Counters::default());
        let whole = FatesRange::new(Fates::new(Arc::clone(&totals), 10, 3));
        whole.settle(0, 10, Fate::Delivered);
        whole.settle(0, 10, Fate::Delivered);
        assert_eq!((totals.read().delivered, totals.read().pending), (0, 10), "one has not said yet");
        let back = whole.behind(4);
        whole.settle(0, 2, Fate::Delivered);
        whole.settle(2, 4, Fate::Rejected);
        back.settle(0, 5, Fate::Dropped(DropReason::QueueFull));
        back.settle(5, 6, Fate::Delivered);
        let stats = totals.read();
        assert_eq!((stats.received, stats.delivered, stats.rejected, stats.dropped.queue_full), (10, 3, 2, 5));
        assert_eq!(stats.pending, 0);
    }

    #[test]
    fn the_worst_wins_in_whatever_order_it_is_said() {
        let fates = [Fate::Rejected, Fate::Dropped(DropReason::Shutdown), Fate::Delivered];
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]] {
            let totals = Arc::new(Counters::default());
            let span = FatesRange::new(Fates::new(Arc::clone(&totals), 1, 3));
            order.into_iter().for_each(|index| span.settle(0, 1, fates[index]));
            assert_eq!((totals.read().dropped.shutdown, totals.read().pending), (1, 0));
        }
    }
}
