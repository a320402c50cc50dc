//! `LocalSink`: the sink of one thread of execution.

use core::cell::{Cell, RefCell};
use core::ops::{Deref, DerefMut};

use super::SpanSink;
use crate::{Batch, InlineSpan, Otlp, ReadWriteSpan, Span, SpanProcessor, SpanStart, Verdict};

/// A sink for one thread of execution: a batch, and processors before it. Spans record into `SPAN` bytes of their own.
///
/// ```
/// use clewline_core::{AlwaysOn, CountingIds, LocalSink, ManualClock, SpanKind, Tracer};
/// let tracer = Tracer::new(ManualClock::new(1_000), CountingIds::new(), AlwaysOn, LocalSink::<256, 4096>::new());
/// let mut request = tracer.span("GET /cart").kind(SpanKind::Server).start();
/// request.set("http.request.method", "GET");
/// let mut query = tracer.span("SELECT").child_of(request.context()).start();
/// query.event("cache.miss");
/// query.end();
/// request.end();
/// tracer.sink().with_batch(|batch| {
///     let names: Vec<&str> = batch.iter().map(|span| span.name()).collect();
///     assert_eq!(names, ["SELECT", "GET /cart"]);
/// });
/// ```
#[derive(Debug)]
pub struct LocalSink<const SPAN: usize, const BATCH: usize, P = ()> {
    batch: RefCell<Batch<heapless::Vec<u8, BATCH>>>,
    /// Spans that ended while the batch was in use.
    missed: Cell<u32>,
    processor: P,
}

impl<const SPAN: usize, const BATCH: usize> LocalSink<SPAN, BATCH> {
    /// An empty batch, no processors.
    #[must_use]
    pub fn new() -> Self {
        Self::with_processor(())
    }
}

impl<const SPAN: usize, const BATCH: usize> Default for LocalSink<SPAN, BATCH> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SPAN: usize, const BATCH: usize, P> LocalSink<SPAN, BATCH, P> {
    /// An empty batch behind `processor`.
    #[must_use]
    pub fn with_processor(processor: P) -> Self {
        Self { batch: RefCell::new(Batch::new(heapless::Vec::new())), missed: Cell::new(0), processor }
    }

    /// Reads or empties the batch. `None` if called from within itself. A span that ends meanwhile cannot be added: the
    /// batch counts it as dropped.
    pub fn with_batch<R>(&self, use_batch: impl FnOnce(&mut Batch<heapless::Vec<u8, BATCH>>) -> R) -> Option<R> {
        let mut batch = self.batch.try_borrow_mut().ok()?;
        let result = use_batch(&mut batch);
        batch.count_dropped(self.missed.take());
        Some(result)
    }
}

impl<const SPAN: usize, const BATCH: usize, P: SpanProcessor> SpanSink for LocalSink<SPAN, BATCH, P> {
    type Storage = heapless::Vec<u8, SPAN>;
    type Form = Otlp;
    type Place<'s>
        = LocalSpan<SPAN>
    where
        P: 's;

    #[inline(always)]
    fn begin<'a>(&self, start: impl FnOnce() -> SpanStart<'a>) -> Option<LocalSpan<SPAN>> {
        Some(LocalSpan(Span::unnamed(heapless::Vec::new(), &start())))
    }

    fn started(&self, span: &mut Span<Self::Storage, Self::Form>) {
        self.processor.on_start(&mut ReadWriteSpan::new(span));
    }

    fn finish(&self, place: &mut LocalSpan<SPAN>, end_time: u64) -> bool {
        let span = &place.0;
        let keeps = |processor: &P| !processor.sees_ends() || processor.on_end(&span.view(end_time)) == Verdict::Keep;
        if keeps(&self.processor) && span.context().is_sampled() {
            match self.batch.try_borrow_mut() {
                // A refused span is counted by the batch itself.
                Ok(mut batch) => drop(batch.push(span, end_time)),
                Err(_) => self.missed.set(self.missed.get().saturating_add(1)),
            }
        }
        false
    }
}

/// A span that is going on, for a [`LocalSink`].
#[derive(Debug)]
pub struct LocalSpan<const SPAN: usize>(InlineSpan<SPAN>);

impl<const SPAN: usize> Deref for LocalSpan<SPAN> {
    type Target = InlineSpan<SPAN>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<const SPAN: usize> DerefMut for LocalSpan<SPAN> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::{ActiveSpan, AlwaysOn, CountingIds, NoClock, SpanView, Tracer};

    #[test]
    fn a_span_that_ends_while_the_batch_is_read_is_counted() {
        let tracer = Tracer::new(NoClock, CountingIds::new(), AlwaysOn, LocalSink::<128, 512>::new());
        let count = |batch: &mut Batch<_>| (batch.len(), batch.dropped());
        let during = tracer.sink().with_batch(|batch| {
            tracer.span("log").start().end();
            count(batch)
        });
        assert_eq!(during, Some((0, 0)));
        tracer.span("kept").start().end();
        assert_eq!(tracer.sink().with_batch(count), Some((1, 1)));
    }

    #[test]
    fn a_processor_that_panics_sees_an_end_once_and_the_context_stays() {
        struct Panics(Cell<u32>);
        impl SpanProcessor for &Panics {
            fn on_end(&self, _: &SpanView<'_>) -> Verdict {
                self.0.set(self.0.get() + 1);
                panic!("on purpose");
            }
        }
        let panics = Panics(Cell::new(0));
        let sink = LocalSink::<128, 512, _>::with_processor(&panics);
        let tracer = Tracer::new(NoClock, CountingIds::new(), AlwaysOn, sink);
        for ends in [ActiveSpan::end, |span: &mut ActiveSpan<'_, _, _>| span.end_at(7)] {
            panics.0.set(0);
            let mut span = tracer.span("log").start();
            let context = span.context();
            assert!(catch_unwind(AssertUnwindSafe(|| ends(&mut span))).is_err());
            assert_eq!((span.is_recording(), span.context()), (false, context));
            drop(span);
            assert_eq!(panics.0.get(), 1);
        }
    }
}
