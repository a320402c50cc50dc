//! `SpanProcessor`: sees spans start and end.

use crate::{SpanContext, SpanView};

/// What becomes of a finished span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to the next processor, and at last into the batch.
    Keep,
    /// It goes no further.
    Drop,
}

/// Sees spans start and end (OpenTelemetry trace SDK, "Span processor"). A tuple of processors is one processor.
///
/// Called on the thread that records, so it should be quick and must not block.
pub trait SpanProcessor {
    /// A span was started that is going to be recorded.
    fn on_start(&self, context: &SpanContext, parent: Option<&SpanContext>) {
        let _ = (context, parent);
    }

    /// A recorded span has ended.
    fn on_end(&self, span: &SpanView<'_>) -> Verdict;
}

/// No processor.
impl SpanProcessor for () {
    #[inline]
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Keep
    }
}

impl<A: SpanProcessor, B: SpanProcessor> SpanProcessor for (A, B) {
    fn on_start(&self, context: &SpanContext, parent: Option<&SpanContext>) {
        self.0.on_start(context, parent);
        self.1.on_start(context, parent);
    }

    fn on_end(&self, span: &SpanView<'_>) -> Verdict {
        match self.0.on_end(span) {
            Verdict::Keep => self.1.on_end(span),
            Verdict::Drop => Verdict::Drop,
        }
    }
}

impl<P: SpanProcessor + ?Sized> SpanProcessor for &P {
    fn on_start(&self, context: &SpanContext, parent: Option<&SpanContext>) {
        (**self).on_start(context, parent);
    }

    fn on_end(&self, span: &SpanView<'_>) -> Verdict {
        (**self).on_end(span)
    }
}
