//! `RingSource`: hands the threads' finished spans to the exporter threads, sorted by scope.

use std::sync::{Arc, Mutex};

use super::registry::Which;
use super::{Pipeline, lock};
use crate::exporter::{Chunk, Fates, Source, Worker};

/// Buffers kept for reuse.
const KEPT_BUFFERS: usize = 16;
/// The capacity that each of them keeps: a burst does not stay in memory for ever.
const KEPT_BYTES: usize = 256 * 1024;

/// The buffers that are not in use.
pub(super) type Buffers = Arc<Mutex<Vec<Vec<u8>>>>;

/// The rings of a pipeline's threads, seen from one of the exporter threads.
///
/// Whichever of these comes first fetches what has ended, for all of them.
#[derive(Debug)]
pub(super) struct RingSource<'p> {
    pipeline: &'p Pipeline,
    /// Which of the exporter threads this is; none of them where it is past the last.
    number: usize,
}

impl<'p> RingSource<'p> {
    pub(super) fn new(pipeline: &'p Pipeline, number: usize) -> Self {
        Self { pipeline, number }
    }

    /// Hands over what `which` rings hold: to `sink` for its own thread, and to the others.
    pub(super) fn drain_rings(&self, which: Which, sink: &mut dyn FnMut(Chunk)) {
        let Some(workers) = self.pipeline.workers.get() else { return };
        // Before a single chunk is handed over: one fetch fills a queue at most as much as its own thread would have.
        let others: Vec<(&Worker, bool)> = match &workers[..] {
            [_] if self.number == 0 => Vec::new(),
            workers => {
                let others = workers.iter().enumerate().filter(|(number, _)| *number != self.number);
                others.map(|(_, worker)| (worker, worker.has_room())).collect()
            }
        };
        let mut scopes: Vec<(usize, Vec<u8>)> = Vec::new();
        // The rings stay locked until everything is in the queues, so that a flush of another exporter that finds the rings
        // empty finds the spans there.
        let mut rings = self.pipeline.rings.lock();
        rings.drain(which, |scope, span| {
            let scope = usize::from(scope);
            while scopes.len() <= scope {
                scopes.push((0, lock(&self.pipeline.buffers).pop().unwrap_or_default()));
            }
            let (count, bytes) = &mut scopes[scope];
            *count += 1;
            bytes.extend_from_slice(span);
        });
        let indices = lock(&self.pipeline.scopes).clone();
        for ((count, bytes), index) in scopes.into_iter().zip(indices) {
            let size = bytes.len();
            let memory = Lent { bytes, home: Arc::clone(&self.pipeline.buffers) };
            if count == 0 {
                continue;
            }
            let mut chunk = Chunk::from_memory(Arc::new(memory), 0..size, count, index);
            if workers.len() > 1 {
                chunk.follow(Fates::new(Arc::clone(&self.pipeline.totals), count, workers.len()));
            }
            for (worker, had_room) in &others {
                worker.pass(chunk.clone(), *had_room);
            }
            if self.number < workers.len() {
                sink(chunk);
            }
        }
        drop(rings);
    }
}

impl Source for RingSource<'_> {
    fn drain(&self, _: usize, sink: &mut dyn FnMut(Chunk)) {
        self.drain_rings(Which::All, sink);
    }
}

/// A buffer that goes back to where it came from.
struct Lent {
    bytes: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffers = lock(&self.home);
        if buffers.len() < KEPT_BUFFERS {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            buffers.push(std::mem::take(&mut self.bytes));
        }
    }
}
