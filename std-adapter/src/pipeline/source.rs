//! `RingSource`: hands the threads' finished spans to the exporter thread, sorted by scope.

use std::sync::Mutex;

use super::registry::Which;
use super::{Pipeline, lock};
use crate::exporter::{Chunk, Source};

/// Buffers kept for reuse.
const KEPT_BUFFERS: usize = 16;
/// The capacity that each of them keeps: a burst does not stay in memory for ever.
const KEPT_BYTES: usize = 256 * 1024;

/// The rings of a pipeline's threads, seen from the exporter thread.
#[derive(Debug)]
pub(super) struct RingSource<'p> {
    pipeline: &'p Pipeline,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl<'p> RingSource<'p> {
    pub(super) fn new(pipeline: &'p Pipeline) -> Self {
        Self { pipeline, buffers: Mutex::default() }
    }

    /// Hands over what `which` rings hold.
    pub(super) fn drain_rings(&self, which: Which, sink: &mut dyn FnMut(Chunk)) {
        let mut scopes: Vec<(usize, Vec<u8>)> = Vec::new();
        self.pipeline.rings.drain(which, |scope, span| {
            let scope = usize::from(scope);
            while scopes.len() <= scope {
                scopes.push((0, lock(&self.buffers).pop().unwrap_or_default()));
            }
            let (count, bytes) = &mut scopes[scope];
            *count += 1;
            bytes.extend_from_slice(span);
        });
        let indices = lock(&self.pipeline.scopes).clone();
        for ((count, bytes), index) in scopes.into_iter().zip(indices) {
            if count == 0 {
                self.recycle(bytes);
            } else {
                sink(Chunk::new(bytes, count, index));
            }
        }
    }
}

impl Source for RingSource<'_> {
    fn drain(&self, sink: &mut dyn FnMut(Chunk)) {
        self.drain_rings(Which::All, sink);
    }

    fn recycle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES);
        let mut buffers = lock(&self.buffers);
        if buffers.len() < KEPT_BUFFERS {
            buffers.push(buffer);
        }
    }
}
