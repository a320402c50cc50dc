//! `GrowingBuffer`: a span's body on a host with a heap, reused from span to span, growing up to a limit.

use std::mem::MaybeUninit;

use clewline_core::{Storage, StorageView};

/// What a buffer starts with: most spans never need more.
const FIRST_CAPACITY: usize = 512;
/// What a buffer keeps between spans: one huge span does not make a pool of huge buffers.
const KEPT_CAPACITY: usize = 8 * 1024;

/// What one may grow to whose user did not say: more than the longest header list takes.
const DEFAULT_LIMIT: usize = 64 * 1024;

/// Bytes on the heap that grow when they must, up to a limit.
#[derive(Clone, Debug)]
pub struct GrowingBuffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl GrowingBuffer {
    /// An empty buffer that may grow to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(FIRST_CAPACITY.min(limit)), limit }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) -> bool {
        let wanted = self.bytes.len() + additional;
        if wanted > self.limit {
            return false;
        }
        let capacity = wanted.max(2 * self.bytes.capacity()).min(self.limit);
        self.bytes.try_reserve_exact(capacity - self.bytes.len()).is_ok()
    }
}

impl Default for GrowingBuffer {
    /// An empty buffer that may grow to 64 KiB, and takes no memory before it holds something.
    fn default() -> Self {
        Self { bytes: Vec::new(), limit: DEFAULT_LIMIT }
    }
}

impl Storage for GrowingBuffer {
    type View = Self;

    #[inline]
    fn view(&self) -> &Self {
        self
    }

    #[inline]
    fn view_mut(&mut self) -> &mut Self {
        self
    }
}

// SAFETY: `spare` is the spare capacity directly behind the length, `advance` moves the length over it.
#[expect(unsafe_code, reason = "bytes are written once, into capacity nobody initialised before")]
unsafe impl StorageView for GrowingBuffer {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    #[inline]
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        if additional > self.bytes.capacity() - self.bytes.len() && !self.grow(additional) {
            return None;
        }
        self.bytes.spare_capacity_mut().get_mut(..additional)
    }

    #[inline]
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }

    #[inline]
    unsafe fn advance(&mut self, written: usize) {
        let length = self.bytes.len() + written;
        // SAFETY: the caller initialised these bytes of the spare capacity that `spare` returned.
        unsafe { self.bytes.set_len(length) };
    }

    /// Emptied, it also gives memory back that only an unusually large span needed.
    #[inline]
    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        if length == 0 && self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes.shrink_to(FIRST_CAPACITY);
        }
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{Span, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, TraceFlags, TraceId};

    use super::*;

    fn span(limit: usize) -> Span<GrowingBuffer> {
        let context = SpanContext::new(
            TraceId::from_bytes([1; 16]).unwrap(),
            SpanId::from_bytes([1; 8]).unwrap(),
            TraceFlags::NONE,
        );
        let start = SpanStart {
            context,
            parent: None,
            name: "query",
            kind: SpanKind::Client,
            start_time: 1,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        Span::new(GrowingBuffer::new(limit), &start)
    }

    #[test]
    fn a_long_statement_is_kept_whole_up_to_the_limit() {
        let statement = "x".repeat(10_000);
        let mut long = span(64 * 1024);
        long.set("db.query.text", statement.as_str());
        assert_eq!(long.view(2).attributes().get("db.query.text").unwrap().as_str(), Some(statement.as_str()));
        let mut short = span(1024);
        short.set("db.query.text", statement.as_str()).set("db.system.name", "sqlite");
        assert_eq!((short.counts().attributes, short.counts().dropped_attributes), (1, 1));
    }

    #[test]
    fn unusual_memory_is_given_back() {
        let mut buffer = GrowingBuffer::new(64 * 1024);
        assert!(buffer.grow(20_000));
        assert!(buffer.bytes.capacity() >= 20_000);
        buffer.truncate(0);
        assert!(buffer.bytes.capacity() <= KEPT_CAPACITY);
    }
}
