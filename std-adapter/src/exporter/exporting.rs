//! What the exporter thread does: it collects, sends, retries, and keeps the ledger.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::disk::Disk;
use super::envelope::Envelope;
use super::fate::Fate;
use super::hand::{Hand, Place};
use super::queue::{Call, Queue};
use super::report::Reporter;
use super::retry::{Decision, Retry};
use super::settings::after;
use super::stats::DropReason;
use super::worker::Source;
use super::{ExportOutcome, Request, SpanExporter};
use crate::time::Instant;

/// The longest a collector can keep us from sending, whatever its `Retry-After` says: a clock that is wrong by a year
/// must not end tracing.
const LONGEST_THROTTLE: Duration = Duration::from_secs(300);
/// How often the ledger is looked at while waiting for the collector.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How soon the thread looks for more after it has sent something, and how often before it sleeps until it is woken: threads that
/// finish spans all the time need not wake it.
const NAP: Duration = Duration::from_millis(2);
const NAPS: u32 = 25;

/// Everything the exporter thread owns.
pub(super) struct Exporting {
    pub(super) queue: Arc<Queue>,
    pub(super) schedule_delay: Duration,
    pub(super) export_timeout: Option<Duration>,
    pub(super) retry: Retry,
    pub(super) random: Box<dyn FnMut() -> f64 + Send>,
    pub(super) reporter: Reporter,
    pub(super) envelope: Arc<Envelope>,
    pub(super) exporter: Box<dyn SpanExporter>,
    pub(super) source: Arc<dyn Source>,
    pub(super) disk: Option<Arc<Disk>>,
    /// The collector is to be left alone until then.
    pub(super) throttled_until: Option<Instant>,
    pub(super) framing: Vec<u8>,
}

/// Announces the end of the exporter thread even if it ends by a panic, so that nobody waits for it in vain.
pub(super) struct End(pub(super) Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.finish();
        self.0.announce_end();
    }
}

impl Exporting {
    pub(super) fn run(mut self) {
        let mut due_at = after(self.schedule_delay);
        let mut naps = 0;
        loop {
            self.replay();
            let call = self.queue.wait_for_work(due_at, (naps > 0).then_some(NAP));
            let has_sent = self.export_queue(call);
            naps = if has_sent { NAPS } else { naps.saturating_sub(1) };
            if call.is_due {
                due_at = after(self.schedule_delay);
            }
            if call.is_shutdown {
                break;
            }
            observe(&mut self.reporter, &self.queue);
        }
        if let Some(disk) = &self.disk {
            disk.close();
        }
        // Spans that ended after the last look are counted too.
        self.collect(usize::MAX);
        if let Some(disk) = &self.disk {
            disk.keep_rest();
        }
        self.tell_notes();
        self.queue.finish();
        shielded(|| self.exporter.shutdown());
        self.reporter.finish(Instant::now(), &self.queue.counters.read());
    }

    /// Sends what is in the queue now: all of it where it is due, else only whole batches. Answers whether there was any.
    fn export_queue(&mut self, call: Call) -> bool {
        if self.is_away() {
            return false;
        }
        let room = self.queue.room();
        let may_collect = call.is_shutdown || room > 0;
        if may_collect {
            // What is due is fetched whole, so that a flush reaches all that ended before it.
            self.collect(if call.is_due { usize::MAX } else { room });
        }
        let mut has_sent = self.send(call.is_due);
        if call.is_due && !may_collect && !self.is_away() {
            // Now there is room for what had to stay in the buffers, and it is due as well.
            self.collect(usize::MAX);
            has_sent |= self.send(true);
        }
        // What goes to the disk is flushed when it is there.
        if !self.is_away() {
            self.queue.flushed(call.flush);
        }
        has_sent
    }

    /// Sends all that waits, or only whole batches. Answers whether there was any.
    fn send(&mut self, is_due: bool) -> bool {
        let mut owed = self.queue.owed(is_due);
        let has_any = owed > 0;
        while owed > 0 && !self.is_away() && self.wait_for_permission() {
            let Some(hand) = self.queue.take_batch() else { break };
            owed = owed.saturating_sub(hand.spans);
            self.deliver(hand);
            observe(&mut self.reporter, &self.queue);
            // There is room now for what had to stay in the buffers while there was none.
            self.queue.wake();
        }
        has_any
    }

    /// Whether batches go to the disk.
    fn is_away(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.is_away())
    }

    /// Moves what the application's threads have ready into the queue, or as much as is `enough`.
    fn collect(&self, enough: usize) {
        drain(self.source.as_ref(), &self.queue, enough);
    }

    /// Waits out a throttle. Returns false where a shutdown comes first.
    pub(super) fn wait_for_permission(&mut self) -> bool {
        let until = self.throttled_until.take().unwrap_or_else(Instant::now);
        if until <= Instant::now() {
            return self.queue.shutdown_deadline().is_none_or(|deadline| Instant::now() < deadline);
        }
        let may_send = self.pause(until);
        if !may_send {
            self.throttled_until = Some(until);
        }
        may_send
    }

    /// Delivers one batch, with as many attempts as its time limit allows, and enters the outcome in the ledger. With a disk
    /// spool there is one attempt: a batch that may be taken later goes to the disk, and so do those behind it.
    fn deliver(&mut self, hand: Hand) {
        let hand = Arc::new(hand);
        let limit = self.limit();
        let envelope = Arc::clone(&self.envelope);
        let mut framing = std::mem::take(&mut self.framing);
        let parts = envelope.assemble(&hand.chunks, &mut framing);
        let request = Request::new(&parts, hand.spans);
        if let Some(disk) = &self.disk {
            disk.begin_attempt(&hand);
        }
        let mut is_repeated = false;
        let (fate, asked) = loop {
            match self.attempt(&request, limit, is_repeated) {
                ExportOutcome::Retryable { after, .. } if self.disk.is_some() => break (None, after),
                ExportOutcome::Retryable { after, .. } => match self.wait_for_retry(limit, after) {
                    Some(reason) => break (Some(Settled::all(Fate::Dropped(reason))), None),
                    None => is_repeated = true,
                },
                outcome => break (Some(self.settled(outcome, hand.spans)), None),
            }
        };
        drop(parts);
        self.framing = framing;
        match (fate, &self.disk) {
            (Some(settled), None) => self.queue.settle(&hand.chunks, settled.first, settled.fate, settled.rest),
            (Some(settled), Some(disk)) => {
                disk.end_attempt();
                let mut place = hand.place();
                match *place {
                    Place::Memory => self.queue.settle(&hand.chunks, settled.first, settled.fate, settled.rest),
                    Place::Disk => disk.settle(hand.number, settled.first, settled.fate, settled.rest),
                    Place::Settled => {}
                }
                *place = Place::Settled;
            }
            (None, Some(disk)) => {
                disk.take_over(&hand);
                self.back_off(asked);
            }
            // Without a disk there is an outcome.
            (None, None) => {}
        }
    }

    /// When the time for one batch is over.
    pub(super) fn limit(&self) -> Option<Instant> {
        self.export_timeout.and_then(|timeout| Instant::now().checked_add(timeout))
    }

    /// One attempt; a panic of the exporter costs this batch, not the thread.
    pub(super) fn attempt(
        &mut self,
        request: &Request<'_>,
        limit: Option<Instant>,
        is_repeated: bool,
    ) -> ExportOutcome {
        self.queue.counters.attempt(is_repeated);
        let deadline = limit.into_iter().chain(self.queue.shutdown_deadline()).min();
        let outcome = shielded(|| self.exporter.export(request, deadline))
            .unwrap_or_else(|| ExportOutcome::Rejected { reason: "the exporter panicked".to_owned() });
        if let ExportOutcome::Retryable { reason, .. } = &outcome {
            self.reporter.note_error(reason.clone());
            // The disk spool has lines of its own.
            if self.disk.is_none() {
                self.reporter.waits(Instant::now());
            }
        } else {
            self.retry.settle();
            self.reporter.answers(Instant::now());
        }
        outcome
    }

    /// Waits for the next attempt at a batch whose time is over at `limit`; `asked` is what the collector asked for. If there
    /// will be none, the reason why the batch is dropped.
    fn wait_for_retry(&mut self, limit: Option<Instant>, asked: Option<Duration>) -> Option<DropReason> {
        let now = Instant::now();
        // The shutdown may have begun during the attempt.
        let closing = self.queue.shutdown_deadline();
        let deadline = limit.into_iter().chain(closing).min();
        match self.retry.decide(now, asked, deadline, (self.random)()) {
            Decision::RetryAt(at) if self.pause(at) => None,
            Decision::RetryAt(_) => Some(DropReason::Shutdown),
            Decision::GiveUp { not_before } => {
                self.throttle(now, not_before);
                // The limit of this batch would have allowed for another attempt, had there been no shutdown.
                let is_cut_short = closing.is_some() && deadline == closing;
                Some(if is_cut_short { DropReason::Shutdown } else { DropReason::Undeliverable })
            }
        }
    }

    /// Leaves the collector alone for as long as it asked for, or for a while that grows.
    pub(super) fn back_off(&mut self, asked: Option<Duration>) {
        let now = Instant::now();
        let not_before = match self.retry.decide(now, asked, None, (self.random)()) {
            Decision::RetryAt(at) => Some(at),
            Decision::GiveUp { not_before } => not_before,
        };
        self.throttle(now, not_before);
    }

    fn throttle(&mut self, now: Instant, not_before: Option<Instant>) {
        let longest = now + LONGEST_THROTTLE;
        self.throttled_until = Some(not_before.map_or(longest, |at| at.min(longest)));
    }

    /// Waits for the next attempt; meanwhile relieves threads whose buffers fill up, while there is room, and reports
    /// losses. Returns false where a shutdown leaves no time for that attempt.
    fn pause(&mut self, until: Instant) -> bool {
        let Self { queue, source, reporter, disk, .. } = self;
        queue.pause(until, REPORT_EVERY, || {
            let room = queue.room();
            if room > 0 && !disk.as_ref().is_some_and(|disk| disk.is_away()) {
                drain(source.as_ref(), queue, room);
            }
            observe(reporter, queue);
        })
    }

    /// What an outcome that is not to be retried means for the spans of a request.
    pub(super) fn settled(&mut self, outcome: ExportOutcome, spans: usize) -> Settled {
        let reporter = &mut self.reporter;
        match outcome {
            ExportOutcome::Delivered => Settled::all(Fate::Delivered),
            ExportOutcome::PartiallyRejected { rejected, message } => {
                if rejected > 0 {
                    reporter.note_error(message);
                } else {
                    reporter.warn(message);
                }
                // The collector says how many it refused, not which: the last ones stand for them.
                let first = spans.saturating_sub(usize::try_from(rejected).unwrap_or(usize::MAX));
                Settled { first, fate: Fate::Delivered, rest: Fate::Rejected }
            }
            ExportOutcome::Rejected { reason } => {
                reporter.note_error(reason);
                Settled::all(Fate::Rejected)
            }
            ExportOutcome::TooLarge { bytes, limit } => {
                reporter.note_error(format!("a request of {bytes} bytes is over the limit of {limit}"));
                Settled::all(Fate::Dropped(DropReason::TooLarge))
            }
            ExportOutcome::Retryable { reason, .. } => {
                reporter.note_error(reason);
                Settled::all(Fate::Dropped(DropReason::Undeliverable))
            }
        }
    }
}

/// What became of the spans of a request: of the first ones, and of the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) first: usize,
    pub(super) fate: Fate,
    pub(super) rest: Fate,
}

impl Settled {
    const fn all(fate: Fate) -> Self {
        Self { first: usize::MAX, fate, rest: fate }
    }
}

/// Runs the program's own code. The panic hook has reported a panic; nothing of ours is in the middle of a change meanwhile.
pub(super) fn shielded<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Reports losses that begin or end; during a shutdown they are summed up in one line at its end.
pub(super) fn observe(reporter: &mut Reporter, queue: &Queue) {
    if !queue.is_shut_down() {
        reporter.observe(Instant::now(), &queue.counters.read());
    }
}

fn drain(source: &dyn Source, queue: &Queue, enough: usize) {
    source.drain(enough, &mut |chunk| {
        if chunk.count() > 0 {
            queue.accept(chunk);
        }
    });
}
