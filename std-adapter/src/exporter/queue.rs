//! The meeting place of application threads and the exporter thread: a bounded queue of chunks, and its signals.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::chunk::Chunk;
use super::stats::{Counters, DropReason};

/// What the queue holds at most, and when it is worth a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    pub(super) queue_spans: usize,
    pub(super) queue_bytes: usize,
    pub(super) batch_spans: usize,
    pub(super) batch_bytes: usize,
}

/// Shared by all threads. No lock is held while anything is sent, drained or printed.
#[derive(Debug)]
pub(super) struct Queue {
    limits: QueueLimits,
    pub(super) counters: Counters,
    state: Mutex<State>,
    /// The exporter thread waits here.
    work: Condvar,
    /// Threads that flush or shut down wait here.
    progress: Condvar,
    /// Set by [`Queue::wake`]; spares the lock when many threads call it.
    is_woken: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    spans: usize,
    bytes: usize,
    flush_wanted: u64,
    flush_done: u64,
    shutdown_by: Option<Instant>,
    is_finished: bool,
}

/// Why the exporter thread stopped waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// The newest flush asked for.
    pub(super) flush: u64,
    /// Everything must leave now: a flush, the end, or the schedule.
    pub(super) is_due: bool,
    pub(super) is_shutdown: bool,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            counters: Counters::default(),
            state: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
            is_woken: AtomicBool::new(false),
        }
    }

    /// A panic of another thread does not make the counts behind the lock wrong, so it is no reason to stop tracing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // For application threads.

    /// Takes a chunk from an application thread, or drops it where there is no room, and counts it either way.
    pub(super) fn submit(&self, chunk: Chunk) {
        let count = chunk.count();
        self.counters.received(count);
        let mut state = self.lock();
        let reason = if state.shutdown_by.is_some() {
            Some(DropReason::Shutdown)
        } else if state.chunks.is_empty()
            || state.spans + count <= self.limits.queue_spans
                && state.bytes + chunk.bytes().len() <= self.limits.queue_bytes
        {
            None
        } else {
            Some(DropReason::QueueFull)
        };
        match reason {
            Some(reason) => self.counters.dropped(reason, count as u64),
            None => {
                state.push(chunk);
                if self.limits.is_worth_sending(&state) {
                    self.work.notify_one();
                }
            }
        }
    }

    pub(super) fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            // The lock keeps the signal from falling between the exporter thread's look and its sleep.
            let _state = self.lock();
            self.work.notify_one();
        }
    }

    /// Asks for a flush and waits until it is done. Returns whether it was done by `deadline`.
    pub(super) fn flush(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        state.flush_wanted += 1;
        let wanted = state.flush_wanted;
        self.work.notify_one();
        self.wait(state, deadline, |state| state.flush_done >= wanted || state.is_finished)
    }

    /// Closes the queue and tells the exporter thread to end by `deadline`; an earlier call's deadline stays.
    pub(super) fn shut_down(&self, deadline: Instant) {
        let mut state = self.lock();
        state.shutdown_by.get_or_insert(deadline);
        self.work.notify_one();
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.lock().shutdown_by.is_some()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.lock().is_finished
    }

    /// Waits until the exporter thread has ended. Returns whether it has by `deadline`.
    pub(super) fn wait_until_finished(&self, deadline: Instant) -> bool {
        self.wait(self.lock(), deadline, |state| state.is_finished)
    }

    fn wait(&self, mut state: MutexGuard<'_, State>, deadline: Instant, is_done: impl Fn(&State) -> bool) -> bool {
        loop {
            if is_done(&state) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.progress.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    // For the exporter thread.

    /// Waits until there is a request's worth of spans, a call, or `due_at`.
    pub(super) fn wait_for_work(&self, due_at: Instant) -> Call {
        let mut state = self.lock();
        loop {
            let is_woken = self.is_woken.swap(false, Ordering::AcqRel);
            let is_flush = state.flush_wanted > state.flush_done;
            let is_shutdown = state.shutdown_by.is_some();
            let left = due_at.saturating_duration_since(Instant::now());
            let is_due = is_flush || is_shutdown || left.is_zero();
            if is_due || is_woken || self.limits.is_worth_sending(&state) {
                return Call { flush: state.flush_wanted, is_due, is_shutdown };
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `until`, or until a shutdown whose deadline is not later. Calls `look_around` at every
    /// [`Queue::wake`] and at least this `often`. Returns whether `until` was reached.
    pub(super) fn pause(&self, until: Instant, often: Duration, mut look_around: impl FnMut()) -> bool {
        let mut next_look = Instant::now() + often;
        let mut state = self.lock();
        loop {
            if state.shutdown_by.is_some_and(|deadline| deadline <= until) {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            if self.is_woken.swap(false, Ordering::AcqRel) || now >= next_look {
                drop(state);
                look_around();
                next_look = now + often;
                state = self.lock();
                continue;
            }
            let left = until.min(next_look).saturating_duration_since(now);
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// When everything must have ended, once a shutdown was asked for.
    pub(super) fn shutdown_deadline(&self) -> Option<Instant> {
        self.lock().shutdown_by
    }

    /// Takes a chunk that the exporter thread fetched itself: moving it here makes nothing bigger, so it is not refused.
    pub(super) fn accept(&self, chunk: Chunk) {
        self.counters.received(chunk.count());
        self.lock().push(chunk);
    }

    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        state.spans < self.limits.queue_spans && state.bytes < self.limits.queue_bytes
    }

    /// How many spans are to be sent now: all of them if that is due or the bytes press, else only full batches.
    pub(super) fn owed(&self, is_due: bool) -> usize {
        let state = self.lock();
        if is_due || self.limits.bytes_press(&state) {
            state.spans
        } else {
            state.spans - state.spans % self.limits.batch_spans
        }
    }

    /// Moves the oldest chunks that fit one request into `batch`, and returns how many spans they hold.
    pub(super) fn take_batch(&self, batch: &mut Vec<Chunk>) -> usize {
        let QueueLimits { batch_spans, batch_bytes, .. } = self.limits;
        let mut state = self.lock();
        let (mut spans, mut bytes) = (0, 0);
        while let Some(mut chunk) = state.pop() {
            let is_over = spans + chunk.count() > batch_spans || bytes + chunk.bytes().len() > batch_bytes;
            if is_over {
                if !batch.is_empty() {
                    state.push_front(chunk);
                    break;
                }
                if let Some(rest) = chunk.split_off(batch_spans, batch_bytes) {
                    state.push_front(rest);
                }
            }
            spans += chunk.count();
            bytes += chunk.bytes().len();
            batch.push(chunk);
        }
        spans
    }

    /// Says that everything up to this flush has left the queue and its outcome is known.
    pub(super) fn flushed(&self, flush: u64) {
        let mut state = self.lock();
        state.flush_done = state.flush_done.max(flush);
        self.progress.notify_all();
    }

    /// Ends the queue: what is still in it is dropped and counted, and so is everything that comes later.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        self.counters.dropped(DropReason::Shutdown, state.spans as u64);
        state.chunks = VecDeque::new();
        (state.spans, state.bytes) = (0, 0);
        state.shutdown_by.get_or_insert_with(Instant::now);
        drop(state);
    }

    /// Releases everybody who waits for the end.
    pub(super) fn announce_end(&self) {
        self.lock().is_finished = true;
        self.progress.notify_all();
    }
}

impl QueueLimits {
    /// Half of the allowed bytes wait: no reason to wait for more spans.
    const fn bytes_press(&self, state: &State) -> bool {
        state.bytes > self.queue_bytes / 2
    }

    const fn is_worth_sending(&self, state: &State) -> bool {
        state.spans >= self.batch_spans || self.bytes_press(state)
    }
}

impl State {
    fn push(&mut self, chunk: Chunk) {
        self.count_in(&chunk);
        self.chunks.push_back(chunk);
    }

    fn push_front(&mut self, chunk: Chunk) {
        self.count_in(&chunk);
        self.chunks.push_front(chunk);
    }

    fn count_in(&mut self, chunk: &Chunk) {
        self.spans += chunk.count();
        self.bytes += chunk.bytes().len();
    }

    fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.spans -= chunk.count();
        self.bytes -= chunk.bytes().len();
        Some(chunk)
    }
}
