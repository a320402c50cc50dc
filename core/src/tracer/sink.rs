//! `SpanSink`: where a tracer's spans live, and where they go.

use core::ops::DerefMut;

use crate::storage::Storage;
use crate::{Form, Span, SpanStart};

/// Lends places to spans and takes the spans when they are finished.
pub trait SpanSink {
    /// Where a span's bytes live.
    type Storage: Storage;
    /// The form in which spans are recorded.
    type Form: Form;
    /// Where a span lives while it is going on. Dropped, it forgets the span.
    type Place<'s>: DerefMut<Target = Span<Self::Storage, Self::Form>>
    where
        Self: 's;

    /// Begins a span in a place of its own; `None`, which the sink counts, if there is none left. What is written into the
    /// span's storage comes later.
    ///
    /// `start` is asked once there is a place: on a chip, what it knows then goes there by the shortest way.
    fn begin<'a>(&self, start: impl FnOnce() -> SpanStart<'a>) -> Option<Self::Place<'_>>;

    /// A span has all that it starts with; this is the moment to tell processors, which may add to it.
    #[inline]
    fn started(&self, span: &mut Span<Self::Storage, Self::Form>) {
        let _ = span;
    }

    /// Keeps what it wants of a span that ended at `end_time`. Where it stands: a place may be as large as the span, and moving
    /// that takes longer than all the rest. Answers whether the place stays the span's; if not, it is dropped.
    fn finish<'s>(&'s self, place: &mut Self::Place<'s>, end_time: u64) -> bool;
}

/// A sink in a place of its own: a `static` ring that needs no initial bytes in flash.
impl<K: SpanSink + ?Sized> SpanSink for &K {
    type Storage = K::Storage;
    type Form = K::Form;
    type Place<'s>
        = K::Place<'s>
    where
        Self: 's;

    #[inline(always)]
    fn begin<'a>(&self, start: impl FnOnce() -> SpanStart<'a>) -> Option<Self::Place<'_>> {
        (**self).begin(start)
    }

    #[inline]
    fn started(&self, span: &mut Span<Self::Storage, Self::Form>) {
        (**self).started(span);
    }

    #[inline]
    fn finish<'s>(&'s self, place: &mut Self::Place<'s>, end_time: u64) -> bool {
        (**self).finish(place, end_time)
    }
}
