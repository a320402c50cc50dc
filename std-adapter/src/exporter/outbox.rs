//! `Outbox`: the exporter's end for hosts without threads, such as a page: the host comes for requests, sends them in its own
//! way, and says what became of them.

use std::fmt;
use std::sync::Arc;

use super::chunk::Chunk;
use super::envelope::Envelope;
use super::fate::Fate;
use super::queue::{Queue, QueueLimits};
use super::stats::DropReason;
use super::worker::Source;
use super::{ExportOutcome, Request};

/// How much an [`Outbox`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Spans that may wait; those in threads' own buffers are not counted.
    pub queue_spans: usize,
    /// Bytes of spans that may wait.
    pub queue_bytes: usize,
    /// Spans in one request at most.
    pub batch_spans: usize,
}

impl Default for OutboxLimits {
    /// 2048 spans, 1 MiB, requests of 512.
    fn default() -> Self {
        Self { queue_spans: 2048, queue_bytes: 1 << 20, batch_spans: 512 }
    }
}

impl OutboxLimits {
    pub(super) fn of_queue(&self) -> QueueLimits {
        let queue_spans = self.queue_spans.max(1);
        QueueLimits {
            queue_spans,
            queue_bytes: self.queue_bytes,
            batch_spans: self.batch_spans.clamp(1, queue_spans),
            batch_bytes: usize::MAX,
        }
    }
}

/// Finished spans, to be fetched as requests; see [`PipelineBuilder::start_polled`](crate::pipeline::PipelineBuilder::start_polled).
pub struct Outbox {
    queue: Arc<Queue>,
    envelope: Arc<Envelope>,
    source: Box<dyn Source>,
}

impl Outbox {
    pub(super) fn new(queue: Arc<Queue>, envelope: Arc<Envelope>, source: Box<dyn Source>) -> Self {
        Self { queue, envelope, source }
    }

    /// Takes the oldest spans that fit into one request of `max_bytes`; `None` if none wait.
    ///
    /// A single span that does not fit comes alone, in a larger request: [`Parcel::size`] says so.
    #[must_use = "a parcel that is dropped goes back to where it was"]
    pub fn take(&self, max_bytes: usize) -> Option<Parcel> {
        self.collect();
        let hand = self.queue.take_batch_within(max_bytes.saturating_sub(self.envelope.overhead()))?;
        let mut parcel = Parcel {
            queue: Arc::clone(&self.queue),
            envelope: Arc::clone(&self.envelope),
            chunks: hand.chunks,
            spans: hand.spans,
            size: 0,
            attempts: 0,
        };
        parcel.size = parcel.assembled(|request| request.size());
        Some(parcel)
    }

    /// How many spans wait to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.collect();
        self.queue.waiting()
    }

    /// Moves what threads have ready into the queue, while there is room.
    fn collect(&self) {
        let room = self.queue.room();
        if room > 0 {
            self.source.drain(room, &mut |chunk| {
                if chunk.count() > 0 {
                    self.queue.accept(chunk);
                }
            });
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("stats", &self.queue.counters.read()).finish_non_exhaustive()
    }
}

/// Spans on their way. Dropped, they go back to where they were, so that none is lost.
pub struct Parcel {
    queue: Arc<Queue>,
    envelope: Arc<Envelope>,
    /// Empty once it is settled.
    chunks: Vec<Chunk>,
    spans: usize,
    size: usize,
    attempts: u32,
}

impl Parcel {
    /// How many spans there are.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// Size of the request in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// How often it was attempted to send it.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Shows the request for an attempt to send it, and counts that.
    pub fn attempt<R>(&mut self, work: impl FnOnce(&Request<'_>) -> R) -> R {
        self.queue.counters.attempt(self.attempts > 0);
        self.attempts = self.attempts.saturating_add(1);
        self.assembled(|request| work(&request))
    }

    /// Enters in the ledger what became of the spans. An outcome that may be retried means here that it will not be: the spans
    /// are given up.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is about one parcel")]
    pub fn settle(mut self, outcome: ExportOutcome) {
        let chunks = std::mem::take(&mut self.chunks);
        let all = |fate| (usize::MAX, fate, fate);
        let (first, fate, rest) = match outcome {
            ExportOutcome::Delivered => all(Fate::Delivered),
            // The collector says how many it refused, not which: the last ones stand for them.
            ExportOutcome::PartiallyRejected { rejected, .. } => {
                let rejected = usize::try_from(rejected).unwrap_or(usize::MAX);
                (self.spans.saturating_sub(rejected), Fate::Delivered, Fate::Rejected)
            }
            ExportOutcome::Rejected { .. } => all(Fate::Rejected),
            ExportOutcome::TooLarge { .. } => all(Fate::Dropped(DropReason::TooLarge)),
            ExportOutcome::Retryable { .. } => all(Fate::Dropped(DropReason::Undeliverable)),
        };
        self.queue.settle(&chunks, first, fate, rest);
    }

    fn assembled<R>(&self, work: impl FnOnce(Request<'_>) -> R) -> R {
        let mut framing = Vec::new();
        let parts = self.envelope.assemble(&self.chunks, &mut framing);
        work(Request::new(&parts, self.spans))
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.queue.put_back(std::mem::take(&mut self.chunks));
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spans, size, attempts, .. } = self;
        f.debug_struct("Parcel")
            .field("spans", spans)
            .field("size", size)
            .field("attempts", attempts)
            .finish_non_exhaustive()
    }
}
