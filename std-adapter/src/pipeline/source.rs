//! `LaneSource`: hands the threads' finished spans to the exporter threads, as they stand in the threads' blocks.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::block::{Block, Piece};
use super::registry::Which;
use super::tail::Hold;
use super::{Pipeline, lock};
use crate::exporter::{Chunk, Fates, ScopeIndex, Source, Worker};
use crate::time::Instant;

/// Spans of fewer bytes than this are copied together, lest a few of them hold a whole block while they wait.
const COPIED_BELOW: usize = 4 * 1024;
/// Buffers kept for reuse.
const KEPT_BUFFERS: usize = 16;
/// The capacity that each of them keeps: a burst does not stay in memory for ever.
const KEPT_BYTES: usize = 256 * 1024;

/// The buffers that are not in use.
pub(super) type Buffers = Arc<Mutex<Vec<Vec<u8>>>>;

/// The lanes of a pipeline's threads, seen from one of the exporter threads.
///
/// Whichever of these comes first fetches what has ended, for all of them.
#[derive(Debug)]
pub(super) struct LaneSource<'p> {
    pipeline: &'p Pipeline,
    /// Which of the exporter threads this is; none of them where it is past the last.
    number: usize,
}

impl<'p> LaneSource<'p> {
    pub(super) fn new(pipeline: &'p Pipeline, number: usize) -> Self {
        Self { pipeline, number }
    }

    /// Hands over what `which` lanes hold, or `enough` of it: to `sink` for its own thread, and to the others.
    pub(super) fn drain_lanes(&self, which: Which, enough: usize, sink: &mut dyn FnMut(Chunk)) {
        let Some(workers) = self.pipeline.workers.get() else { return };
        // The lanes stay locked until everything is in the queues, so that a flush of another exporter that finds the lanes
        // empty finds the spans there.
        let mut lanes = self.pipeline.lanes.lock();
        self.pipeline.waiting.store(0, Ordering::Relaxed);
        // Looked at before a single chunk is handed over: one fetch fills a queue at most as much as its own thread would have.
        let is_alone = workers.len() == 1 && self.number == 0;
        let had_room = if is_alone { Vec::new() } else { workers.iter().map(Worker::has_room).collect() };
        let mut hand_over = HandOver { pipeline: self.pipeline, own: self.number, had_room, workers, sink };
        let mut small = Smalls { pipeline: self.pipeline, scopes: Vec::new() };
        let now = Instant::now();
        let mut tail = self.pipeline.tail.as_ref().map(lock);
        let mut take = |block: &Arc<Block>, piece: Piece, tail: Option<&mut Box<dyn Hold>>| {
            let scope = piece.scope;
            if let Some(tail) = tail {
                let bytes = &(**block).as_ref()[piece.range];
                tail.push(now, scope, bytes, &mut |scope, spans, bytes| small.add(scope, spans, bytes));
            } else if piece.range.len() < COPIED_BELOW {
                small.add(scope, piece.spans, &(**block).as_ref()[piece.range]);
            } else {
                // What was copied of its scope ended earlier, and so goes first.
                hand_over.small(scope, small.take(scope));
                let memory = Arc::clone(block);
                hand_over.scope(scope, |index| Chunk::from_memory(memory, piece.range, piece.spans, index));
            }
        };
        lanes.drain(which, enough, |block, piece| take(block, piece, tail.as_deref_mut()));
        if let Some(tail) = &mut tail {
            let complete = tail.take_complete();
            // Spans that ended before the roots among these, on threads that were looked at before theirs.
            lanes.drain(which, usize::MAX, |block, piece| take(block, piece, Some(tail)));
            tail.judge(complete);
            tail.expire(now);
            if self.pipeline.is_shut_down.load(Ordering::Relaxed) {
                tail.end();
            }
        }
        for scope in small.all() {
            hand_over.small(scope, small.take(scope));
        }
        drop(tail);
        drop(lanes);
        self.pipeline.sizes.burst().settle(now);
    }
}

impl Source for LaneSource<'_> {
    fn drain(&self, enough: usize, sink: &mut dyn FnMut(Chunk)) {
        self.drain_lanes(Which::All, enough, sink);
    }
}

/// Few spans of one scope, copied together.
#[derive(Default)]
struct Small {
    spans: usize,
    bytes: Vec<u8>,
}

/// What one fetch has copied, by scope.
struct Smalls<'p> {
    pipeline: &'p Pipeline,
    scopes: Vec<Small>,
}

impl Smalls<'_> {
    fn add(&mut self, scope: u16, spans: usize, bytes: &[u8]) {
        let scope = usize::from(scope);
        if self.scopes.len() <= scope {
            self.scopes.resize_with(scope + 1, Small::default);
        }
        let small = &mut self.scopes[scope];
        if small.spans == 0 {
            small.bytes = lock(&self.pipeline.buffers).pop().unwrap_or_default();
        }
        small.spans += spans;
        small.bytes.extend_from_slice(bytes);
    }

    fn take(&mut self, scope: u16) -> Small {
        self.scopes.get_mut(usize::from(scope)).map(std::mem::take).unwrap_or_default()
    }

    /// The scopes for which there may be something.
    fn all(&self) -> impl Iterator<Item = u16> + use<> {
        (0..self.scopes.len()).map_while(|scope| u16::try_from(scope).ok())
    }
}

/// One fetch, for all exporter threads.
struct HandOver<'a> {
    pipeline: &'a Pipeline,
    workers: &'a [Worker],
    /// Which of the workers fetches.
    own: usize,
    /// Which of the workers had room, for those that do not fetch.
    had_room: Vec<bool>,
    sink: &'a mut dyn FnMut(Chunk),
}

impl HandOver<'_> {
    /// Hands over spans that were copied together.
    fn small(&mut self, scope: u16, Small { spans, bytes }: Small) {
        if spans > 0 {
            let range = 0..bytes.len();
            let memory = Arc::new(Lent { bytes, home: Arc::clone(&self.pipeline.buffers) });
            self.scope(scope, |index| Chunk::from_memory(memory, range, spans, index));
        }
    }

    /// Hands over spans of a scope.
    fn scope(&mut self, scope: u16, chunk: impl FnOnce(ScopeIndex) -> Chunk) {
        let mut chunk = chunk(ScopeIndex::from_number(scope));
        if self.workers.len() > 1 {
            chunk.follow(Fates::new(Arc::clone(&self.pipeline.totals), chunk.count(), self.workers.len()));
        }
        for (number, worker) in self.workers.iter().enumerate() {
            if number != self.own {
                worker.pass(chunk.clone(), self.had_room.get(number).copied().unwrap_or(true));
            }
        }
        if self.own < self.workers.len() {
            (self.sink)(chunk);
        }
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
