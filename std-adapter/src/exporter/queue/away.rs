//! The queue's part in the disk spool: who takes batches out while the collector is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Queue, QueueLimits, State};
use crate::exporter::hand::Hand;

/// How long an attempt may take before spans that pile up behind it, or that somebody flushes, are put on disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the spool's thread sleeps while there is nothing it could do.
const LONG: Duration = Duration::from_secs(3600);

/// What the queue knows of the disk spool.
#[derive(Debug, Default)]
pub(super) struct DiskState {
    /// The collector is away, or there are spans on disk that come first: batches go to the disk.
    pub(super) is_away: bool,
    /// The spool's thread has batches in its hands.
    is_keeping: bool,
    /// The batch that the exporter thread is trying to deliver, and since when.
    attempt: Option<(Arc<Hand>, Instant)>,
    /// The exporter thread does the rest itself.
    is_closing: bool,
}

/// What the spool's thread has to do.
#[derive(Debug)]
pub(in crate::exporter) struct KeepCall {
    /// The newest flush asked for.
    pub(in crate::exporter) flush: u64,
    /// Everything must reach the disk now, not only whole batches.
    pub(in crate::exporter) is_due: bool,
    /// A batch whose attempt hangs.
    pub(in crate::exporter) hand: Option<Arc<Hand>>,
}

impl Queue {
    /// Whether batches go to the disk.
    pub(in crate::exporter) fn is_away(&self) -> bool {
        self.lock().disk.is_away
    }

    /// Has batches go to the disk from now on.
    pub(in crate::exporter) fn go_away(&self) {
        self.lock().disk.is_away = true;
        self.work.notify_all();
    }

    /// Has batches go to the collector again, if nothing is left on disk or on its way there. Returns whether they do.
    pub(in crate::exporter) fn come_back(&self, is_empty: impl FnOnce() -> bool) -> bool {
        let mut state = self.lock();
        // Looked at last: what is no longer in the hands of the spool's thread is on disk.
        if state.disk.is_keeping || !is_empty() {
            return false;
        }
        state.disk.is_away = false;
        true
    }

    /// Says that an attempt begins.
    pub(in crate::exporter) fn begin_attempt(&self, hand: &Arc<Hand>) {
        self.lock().disk.attempt = Some((Arc::clone(hand), Instant::now()));
        self.work.notify_all();
    }

    /// Says that the attempt has ended.
    pub(in crate::exporter) fn end_attempt(&self) {
        self.lock().disk.attempt = None;
    }

    /// Has the spool's thread end.
    pub(in crate::exporter) fn close_disk(&self) {
        self.lock().disk.is_closing = true;
        self.work.notify_all();
    }

    /// Waits until there is something to be put on disk; `None` at the end. Until [`Queue::kept`] is called the spool's thread is
    /// taken to have batches in its hands.
    pub(in crate::exporter) fn wait_to_keep(&self, due_at: Instant) -> Option<KeepCall> {
        let mut state = self.lock();
        loop {
            if state.disk.is_closing {
                return None;
            }
            let now = Instant::now();
            let is_flush = state.flush_wanted > state.flush_done;
            let is_shutdown = state.shutdown_by.is_some();
            let is_woken = self.is_woken.load(Ordering::Acquire);
            if !state.disk.is_away
                && state.is_held_up(now)
                && (is_flush || is_shutdown || is_woken || self.limits.presses(&state))
            {
                state.disk.is_away = true;
            }
            if state.disk.is_away {
                let is_due = is_flush || due_at <= now || is_shutdown && state.spans > 0;
                let is_woken = self.take_wake();
                if is_due || is_woken || self.limits.is_worth_sending(&state) {
                    state.disk.is_keeping = true;
                    let hand = state.disk.attempt.as_ref().map(|(hand, _)| Arc::clone(hand));
                    return Some(KeepCall { flush: state.flush_wanted, is_due, hand });
                }
            }
            let left = match &state.disk.attempt {
                _ if state.disk.is_away => due_at.saturating_duration_since(now),
                Some(_) => PATIENCE / 4,
                None => LONG,
            };
            state = self.wait_on_work(state, left);
        }
    }

    /// Says that what was taken for the disk is there, or was counted as dropped, and with it everything up to this flush.
    pub(in crate::exporter) fn kept(&self, flush: u64) {
        self.lock().disk.is_keeping = false;
        self.flushed(flush);
        self.work.notify_all();
    }

    /// Waits a little, or until the spool's thread has put something on disk.
    pub(in crate::exporter) fn wait_for_keeping(&self) {
        let state = self.lock();
        drop(self.wait_on_work(state, Duration::from_millis(50)));
    }
}

impl State {
    /// Whether the attempt under way has lasted too long for others to wait.
    fn is_held_up(&self, now: Instant) -> bool {
        self.disk.attempt.as_ref().is_some_and(|(_, since)| now.saturating_duration_since(*since) >= PATIENCE)
    }
}

impl QueueLimits {
    /// Spans pile up.
    fn presses(&self, state: &State) -> bool {
        state.spans >= self.queue_spans / 2 || self.bytes_press(state)
    }
}
