//! `DirectBatch`: ended spans, and the envelope around those that leave.

use super::buffer::{DirectBuffer, field_at, write_at};
use crate::bytes::slide;
use crate::wire::{LENGTH_DELIMITED, tag};

const FIRST: u8 = tag(1, LENGTH_DELIMITED);
const SECOND: u8 = tag(2, LENGTH_DELIMITED);

/// The most that tag and length of a message take: lengths are shorter than 2^21.
const HEADER: usize = 1 + 3;

/// Ended spans, oldest first, and what stands around them in a request.
///
/// `N` bytes of memory, of which `E` are room for the envelope in front of those that leave; and as much again for the envelope
/// itself, of which 8 are not used.
#[derive(Debug)]
pub struct DirectBatch<const N: usize, const E: usize> {
    /// The spans' bytes in `spans`.
    start: usize,
    end: usize,
    /// How much of the envelope is the resource.
    resource: usize,
    length: u32,
    dropped: u32,
    envelope: DirectBuffer<E>,
    spans: [u8; N],
}

impl<const N: usize, const E: usize> DirectBatch<N, E> {
    /// Memory without an envelope; all zero.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > E && N < 1 << 21, "room for the envelope, and lengths of three bytes") };
        let envelope = DirectBuffer::new();
        Self { start: 0, end: 0, resource: 0, length: 0, dropped: 0, envelope, spans: [0; N] }
    }

    /// Writes what stands around all spans: name and version of the instrumentation scope, and the resource, whose attributes
    /// `resource` writes, each by [`DirectBuffer::attribute`] with the tag it is given. To be called before the first span.
    ///
    /// False if `resource` answers false or something does not fit; then the batch must not be used.
    #[inline]
    #[must_use]
    pub fn describe(
        &mut self,
        scope: &str,
        version: &str,
        resource: impl FnOnce(&mut DirectBuffer<E>, u8) -> bool,
    ) -> bool {
        let envelope = &mut self.envelope;
        envelope.seek(0);
        let start = envelope.open(FIRST);
        let whole = resource(envelope, FIRST);
        envelope.close(start);
        self.resource = envelope.len();
        let start = envelope.open(FIRST);
        envelope.field(FIRST, scope.as_bytes());
        envelope.field(SECOND, version.as_bytes());
        envelope.close(start);
        (self.start, self.end) = (E, E);
        envelope.commit(0) && whole && self.envelope.len() + 2 * HEADER <= E
    }

    /// Adds the message that [`DirectSpan::end`](super::DirectSpan::end) answered; counts it as dropped if there is no room.
    #[inline]
    pub fn push(&mut self, span: &[u8]) {
        if N - self.end < span.len() + HEADER {
            // The room of those that left.
            slide(&mut self.spans, self.start, self.end, E);
            self.end = self.end - self.start + E;
            self.start = E;
        }
        let at = self.end + header_len(span.len());
        if write_at(&mut self.spans, at, span) {
            self.end = at + span.len();
            self.header_before(at, SECOND, self.end);
            self.length += 1;
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// How many spans it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.length
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many bytes the spans take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.end - self.start
    }

    /// How many spans were refused for want of room.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Takes the oldest spans out as one `ExportTraceServiceRequest` of at most `max` bytes; the request and how many spans are
    /// in it. Empty if there is none, or none so small.
    #[inline]
    pub fn take(&mut self, max: usize) -> (&[u8], u32) {
        let envelope = self.envelope.as_slice();
        let most = max.saturating_sub(envelope.len() + 2 * HEADER);
        let (mut end, mut spans) = (self.start, 0);
        while end < self.end
            && let (_, span_end) = field_at(&self.spans, end)
            && span_end - self.start <= most
        {
            end = span_end;
            spans += 1;
        }
        if spans == 0 {
            return (&[], 0);
        }
        self.length -= spans;
        // Back to front: the length of a message is known once its content stands.
        let mut at = self.start - (envelope.len() - self.resource);
        write_at(&mut self.spans, at, envelope.get(self.resource..).unwrap_or_default());
        at = self.header_before(at, SECOND, end) - self.resource;
        write_at(&mut self.spans, at, self.envelope.as_slice().get(..self.resource).unwrap_or_default());
        at = self.header_before(at, FIRST, end);
        self.start = end;
        (self.spans.get(at..end).unwrap_or_default(), spans)
    }

    /// Writes tag and length of a message whose content goes from `at` to `end`; answers where they begin.
    #[inline(never)]
    #[expect(clippy::cast_possible_truncation, reason = "a batch is shorter than what three bytes can count")]
    fn header_before(&mut self, at: usize, tag: u8, end: usize) -> usize {
        let length = (end - at) as u32;
        let bytes = header_len(end - at);
        // Seven bits to a byte, and a mark on all but the last.
        let marks = 0x8080 & ((1 << (8 * (bytes - 2))) - 1);
        let spread = length & 0x7f | length << 1 & 0x7f00 | length << 2 & 0x7f_0000 | marks;
        let header = (spread << 8 | u32::from(tag)).to_le_bytes();
        write_at(&mut self.spans, at - bytes, header.get(..bytes).unwrap_or_default());
        at - bytes
    }
}

/// How many bytes tag and length of a message take.
#[inline(never)]
fn header_len(content: usize) -> usize {
    2 + usize::from(content > 0x7f) + usize::from(content > 0x3fff)
}

impl<const N: usize, const E: usize> Default for DirectBatch<N, E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::RequestView;

    const SPAN: [u8; 100] = [0x2a; 100];

    const ENVELOPE: usize = 100;

    fn batch<const N: usize>() -> DirectBatch<N, ENVELOPE> {
        let mut batch = DirectBatch::new();
        let resource =
            |buffer: &mut DirectBuffer<_>, tag| buffer.attribute(tag, b"service.name", |value| value.string(b"test"));
        assert!(batch.describe("scope", "1", resource));
        batch
    }

    /// A message with ids and a name: `number`.
    fn span(number: u8) -> Vec<u8> {
        [&[0x0a, 16][..], &[1; 16], &[0x12, 8], &[1; 8], &[0x2a, 1, number]].concat()
    }

    fn names(request: &[u8]) -> Vec<u8> {
        let groups = RequestView::parse(request).unwrap().resource_spans().flat_map(|group| {
            let name = group.resource().attributes().get("service.name").and_then(|value| value.as_str());
            assert_eq!(name, Some("test"));
            group.scope_spans()
        });
        let spans = groups.flat_map(|group| {
            assert_eq!((group.scope().name(), group.scope().version()), ("scope", "1"));
            group.spans()
        });
        spans.map(|span| span.unwrap().1.name().as_bytes()[0]).collect()
    }

    #[test]
    fn requests_keep_the_order_and_stay_within_their_limit() {
        let mut batch = batch::<1100>();
        (b'a'..=b'z').for_each(|number| batch.push(&span(number)));
        assert_eq!((batch.len(), batch.size()), (26, 26 * 33));
        let around = batch.take(1000).0.len() - 26 * 33;
        (b'a'..=b'z').for_each(|number| batch.push(&span(number)));
        assert_eq!(batch.take(around + 32), (&[][..], 0));
        let (request, spans) = batch.take(around + 74);
        // Both lengths around the spans are a byte shorter than before.
        assert_eq!((request.len(), spans, names(request).as_slice()), (around - 2 + 66, 2, &b"ab"[..]));
        let (request, spans) = batch.take(usize::MAX);
        assert_eq!((spans, names(request)), (24, (b'c'..=b'z').collect()));
        assert_eq!(batch.take(1000), (&[][..], 0));
        assert!(batch.is_empty());
    }

    #[test]
    fn room_is_used_again_and_what_has_none_is_counted() {
        let mut batch = batch::<{ ENVELOPE + 307 }>();
        for _ in 0..4 {
            batch.push(&SPAN);
        }
        assert_eq!((batch.len(), batch.dropped()), (3, 1));
        let (_, spans) = batch.take(280);
        assert_eq!(spans, 2);
        for _ in 0..3 {
            batch.push(&SPAN);
        }
        assert_eq!((batch.len(), batch.dropped()), (3, 2));
        assert_eq!(batch.take(1000).1, 3);
    }

    #[test]
    fn a_resource_that_does_not_fit_is_refused() {
        let mut batch = DirectBatch::<5000, 4096>::new();
        assert!(!batch.describe("scope", "1", |_, _| false));
        let much = [b'x'; 2000];
        let describe = |buffer: &mut DirectBuffer<_>, tag| {
            (0..3).all(|_| buffer.attribute(tag, b"k", |value| value.string(&much)))
        };
        assert!(!batch.describe("scope", "1", describe));
    }
}
