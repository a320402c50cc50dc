//! `Recording`: a span that is being recorded, from its start to its end; and what comes of starting one.

use std::cell::LazyCell;
use std::fmt;
use std::sync::Arc;

use clewline_core::b3::SamplingState;
use clewline_core::{Attribute, Link, Span, SpanContext, Verdict};

use super::buffer::GrowingBuffer;
use super::thread::with_local;
use super::{Pipeline, SharedProcessor, processing};
use crate::current::carried::{Carried, Shared};

/// A span that is being recorded, on its place in the pool.
pub(crate) struct Recording {
    pub(crate) span: Span<GrowingBuffer>,
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

/// What comes of starting a span.
#[derive(Debug, Default)]
pub(crate) struct Started {
    /// The context with which it started, or the parent's if there is no pipeline. A recording has its own, which may change.
    pub(super) unrecorded: Option<SpanContext>,
    pub(super) recording: Option<Box<Recording>>,
    /// What it hands on beside its own context.
    pub(crate) carried: Shared,
}

impl Started {
    /// A span that is not recorded and passes on what its parent handed to it.
    #[inline]
    pub(crate) fn passing(context: Option<SpanContext>, carried: Shared) -> Self {
        Self { unrecorded: context, recording: None, carried }
    }

    #[inline]
    pub(crate) fn context(&self) -> Option<SpanContext> {
        match &self.recording {
            Some(recording) => Some(recording.span.context()),
            None => self.unrecorded,
        }
    }

    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    #[inline]
    pub(crate) fn recording(&mut self) -> Option<&mut Recording> {
        self.recording.as_deref_mut()
    }

    /// Takes the recording out. The context stays, as a span that has ended can still be a parent.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Box<Recording>> {
        let recording = self.recording.take()?;
        self.unrecorded = Some(recording.span.context());
        Some(recording)
    }

    /// What is made of a span that has just started: its context, where it stands (moved, it would be read back as a whole where
    /// it was written in pieces, which stalls the processor), the recording, and what it hands on.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn parts(&mut self) -> (Option<&SpanContext>, Option<Box<Recording>>, Shared) {
        (self.unrecorded.as_ref(), self.recording.take(), self.carried.take())
    }

    /// Puts a recording back that was taken out.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn put_back(&mut self, recording: Box<Recording>) {
        self.recording = Some(recording);
    }
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
        let is_exported = self.span.context().is_sampled() && self.is_kept(end_time);
        let mut news = None;
        if !with_local(pipeline, |local| news = local.finish(self, end_time, is_exported)) {
            pipeline.count_late();
        }
        if let Some(news) = news {
            pipeline.tell(news);
        }
    }

    #[inline]
    fn is_kept(&self, end_time: u64) -> bool {
        let processors = &self.pipeline.processors;
        processors.is_empty() || {
            let view = LazyCell::new(|| self.span.view(end_time));
            let keeps = |(index, processor): (usize, &SharedProcessor)| {
                let keeps = || !processor.sees_ends() || processor.on_end(&view) == Verdict::Keep;
                processing::run(self.pipeline.id, index, keeps) != Some(false)
            };
            processors.iter().enumerate().all(keeps)
        }
    }
}
