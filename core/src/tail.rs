//! `TailBuffer`: decides on whole traces once their spans have ended.

use crate::storage::{self, Storage, StorageView};
use crate::wire::Fields;
use crate::{Batch, Span, SpanView, StatusCode, TraceId};

/// Which traces are worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailRule {
    /// Keeps a trace with a span that ran longer than so many nanoseconds; `u64::MAX` for never.
    pub longer_than_nanos: u64,
    /// Keeps a trace with a span whose status is `Error`.
    pub failed: bool,
}

impl TailRule {
    /// Whether this span is a reason to keep its trace.
    #[must_use]
    pub fn keeps(&self, span: &SpanView<'_>) -> bool {
        (self.failed && span.status().code == StatusCode::Error) || span.duration_nanos() > self.longer_than_nanos
    }
}

/// What became of the spans that a [`TailBuffer`] got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailCounts {
    /// Spans of traces that the rule kept, handed to the batch. The batch counts those for which it had no room.
    pub kept: u32,
    /// Spans of traces that the rule did not keep.
    pub discarded: u32,
    /// Spans larger than the whole buffer.
    pub dropped: u32,
    /// Traces that were judged by what was there, because the buffer was full before they were complete.
    pub judged_early: u32,
}

/// Holds finished spans until the last of their trace has ended here, then hands the whole trace to a batch or forgets it.
///
/// A trace is complete when its local root ends: the span without a parent, or with a remote one. Spans that end after
/// it are judged by themselves, at the latest by [`flush`](Self::flush). When the buffer is full, the trace of its oldest
/// span is judged by what is there of it.
///
/// ```
/// use clewline_core::*;
/// let rule = TailRule { longer_than_nanos: 1_000_000, failed: true };
/// let mut tail = InlineTailBuffer::<1024>::new(heapless::Vec::new(), rule);
/// let mut batch = InlineBatch::<1024>::default();
/// let ids = CountingIds::new();
/// let context = SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED);
/// let start = SpanStart { context, parent: None, name: "work", kind: SpanKind::Internal, start_time: 0, trace_state: "",
///     limits: SpanLimits::DEFAULT };
/// tail.push(&InlineSpan::<64>::new(heapless::Vec::new(), &start), 2_000_000, &mut batch);
/// assert_eq!((batch.len(), tail.counts().kept), (1, 1));
/// ```
#[derive(Debug)]
pub struct TailBuffer<S: Storage> {
    /// Spans in their fields, as in a batch.
    bytes: S,
    rule: TailRule,
    counts: TailCounts,
}

/// A buffer whose `N` bytes are inside it.
pub type InlineTailBuffer<const N: usize> = TailBuffer<heapless::Vec<u8, N>>;

impl<S: Storage> TailBuffer<S> {
    /// An empty buffer in `storage`, whose former content is forgotten.
    #[must_use]
    pub fn new(mut storage: S, rule: TailRule) -> Self {
        storage.view_mut().truncate(0);
        Self { bytes: storage, rule, counts: TailCounts::default() }
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn counts(&self) -> TailCounts {
        self.counts
    }

    /// Whether it waits for spans.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.view().as_slice().is_empty()
    }

    /// Takes a span that ended at `end_time` (nanoseconds since the Unix epoch). If it completes its trace, or room is
    /// needed, spans go into `batch`.
    pub fn push<T: Storage, B: Storage>(&mut self, span: &Span<T>, end_time: u64, batch: &mut Batch<B>) {
        while span.write_to(end_time, self.bytes.view_mut()).is_err() {
            let Some(oldest) = self.oldest() else {
                self.counts.dropped = self.counts.dropped.saturating_add(1);
                return;
            };
            self.counts.judged_early = self.counts.judged_early.saturating_add(1);
            self.judge(oldest, batch);
        }
        if span.parent().is_none_or(|parent| parent.is_remote()) {
            self.judge(span.context().trace_id(), batch);
        }
    }

    /// Judges every trace by what is there of it: before the process ends, or when it has nothing else to do.
    pub fn flush<B: Storage>(&mut self, batch: &mut Batch<B>) {
        while let Some(oldest) = self.oldest() {
            self.judge(oldest, batch);
        }
    }

    fn oldest(&self) -> Option<TraceId> {
        span_at(self.bytes.view().as_slice(), 0).map(|(_, span)| span.trace_id())
    }

    fn judge<B: Storage>(&mut self, trace_id: TraceId, batch: &mut Batch<B>) {
        let mut at = 0;
        let mut is_kept = false;
        while let Some((end, span)) = span_at(self.bytes.view().as_slice(), at) {
            is_kept |= span.trace_id() == trace_id && self.rule.keeps(&span);
            at = end;
        }
        at = 0;
        let mut spans = 0_u32;
        while let Some((end, span)) = span_at(self.bytes.view().as_slice(), at) {
            if span.trace_id() != trace_id {
                at = end;
                continue;
            }
            if is_kept && let Some(field) = self.bytes.view().as_slice().get(at..end) {
                // A span for which there is no room is counted by the batch.
                let _ = batch.push_field(field);
            }
            storage::remove(self.bytes.view_mut(), at, end);
            spans += 1;
        }
        let count = if is_kept { &mut self.counts.kept } else { &mut self.counts.discarded };
        *count = count.saturating_add(spans);
    }
}

/// The span in the field that begins at `at`, and where that ends.
fn span_at(bytes: &[u8], at: usize) -> Option<(usize, SpanView<'_>)> {
    let mut fields = Fields::new(bytes.get(at..)?);
    let span = SpanView::parse(fields.next()?.ok()?.bytes().ok()?).ok()?;
    Some((bytes.len() - fields.rest().len(), span))
}
