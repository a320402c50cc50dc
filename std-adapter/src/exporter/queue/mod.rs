//! The meeting place of application threads and the exporter thread: a bounded queue of chunks, and its signals.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::chunk::Chunk;
use super::fate::{Fate, Parts};
use super::hand::Hand;
use super::stats::{Counters, DropReason};
use crate::time::Instant;

#[cfg(feature = "spool")]
mod away;

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
    pub(super) counters: Arc<Counters>,
    state: Mutex<State>,
    /// The exporter thread waits here.
    work: Condvar,
    /// Threads that flush or shut down wait here.
    progress: Condvar,
    /// Set by [`Queue::wake`]; spares the lock when many threads call it.
    is_woken: AtomicBool,
    /// Set by [`Queue::press`].
    is_pressed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    spans: usize,
    bytes: usize,
    flush_wanted: u64,
    flush_done: u64,
    shutdown_by: Option<Instant>,
    /// The exporter thread takes nothing more.
    is_over: bool,
    is_finished: bool,
    /// The number that the next batch gets.
    next_number: u64,
    #[cfg(feature = "spool")]
    disk: away::DiskState,
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
    /// A queue whose batches are numbered from `first_number` on.
    pub(super) fn new(limits: QueueLimits, counters: Arc<Counters>, first_number: u64) -> Self {
        Self {
            limits,
            counters,
            state: Mutex::new(State { next_number: first_number, ..State::default() }),
            work: Condvar::new(),
            progress: Condvar::new(),
            is_woken: AtomicBool::new(false),
            is_pressed: AtomicBool::new(false),
        }
    }

    /// A panic of another thread does not make the counts behind the lock wrong, so it is no reason to stop tracing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // For application threads.

    /// Takes a chunk from an application thread, or drops it where there is no room, and counts it either way.
    pub(super) fn submit(&self, chunk: Chunk) {
        let (count, size) = (chunk.count(), chunk.size());
        let is_refused = |state: &State| state.shutdown_by.is_some();
        self.offer(chunk, is_refused, |limits, state| {
            let fits = state.spans + count <= limits.queue_spans && state.bytes + size <= limits.queue_bytes;
            fits || state.chunks.is_empty()
        });
    }

    /// Takes a chunk that another exporter's thread fetched for this one too. `had_room` says whether this queue had room when
    /// that began: one fetch makes no more of a queue than its own thread would have.
    pub(super) fn pass(&self, chunk: Chunk, had_room: bool) {
        // During a shutdown too: the last look of one thread is for all of them, and takes what there is.
        let is_refused = |state: &State| state.is_over;
        self.offer(chunk, is_refused, |limits, state| {
            state.shutdown_by.is_some() || (had_room && state.bytes < limits.queue_bytes)
        });
    }

    fn offer(
        &self,
        chunk: Chunk,
        is_refused: impl FnOnce(&State) -> bool,
        fits: impl FnOnce(&QueueLimits, &State) -> bool,
    ) {
        self.counters.received(chunk.count());
        let mut state = self.lock();
        if is_refused(&state) {
            drop(state);
            self.drop_chunk(&chunk, DropReason::Shutdown);
        } else if fits(&self.limits, &state) {
            state.push(chunk);
            if self.limits.is_worth_sending(&state) {
                self.work.notify_all();
            }
        } else {
            drop(state);
            self.drop_chunk(&chunk, DropReason::QueueFull);
        }
    }

    fn drop_chunk(&self, chunk: &Chunk, reason: DropReason) {
        self.settle(std::slice::from_ref(chunk), 0, Fate::Dropped(reason), Fate::Dropped(reason));
    }

    /// Enters what became of the spans in `batch`: of the `first` ones, and of the rest.
    pub(super) fn settle(&self, batch: &[Chunk], first: usize, fate: Fate, rest: Fate) {
        let total: usize = batch.iter().map(Chunk::count).sum();
        let first = first.min(total);
        self.counters.settled(fate, first as u64);
        self.counters.settled(rest, (total - first) as u64);
        Parts::of(batch).settle(first, fate, rest);
    }

    /// Has the exporter thread come if it sleeps for long. While it only naps it comes by itself, and this costs nothing but a
    /// look.
    pub(super) fn wake(&self) {
        if !self.is_woken.load(Ordering::Relaxed) && !self.is_woken.swap(true, Ordering::AcqRel) {
            // The lock keeps the signal from falling between the exporter thread's look and its sleep.
            let _state = self.lock();
            self.work.notify_all();
        }
    }

    /// Has the exporter thread come at once, even if it naps: threads are about to run out of memory.
    pub(super) fn press(&self) {
        if !self.is_pressed.load(Ordering::Relaxed) && !self.is_pressed.swap(true, Ordering::AcqRel) {
            let _state = self.lock();
            self.is_woken.store(true, Ordering::Release);
            self.work.notify_all();
        }
    }

    /// Asks for a flush. Returns its number, for [`Queue::wait_for_flush`].
    pub(super) fn begin_flush(&self) -> u64 {
        let mut state = self.lock();
        state.flush_wanted += 1;
        self.work.notify_all();
        state.flush_wanted
    }

    /// Waits until a flush is done. Returns whether it was done by `deadline`.
    pub(super) fn wait_for_flush(&self, wanted: u64, deadline: Instant) -> bool {
        self.wait(self.lock(), deadline, |state| state.flush_done >= wanted || state.is_finished)
    }

    /// Closes the queue and tells the exporter thread to end by `deadline`; an earlier call's deadline stays.
    pub(super) fn shut_down(&self, deadline: Instant) {
        let mut state = self.lock();
        state.shutdown_by.get_or_insert(deadline);
        self.work.notify_all();
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
    ///
    /// A thread that has just had work `naps` first: for so long it comes by itself, so that nobody needs to wake it while spans
    /// end all the time.
    pub(super) fn wait_for_work(&self, due_at: Instant, nap: Option<Duration>) -> Call {
        let mut state = self.lock();
        if let Some(nap) = nap {
            self.is_woken.store(true, Ordering::Release);
            let until = due_at.min(Instant::now() + nap);
            while !self.limits.is_worth_sending(&state)
                && !state.is_called()
                && !self.is_pressed.load(Ordering::Acquire)
            {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.wait_on_work(state, left);
            }
        }
        loop {
            let is_woken = self.take_wake();
            let left = due_at.saturating_duration_since(Instant::now());
            let is_due = state.is_called() || left.is_zero();
            if is_due || is_woken || self.limits.is_worth_sending(&state) {
                let is_shutdown = state.shutdown_by.is_some();
                return Call { flush: state.flush_wanted, is_due, is_shutdown };
            }
            state = self.wait_on_work(state, left);
        }
    }

    /// Waits until `until`, or until a shutdown whose deadline is not later, or any while spans go to the disk. Calls `look_around` at every
    /// [`Queue::wake`] and at least this `often`. Returns whether `until` was reached.
    pub(super) fn pause(&self, until: Instant, often: Duration, mut look_around: impl FnMut()) -> bool {
        let mut next_look = Instant::now() + often;
        let mut state = self.lock();
        loop {
            // What is on disk need not leave before the end.
            if state.shutdown_by.is_some_and(|deadline| deadline <= until || state.is_away()) {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            // While spans go to the disk, another thread comes when it is woken.
            let is_woken = !state.is_away() && self.take_wake();
            if is_woken || now >= next_look {
                drop(state);
                look_around();
                next_look = now + often;
                state = self.lock();
                continue;
            }
            let left = until.min(next_look).saturating_duration_since(now);
            state = self.wait_on_work(state, left);
        }
    }

    /// Whether somebody called [`Queue::wake`] or [`Queue::press`] since the last time.
    fn take_wake(&self) -> bool {
        self.is_pressed.store(false, Ordering::Release);
        self.is_woken.swap(false, Ordering::AcqRel)
    }

    fn wait_on_work<'q>(&self, state: MutexGuard<'q, State>, at_most: Duration) -> MutexGuard<'q, State> {
        self.work.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner).0
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

    /// How many more spans may wait: more than that many fill the queue.
    pub(super) fn room(&self) -> usize {
        let state = self.lock();
        if state.bytes < self.limits.queue_bytes { self.limits.queue_spans.saturating_sub(state.spans) } else { 0 }
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

    /// Takes the oldest chunks that fit one request.
    pub(super) fn take_batch(&self) -> Option<Hand> {
        self.take_batch_within(self.limits.batch_bytes)
    }

    /// Takes the oldest chunks that fit one request of so many bytes of spans: at least one span, however large it is.
    pub(super) fn take_batch_within(&self, batch_bytes: usize) -> Option<Hand> {
        let batch_spans = self.limits.batch_spans;
        let mut state = self.lock();
        let mut batch = Vec::new();
        let (mut spans, mut bytes) = (0, 0);
        while spans < batch_spans
            && let Some(mut chunk) = state.pop()
        {
            let (spans_left, bytes_left) = (batch_spans - spans, batch_bytes.saturating_sub(bytes));
            if chunk.count() > spans_left || chunk.size() > bytes_left {
                if let Some(rest) = chunk.split_off(spans_left, bytes_left) {
                    state.push_front(rest);
                }
                // A span that is too much for what is left comes first in the next batch.
                if chunk.size() > bytes_left && !batch.is_empty() {
                    state.push_front(chunk);
                    break;
                }
            }
            spans += chunk.count();
            bytes += chunk.size();
            batch.push(chunk);
        }
        if batch.is_empty() {
            return None;
        }
        state.next_number += 1;
        Some(Hand::new(state.next_number - 1, batch, spans))
    }

    /// Puts chunks that were taken back to where they were.
    pub(super) fn put_back(&self, chunks: Vec<Chunk>) {
        let mut state = self.lock();
        chunks.into_iter().rev().for_each(|chunk| state.push_front(chunk));
    }

    /// Spans that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().spans
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
        state.shutdown_by.get_or_insert_with(Instant::now);
        state.is_over = true;
        (state.spans, state.bytes) = (0, 0);
        let left = std::mem::take(&mut state.chunks);
        drop(state);
        left.iter().for_each(|chunk| self.drop_chunk(chunk, DropReason::Shutdown));
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
    /// Whether somebody flushes or shuts down.
    fn is_called(&self) -> bool {
        self.flush_wanted > self.flush_done || self.shutdown_by.is_some()
    }

    #[cfg(feature = "spool")]
    fn is_away(&self) -> bool {
        self.disk.is_away
    }

    #[cfg(not(feature = "spool"))]
    #[expect(clippy::unused_self, reason = "as with the feature `spool`")]
    fn is_away(&self) -> bool {
        false
    }

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
        self.bytes += chunk.size();
    }

    fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.spans -= chunk.count();
        self.bytes -= chunk.size();
        Some(chunk)
    }
}
