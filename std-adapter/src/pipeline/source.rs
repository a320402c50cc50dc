//! `RingSource`: hands the threads' finished spans to the exporter thread, sorted by scope.

use std::sync::Mutex;

use super::{Pipeline, lock};
use crate::exporter::{Chunk, Source};

/// Buffers kept for reuse.
const KEPT_BUFFERS: usize = 16;

/// The rings of a pipeline's threads, seen from the exporter thread.
#[derive(Debug)]
pub(super) struct RingSource {
    pipeline: &'static Pipeline,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl RingSource {
    pub(super) fn new(pipeline: &'static Pipeline) -> Self {
        Self { pipeline, buffers: Mutex::default() }
    }
}

impl Source for RingSource {
    fn drain(&self, sink: &mut dyn FnMut(Chunk)) {
        let mut scopes: Vec<(usize, Vec<u8>)> = Vec::new();
        // The lock makes this thread the only consumer of every ring.
        let mut rings = lock(&self.pipeline.rings);
        rings.retain(|ring| {
            // Looked at first: what a closed ring holds now is all it will ever hold.
            let is_closed = ring.is_closed();
            ring.drain(|scope, span| {
                let scope = usize::from(scope);
                while scopes.len() <= scope {
                    scopes.push((0, lock(&self.buffers).pop().unwrap_or_default()));
                }
                let (count, bytes) = &mut scopes[scope];
                *count += 1;
                bytes.extend_from_slice(span);
            });
            if is_closed {
                lock(&self.pipeline.retired).add(&ring.counters);
            }
            !is_closed
        });
        drop(rings);
        let indices = lock(&self.pipeline.scopes).clone();
        for ((count, bytes), index) in scopes.into_iter().zip(indices) {
            if count == 0 {
                self.recycle(bytes);
            } else {
                sink(Chunk::new(bytes, count, index));
            }
        }
    }

    fn recycle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut buffers = lock(&self.buffers);
        if buffers.len() < KEPT_BUFFERS {
            buffers.push(buffer);
        }
    }
}
