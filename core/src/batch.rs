//! `Batch`: finished spans, dense, in the form in which they leave.

use crate::error::CapacityError;
use crate::storage::{Storage, StorageView, append};
use crate::wire::Fields;
use crate::{Span, SpanView};

/// Finished spans as a run of `ScopeSpans.spans` fields: what an [`Envelope`](crate::Envelope) is put around.
///
/// A span that does not fit is counted, and what is in the batch stays.
#[derive(Debug, Default)]
pub struct Batch<S: Storage> {
    bytes: S,
    spans: u32,
    dropped: u32,
}

/// A batch whose `N` bytes are inside it.
pub type InlineBatch<const N: usize> = Batch<heapless::Vec<u8, N>>;

impl<S: Storage> Batch<S> {
    /// An empty batch in `storage`, whose former content is forgotten.
    #[must_use]
    pub fn new(mut storage: S) -> Self {
        storage.view_mut().truncate(0);
        Self { bytes: storage, spans: 0, dropped: 0 }
    }

    /// Adds a span that ended at `end_time` (nanoseconds since the Unix epoch, 0 if unknown).
    ///
    /// # Errors
    /// The batch is full; the span is counted in [`dropped`](Self::dropped).
    #[inline]
    pub fn push<T: Storage>(&mut self, span: &Span<T>, end_time: u64) -> Result<(), CapacityError> {
        let result = span.write_to(end_time, self.bytes.view_mut());
        match result {
            Ok(()) => self.spans += 1,
            Err(CapacityError) => self.dropped = self.dropped.saturating_add(1),
        }
        result
    }

    /// How many spans it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.spans
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans == 0
    }

    /// How many spans did not fit since the batch was made.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Adds a span in its field, as another batch holds it.
    pub(crate) fn push_field(&mut self, field: &[u8]) -> Result<(), CapacityError> {
        if !append(self.bytes.view_mut(), field.len(), |cursor| cursor.bytes(field)) {
            self.count_dropped(1);
            return Err(CapacityError);
        }
        self.spans += 1;
        Ok(())
    }

    /// Counts spans that never got as far as [`push`](Self::push).
    pub(crate) fn count_dropped(&mut self, spans: u32) {
        self.dropped = self.dropped.saturating_add(spans);
    }

    /// The spans' bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.view().as_slice()
    }

    /// How many more bytes it can hold.
    #[must_use]
    pub fn room(&self) -> usize {
        self.bytes.view().room()
    }

    /// Typed views of the spans, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = SpanView<'_>> {
        Fields::new(self.as_bytes()).filter_map(|field| SpanView::parse(field.ok()?.bytes().ok()?).ok())
    }

    /// How many of the oldest spans fit into `max_bytes`, and how many bytes they take.
    #[must_use]
    pub fn prefix(&self, max_bytes: usize) -> (u32, usize) {
        let bytes = self.as_bytes();
        let mut fields = Fields::new(bytes);
        let mut prefix = (0, 0);
        while let Some(Ok(_)) = fields.next() {
            let length = bytes.len() - fields.rest().len();
            if length > max_bytes {
                break;
            }
            prefix = (prefix.0 + 1, length);
        }
        prefix
    }

    /// Removes the oldest spans, such as those that [`prefix`](Self::prefix) counted and that have left.
    pub fn remove_oldest(&mut self, spans: u32) {
        let bytes = self.as_bytes();
        let mut fields = Fields::new(bytes);
        let removed = spans.min(self.spans);
        for _ in 0..removed {
            fields.next();
        }
        let length = bytes.len() - fields.rest().len();
        crate::storage::remove(self.bytes.view_mut(), 0, length);
        self.spans -= removed;
    }

    /// Removes all spans; the drop count stays.
    pub fn clear(&mut self) {
        self.bytes.view_mut().truncate(0);
        self.spans = 0;
    }
}
