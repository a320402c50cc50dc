//! `Recording`: a span that is being recorded, from its start to its end.

use std::cell::LazyCell;
use std::fmt;
use std::sync::Arc;

use clewline_core::b3::SamplingState;
use clewline_core::{Attribute, Link, Verdict};

use super::buffer::GrowingBuffer;
use super::thread::with_local;
use super::{Pipeline, SharedProcessor, processing};
use crate::current::carried::Carried;

/// What core records of a span.
pub(super) type LiveSpan = clewline_core::Span<GrowingBuffer>;

/// A span that is being recorded, on its place in the pool.
pub(crate) struct Recording {
    pub(crate) span: LiveSpan,
    pub(super) pipeline: &'static Pipeline,
    pub(super) scope: u16,
    pub(super) start_ticks: u64,
    /// The sampler dropped it, and the ledger does not know of it; see [`Pipeline::record_on_trial`].
    #[cfg(feature = "tracing")]
    pub(super) is_on_trial: bool,
    /// For how long it was entered, if `tracing`'s door tracks that.
    #[cfg(feature = "tracing")]
    pub(crate) activity: crate::layer::Activity,
}

impl fmt::Debug for Recording {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span.fmt(formatter)
    }
}

/// What few spans start with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpanDetails<'a> {
    /// Attributes that the sampler sees.
    pub(crate) attributes: &'a [Attribute<'a>],
    /// Links that the sampler sees.
    pub(crate) links: &'a [Link<'a>],
    /// The tracestate list to carry on.
    pub(crate) trace_state: &'a str,
    /// When it began, if not now: Unix nanoseconds.
    pub(crate) start_time: Option<u64>,
    /// What was handed on about recording and the parent's sampled flag does not say.
    pub(crate) told: Option<SamplingState>,
    /// All that was handed on.
    pub(crate) carried: Option<&'a Arc<Carried>>,
}

impl Recording {
    /// The time of something that happens now in this span: Unix nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        self.pipeline.clock.to_unix_nanos(self.pipeline.clock.ticks())
    }

    /// When the span began, in nanoseconds since the Unix epoch, by the clock as it is now.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn start_time(&self) -> u64 {
        match self.start_ticks {
            0 => self.span.start_time(),
            ticks => self.pipeline.clock.to_unix_nanos(ticks),
        }
    }

    /// Ends the span, now if no time is given, and puts it on its way.
    pub(crate) fn finish(mut self: Box<Self>, end_time: Option<u64>) {
        let pipeline = self.pipeline;
        let now = pipeline.clock.ticks();
        let (started, ended) = pipeline.clock.interval(self.start_ticks, now);
        if self.start_ticks != 0 {
            self.span.set_start_time(started);
        }
        let end_time = end_time.unwrap_or(ended);
        let is_kept = pipeline.processors.is_empty() || self.is_kept(end_time);
        let is_exported = is_kept && self.span.context().is_sampled();
        let mut news = None;
        if !with_local(pipeline, |local| news = local.finish(self, end_time, is_exported)) {
            pipeline.count_late();
        }
        if let Some(news) = news {
            pipeline.tell(news);
        }
    }

    /// Shows it to the processors. False if one of them drops it.
    #[cold]
    #[inline(never)]
    fn is_kept(&self, end_time: u64) -> bool {
        let view = LazyCell::new(|| self.span.view(end_time));
        let keeps = |(index, processor): (usize, &SharedProcessor)| {
            let keeps = || !processor.sees_ends() || processor.on_end(&view) == Verdict::Keep;
            processing::run(self.pipeline.id, index, keeps) != Some(false)
        };
        self.pipeline.processors.iter().enumerate().all(keeps)
    }
}
