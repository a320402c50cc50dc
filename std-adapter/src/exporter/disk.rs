//! `Disk`: the exporter thread's side of the disk spool, and the thread that puts batches on disk meanwhile.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::fate::Fate;
use super::hand::{Hand, Place};
use super::queue::Queue;
use super::settings::after;
use super::worker::Source;
use crate::spool::{Spool, Stored};

/// Keeps batches on disk while the collector is away.
pub(super) struct Disk {
    queue: Arc<Queue>,
    spool: Arc<Spool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Disk {
    /// Starts the thread that puts batches on disk.
    ///
    /// # Errors
    /// The operating system's, if it cannot start a thread.
    pub(super) fn spawn(
        spool: Spool,
        queue: &Arc<Queue>,
        source: Arc<dyn Source>,
        schedule_delay: Duration,
    ) -> io::Result<Self> {
        let spool = Arc::new(spool);
        if !spool.is_empty() {
            // What an earlier process left comes first.
            queue.go_away();
        }
        let keeping = Keeping { queue: Arc::clone(queue), spool: Arc::clone(&spool), source, schedule_delay };
        let thread = thread::Builder::new().name("clewline-spool".to_owned()).spawn(move || keeping.run())?;
        Ok(Self { queue: Arc::clone(queue), spool, thread: Mutex::new(Some(thread)) })
    }

    /// Whether batches go to the disk.
    pub(super) fn is_away(&self) -> bool {
        self.queue.is_away()
    }

    pub(super) fn begin_attempt(&self, hand: &Arc<Hand>) {
        self.queue.begin_attempt(hand);
    }

    pub(super) fn end_attempt(&self) {
        self.queue.end_attempt();
    }

    /// Puts a batch that could not be delivered on disk, and has those behind it go there too.
    pub(super) fn take_over(&self, hand: &Hand) {
        self.queue.end_attempt();
        let mut place = hand.place();
        if *place == Place::Memory {
            self.spool.keep(&[(hand.number, &hand.chunks)]);
            *place = Place::Disk;
        }
        drop(place);
        self.spool.put_back();
        self.queue.go_away();
    }

    /// The oldest batch on disk. `Err` with the reason if the disk does not answer.
    pub(super) fn oldest(&self) -> Result<Option<Stored>, String> {
        self.spool.oldest()
    }

    /// Enters what became of a batch on disk.
    pub(super) fn settle(&self, number: u64, first: usize, fate: Fate, rest: Fate) {
        self.spool.settle(number, first, fate, rest);
    }

    /// Leaves the batch that was tried on disk.
    pub(super) fn put_back(&self) {
        self.spool.put_back();
    }

    /// Has batches go to the collector again if the disk is empty. Otherwise waits a little for what is on its way there.
    pub(super) fn come_back(&self) -> bool {
        let is_back = self.queue.come_back(|| self.spool.is_empty());
        if is_back {
            self.spool.shrink();
        } else {
            self.queue.wait_for_keeping();
        }
        is_back
    }

    /// What the operator should know, once.
    pub(super) fn take_notes(&self) -> Vec<String> {
        self.spool.take_notes()
    }

    /// Ends the thread that puts batches on disk.
    pub(super) fn close(&self) {
        self.queue.close_disk();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // After a panic it has nothing to tell.
        let _ = thread.map(JoinHandle::join);
    }

    /// Puts on disk what is left, and gives the file free for the next process.
    pub(super) fn keep_rest(&self) {
        keep_queue(&self.spool, &self.queue, true);
        self.spool.close();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the thread owns that puts batches on disk.
struct Keeping {
    queue: Arc<Queue>,
    spool: Arc<Spool>,
    source: Arc<dyn Source>,
    schedule_delay: Duration,
}

impl Keeping {
    fn run(self) {
        let mut due_at = after(self.schedule_delay);
        while let Some(call) = self.queue.wait_to_keep(due_at) {
            if let Some(hand) = &call.hand {
                keep_tried(&self.spool, hand);
            }
            // What is due is fetched whole, so that a flush reaches all that ended before it.
            let enough = if call.is_due { usize::MAX } else { self.queue.room() };
            if enough > 0 {
                self.source.drain(enough, &mut |chunk| self.queue.accept(chunk));
            }
            keep_queue(&self.spool, &self.queue, call.is_due);
            if due_at <= Instant::now() {
                due_at = after(self.schedule_delay);
            }
            self.queue.kept(call.flush);
        }
    }
}

/// Puts a batch on disk whose attempt goes on: it may still be delivered, so that it is not to be dropped for others, nor where there is
/// no room for it.
fn keep_tried(spool: &Spool, hand: &Hand) {
    let mut place = hand.place();
    if *place == Place::Memory && spool.keep_tried(hand.number, &hand.chunks) {
        *place = Place::Disk;
    }
}

/// Puts on disk what waits in the queue: all of it where that is due, else whole batches.
fn keep_queue(spool: &Spool, queue: &Queue, is_due: bool) {
    let mut owed = queue.owed(is_due);
    while owed > 0 {
        let mut hands = Vec::new();
        let mut bytes = 0;
        while owed > 0
            && bytes < spool.portion()
            && let Some(hand) = queue.take_batch()
        {
            owed = owed.saturating_sub(hand.spans);
            bytes += hand.chunks.iter().map(super::Chunk::size).sum::<usize>();
            hands.push(hand);
        }
        if hands.is_empty() {
            return;
        }
        let batches: Vec<_> = hands.iter().map(|hand| (hand.number, &hand.chunks[..])).collect();
        spool.keep(&batches);
    }
}
