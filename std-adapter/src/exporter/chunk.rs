//! A chunk: finished spans of one scope, encoded and framed, on their way from a thread to the exporter.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::fate::{Fates, FatesRange};
use super::wire::{Fields, Value};

/// Names an instrumentation scope that was registered with [`Envelope::scope`](super::Envelope::scope).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeIndex(pub(super) u16);

impl ScopeIndex {
    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    pub(crate) const fn from_number(number: u16) -> Self {
        Self(number)
    }
}

/// Memory that holds finished spans, shared by those who send them. Dropping the last share frees it, or gives it back to
/// whoever lent it.
pub type SpanMemory = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Finished spans of one instrumentation scope: dense OTLP `Span` messages, each framed as field 2 of `ScopeSpans`.
///
/// A clone shares the bytes.
#[derive(Clone)]
pub struct Chunk {
    memory: SpanMemory,
    range: Range<usize>,
    count: usize,
    scope: ScopeIndex,
    fates: Option<FatesRange>,
}

impl Chunk {
    /// A chunk of `count` spans. The bytes are sent as they are.
    #[must_use]
    pub fn new(bytes: Vec<u8>, count: usize, scope: ScopeIndex) -> Self {
        let range = 0..bytes.len();
        Self { memory: Arc::new(bytes), range, count, scope, fates: None }
    }

    /// A chunk of `count` spans in a part of some memory. The bytes must not change while the chunk lives.
    #[must_use]
    pub fn from_memory(memory: SpanMemory, range: Range<usize>, count: usize, scope: ScopeIndex) -> Self {
        Self { memory, range, count, scope, fates: None }
    }

    /// The framed spans.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        (*self.memory).as_ref().get(self.range.clone()).unwrap_or_default()
    }

    /// How many bytes the spans take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.range.len()
    }

    /// How many spans there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The scope they belong to.
    #[must_use]
    pub const fn scope(&self) -> ScopeIndex {
        self.scope
    }

    /// Has the fate of these spans followed through several exporters; clones made afterwards share it.
    pub(crate) fn follow(&mut self, fates: Fates) {
        self.fates = Some(FatesRange::new(fates));
    }

    /// The fates of its spans, where several exporters share them.
    pub(super) fn fates(&self) -> Option<&FatesRange> {
        self.fates.as_ref()
    }

    /// Cuts off and returns everything behind the first spans that stay within both limits, without copying.
    ///
    /// At least one span stays, so that a span over the byte limit is refused by the exporter, which counts it, and
    /// does not block the queue.
    pub(super) fn split_off(&mut self, max_spans: usize, max_bytes: usize) -> Option<Self> {
        let size = self.size();
        let mut fields = Fields::new(self.bytes());
        let (mut spans, mut bytes) = (0, 0);
        while spans < max_spans.max(1) && fields.next().is_some() {
            let end = size - fields.rest().len();
            if end > max_bytes && spans > 0 {
                break;
            }
            (spans, bytes) = (spans + 1, end);
        }
        if spans == 0 || spans >= self.count || bytes >= size {
            return None;
        }
        let cut = self.range.start + bytes;
        let rest = Self {
            memory: Arc::clone(&self.memory),
            range: cut..self.range.end,
            count: self.count - spans,
            scope: self.scope,
            fates: self.fates.as_ref().map(|fates| fates.behind(spans)),
        };
        self.range.end = cut;
        self.count = spans;
        Some(rest)
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { range, count, scope, .. } = self;
        f.debug_struct("Chunk")
            .field("range", range)
            .field("count", count)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

/// The spans among framed ones: each with its frame, and without.
pub(crate) fn framed_spans(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut fields = Fields::new(bytes);
    std::iter::from_fn(move || {
        let before = fields.rest();
        loop {
            let field = fields.next()?;
            if let Value::Bytes(message) = field.value {
                let frame = before.len() - fields.rest().len();
                return Some((&before[..frame], message));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::wire::write_field;
    use super::{Chunk, ScopeIndex};

    fn chunk(sizes: &[usize]) -> Chunk {
        let mut bytes = Vec::new();
        for size in sizes {
            write_field(&mut bytes, 2, &vec![0; *size]);
        }
        Chunk::new(bytes, sizes.len(), ScopeIndex(0))
    }

    #[test]
    fn a_chunk_is_cut_between_spans() {
        // (span sizes, most spans, most bytes, spans that stay); a framed span is two bytes longer than its content.
        let table: [(&[usize], usize, usize, usize); 7] = [
            (&[10, 10, 10], 3, 1000, 3),
            (&[10, 10, 10], 2, 1000, 2),
            (&[10, 10, 10], 9, 24, 2),
            (&[10, 10, 10], 9, 23, 1),
            (&[10, 10, 10], 9, 0, 1),
            (&[10, 10, 10], 0, 1000, 1),
            (&[10], 1, 0, 1),
        ];
        for (sizes, max_spans, max_bytes, stay) in table {
            let whole = chunk(sizes);
            let mut front = chunk(sizes);
            let rest = front.split_off(max_spans, max_bytes);
            assert_eq!(front.count(), stay, "{sizes:?} {max_spans} {max_bytes}");
            assert_eq!(rest.as_ref().map_or(0, Chunk::count), sizes.len() - stay);
            let joined = [front.bytes(), rest.as_ref().map_or(&[], Chunk::bytes)].concat();
            assert_eq!(joined, whole.bytes());
        }
    }

    #[test]
    fn bytes_that_are_not_framed_spans_are_left_whole() {
        let mut chunk = Chunk::new(vec![0xff; 20], 4, ScopeIndex(0));
        assert!(chunk.split_off(1, 1).is_none());
        assert_eq!((chunk.count(), chunk.bytes().len()), (4, 20));
    }
}
