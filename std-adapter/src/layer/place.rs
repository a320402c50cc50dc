//! `Place`: where a span that goes on keeps its context, which is read without a lock, and its recording, on which one thread
//! works at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use clewline_core::SpanContext;

use super::context_cell::ContextCell;
use super::loan::{Lent, Loan, Work};
use super::recorder::{HandedOn, Live};
use crate::current::Context;
use crate::current::carried::Shared;
use crate::pipeline::Recording;

/// What the layer keeps of one span.
#[derive(Debug, Default)]
pub(super) struct Place {
    context: ContextCell,
    recording: Loan<Recording>,
    /// What the span hands on beside its context; `None` in almost all, and then the context knows.
    carried: Mutex<Shared>,
}

impl Drop for Place {
    /// Ends a span that nobody closed before its subscriber ended.
    fn drop(&mut self) {
        drop(Live(self.recording.take()));
    }
}

impl Place {
    /// Moves a span into a place that is free and the caller's: its context, whether that is only handed on in place of one of
    /// its own, what goes with it, and the recording. `None` for the context is nothing recorded and nothing come from elsewhere.
    ///
    /// All of it comes in registers: moved through memory, it would be read back as a whole where it was written in pieces, which
    /// stalls the processor.
    #[inline]
    pub(super) fn begin(&self, context: Option<&SpanContext>, is_foreign: bool, carried: Shared, mut recording: Live) {
        self.context.begin(context, carried.is_some(), is_foreign);
        if carried.is_some() {
            *lock(&self.carried) = carried;
        }
        self.recording.put(recording.0.take());
    }
}

/// A place that held the wanted span when it was looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'t> {
    wanted: u64,
    number: &'t AtomicU64,
    place: &'t Place,
}

impl<'t> Found<'t> {
    /// The place of span `wanted`, whose number stood there a moment ago.
    #[inline]
    pub(super) fn new(wanted: u64, number: &'t AtomicU64, place: &'t Place) -> Self {
        Self { wanted, number, place }
    }

    /// The span's context; `None` if it has ended meanwhile, or has none.
    #[inline]
    pub(super) fn context(&self) -> Option<SpanContext> {
        let context = self.place.context.read()?;
        // Read after the context: unchanged, it proves that the context was this span's.
        self.is_current().then_some(context)
    }

    /// The span's context, unless it only hands on another's.
    pub(super) fn own_context(&self) -> Option<SpanContext> {
        if self.place.context.is_foreign() { None } else { self.context() }
    }

    /// What the span hands on to a child: its context, and what goes with it.
    #[inline]
    pub(super) fn hand_to_child(&self) -> HandedOn {
        self.place.context.note_child();
        (self.context(), self.carried())
    }

    /// Whether there are children to which it handed its context.
    pub(super) fn has_children(&self) -> bool {
        self.place.context.has_children()
    }

    /// What the span hands on to what happens within it.
    pub(super) fn hand_on(&self) -> Context {
        let carried = self.carried();
        Context::with_carried(self.context(), carried)
    }

    /// What the span hands on beside its context.
    #[inline]
    pub(super) fn carried(&self) -> Shared {
        if !self.place.context.has_carried() {
            return None;
        }
        let carried = lock(&self.place.carried).clone();
        if self.is_current() { carried } else { None }
    }

    /// Replaces what the span hands on beside its context.
    pub(super) fn set_carried(&self, carried: Shared) {
        if carried.is_none() && !self.place.context.has_carried() {
            return;
        }
        let has_carried = carried.is_some();
        let former = std::mem::replace(&mut *lock(&self.place.carried), carried);
        self.place.context.set_has_carried(has_carried);
        drop(former);
    }

    /// Gives the span another context.
    pub(super) fn set_context(&self, context: &SpanContext) {
        self.place.context.change(context);
    }

    /// Whether anything is recorded, on trial or not.
    #[inline]
    pub(super) fn has_recording(&self) -> bool {
        self.place.recording.is_some()
    }

    /// Works on what is being recorded. No foreign code may run inside `work`: it could come back here.
    #[inline]
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Work<R> {
        match self.lend() {
            Work::Done(mut lent) => Work::Done(work(&mut lent)),
            Work::NotRecorded => Work::NotRecorded,
            Work::Away => Work::Away,
        }
    }

    /// Borrows what is being recorded; whoever else wants it waits.
    #[inline]
    pub(super) fn lend(&self) -> Work<Lent<'t, Recording>> {
        match self.place.recording.lend() {
            // Places are used again: what was lent may be another span's.
            Work::Done(_) if !self.is_current() => Work::NotRecorded,
            outcome => outcome,
        }
    }

    /// Puts a recording where there was none.
    pub(super) fn put(&self, recording: Box<Recording>) {
        self.place.recording.put(Some(recording));
    }

    /// Brings back a recording that was [sent away](Lent::send_away). Answers it if the span has been closed meanwhile.
    pub(super) fn bring_back(&self, recording: Box<Recording>) -> Option<Box<Recording>> {
        self.place.recording.bring_back(recording)
    }

    /// Frees the place and takes what was recorded.
    #[inline]
    pub(super) fn remove(self) -> Option<Box<Recording>> {
        let recording = if self.has_recording() { self.take() } else { None };
        if self.place.context.has_carried() {
            self.set_carried(None);
        }
        self.number.store(0, Ordering::Release);
        recording
    }

    #[inline]
    fn take(&self) -> Option<Box<Recording>> {
        loop {
            match self.lend() {
                Work::Done(lent) => return Some(lent.take()),
                Work::NotRecorded => return None,
                Work::Away if self.place.recording.abandon() => return None,
                // It has just come back.
                Work::Away => {}
            }
        }
    }

    #[inline]
    fn is_current(&self) -> bool {
        self.number.load(Ordering::Relaxed) == self.wanted
    }
}

/// Nothing behind these locks can be left half done, so a panic elsewhere does not matter.
fn lock(carried: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    carried.lock().unwrap_or_else(PoisonError::into_inner)
}
