//! Which span a thread is in, whichever door it came through: the native one, `tracing`, or the OpenTelemetry API.
//!
//! Every thread has one stack of the places it is in. The native door and the `tracing` layer push what they enter, so that
//! the uppermost entry is the innermost span, and the parent of spans that start without being given one.
//!
//! No code but this crate's runs while the stack is borrowed.

pub(crate) mod carried;
mod context;
mod handle;
mod shared;

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;

use clewline_core::SpanContext;
#[cfg(feature = "opentelemetry")]
use clewline_core::SpanId;

pub use carried::Baggage;
pub use context::Context;
pub use handle::{CurrentSpan, EnteredSpan, current_span};
pub(crate) use shared::SharedSpan;

#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::current as otel;
use crate::pipeline::Recording;

thread_local! {
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// How many entries there are, and [`SUPPRESSED`]: cheaper to read than the stack itself, which most spans find empty.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Names the entries of guards, which may be dropped in any order.
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// A bit of the depth: nothing that starts on this thread is to be recorded.
const SUPPRESSED: usize = 1 << (usize::BITS - 1);

#[inline]
fn set_depth(depth: usize) {
    DEPTH.set(DEPTH.get() & SUPPRESSED | depth);
}

/// One place that has not been left.
struct Entry {
    place: Place,
    /// The guard that it belongs to; the layer finds its entries by their place.
    guard: u64,
    /// A `tracing` span that was entered while it was entered does not become current a second time, as in the registry.
    is_again: bool,
    /// The span that OpenTelemetry's context shows while this is the innermost place.
    #[cfg(feature = "opentelemetry")]
    shown: Option<SpanId>,
    /// Keeps the place attached there.
    #[cfg(feature = "opentelemetry")]
    attached: Option<otel::Attached>,
}

/// What a thread can be in.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A native span.
    Native(SharedSpan),
    /// A context from another thread or process.
    Attached(Arc<Context>),
    /// A span of a `tracing` layer. Layers number their spans independently, so an entry names its layer.
    #[cfg(feature = "tracing")]
    Tracing { layer: u64, number: u64 },
    /// OpenTelemetry's own context, with a span that the stack does not know.
    #[cfg(feature = "opentelemetry")]
    OpenTelemetry(::opentelemetry::Context),
}

impl Place {
    pub(crate) fn context(&self) -> Option<Context> {
        match self {
            Self::Native(span) => Some(span.context().clone()),
            Self::Attached(context) => Some(Context::clone(context)),
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::context_of(*layer, *number),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(cx) => Some(otel::hand_on(cx)),
        }
    }

    /// Works on what is being recorded, or does nothing. No foreign code may run inside `work`: it could come back here.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        match self {
            Self::Native(span) => span.with(work),
            Self::Attached(_) => None,
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::with_recording_of(*layer, *number, work),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(cx) => crate::opentelemetry::with_recording(cx, work),
        }
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.with(|_| ()).is_some()
    }
}

/// Keeps a place current on this thread; dropped, it leaves it. Guards may be dropped in any order.
#[must_use = "the context is current until the guard is dropped: keep it in a variable such as `_guard`"]
#[derive(Debug)]
pub struct ContextGuard {
    number: u64,
    /// It belongs to this thread's stack.
    not_send: PhantomData<*const ()>,
}

impl ContextGuard {
    pub(crate) fn enter(place: Place) -> Self {
        let number = NEXT.with(|next| next.replace(next.get() + 1));
        push(Entry::new(place, number));
        Self { number, not_send: PhantomData }
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        // What the entry held is dropped when the stack is free again.
        drop(remove(|entry| entry.guard == self.number && !entry.is_tracing()));
    }
}

impl Entry {
    #[inline]
    fn new(place: Place, guard: u64) -> Self {
        #[cfg(feature = "opentelemetry")]
        let (shown, attached) = if otel::is_active() { otel::attach(&place) } else { (None, None) };
        Self {
            place,
            guard,
            is_again: false,
            #[cfg(feature = "opentelemetry")]
            shown,
            #[cfg(feature = "opentelemetry")]
            attached,
        }
    }

    /// A second entering of a place.
    #[cfg(feature = "tracing")]
    fn again(place: Place) -> Self {
        Self {
            place,
            guard: 0,
            is_again: true,
            #[cfg(feature = "opentelemetry")]
            shown: None,
            #[cfg(feature = "opentelemetry")]
            attached: None,
        }
    }

    #[inline]
    fn is_tracing(&self) -> bool {
        #[cfg(feature = "tracing")]
        if let Place::Tracing { .. } = self.place {
            return true;
        }
        false
    }

    #[cfg(feature = "tracing")]
    #[inline]
    fn is_of(&self, wanted: (u64, u64)) -> bool {
        matches!(self.place, Place::Tracing { layer, number } if (layer, number) == wanted)
    }
}

/// A thread that is being torn down has no stack any more, and no current span.
#[inline]
fn push(entry: Entry) {
    let _ = STACK.try_with(|stack| {
        if let Ok(mut stack) = stack.try_borrow_mut() {
            stack.push(entry);
            set_depth(stack.len());
        }
    });
}

/// Takes the uppermost entry that is `wanted` off the stack.
#[inline]
fn remove(wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
    let remove = |stack: &RefCell<Vec<Entry>>| {
        let mut stack = stack.try_borrow_mut().ok()?;
        let entry = stack.iter().rposition(wanted).map(|at| stack.remove(at));
        set_depth(stack.len());
        entry
    };
    STACK.try_with(remove).ok().flatten()
}

/// Notes that this thread enters a span of a layer.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn enter_tracing(layer: u64, number: u64) {
    let is_again = |stack: &RefCell<Vec<Entry>>| {
        stack.try_borrow().is_ok_and(|stack| stack.iter().any(|entry| entry.is_of((layer, number))))
    };
    let place = Place::Tracing { layer, number };
    if STACK.try_with(is_again).unwrap_or(false) {
        push(Entry::again(place));
    } else {
        push(Entry::new(place, 0));
    }
}

/// Notes that this thread leaves a span of a layer; spans may be left in any order.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn exit_tracing(layer: u64, number: u64) {
    // What the entry held is dropped when the stack is free again.
    drop(remove(|entry| entry.is_of((layer, number))));
}

/// Whether there may be anything current at all, or anything else that spans have to look at when they start.
#[inline]
pub(crate) fn is_anything() -> bool {
    #[cfg(feature = "opentelemetry")]
    if otel::is_active() {
        return true;
    }
    DEPTH.get() != 0
}

/// Whether nothing that starts on this thread is to be recorded: an exporter is at work, whose own requests would otherwise be
/// exported for ever.
#[inline]
pub(crate) fn is_suppressed() -> bool {
    if DEPTH.get() & SUPPRESSED != 0 {
        return true;
    }
    #[cfg(feature = "opentelemetry")]
    return otel::is_active() && otel::is_suppressed();
    #[cfg(not(feature = "opentelemetry"))]
    false
}

/// Keeps what starts on this thread from being recorded until dropped.
#[cfg(feature = "opentelemetry-sdk")]
pub(crate) fn suppress() -> Suppressed {
    Suppressed { before: DEPTH.replace(DEPTH.get() | SUPPRESSED) & SUPPRESSED }
}

/// See [`suppress`].
#[cfg(feature = "opentelemetry-sdk")]
#[derive(Debug)]
pub(crate) struct Suppressed {
    before: usize,
}

#[cfg(feature = "opentelemetry-sdk")]
impl Drop for Suppressed {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() & !SUPPRESSED | self.before);
    }
}

/// Where a layer's new span or event belongs.
#[cfg(feature = "tracing")]
#[derive(Debug)]
pub(crate) enum Within {
    /// This layer has entered nothing that still matters.
    Nothing,
    /// A span of this layer.
    Tracing(u64),
    /// A span or context that came through another door.
    Other(Place),
}

/// The innermost place as one layer sees it: spans of other layers belong to other subscribers.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn within(of: u64) -> Within {
    #[cfg(feature = "opentelemetry")]
    if let Some(place) = further_in() {
        return Within::Other(place);
    }
    let find = |stack: &RefCell<Vec<Entry>>| {
        let stack = stack.try_borrow().ok()?;
        stack.iter().rev().filter(|entry| !entry.is_again).find_map(|entry| match &entry.place {
            Place::Tracing { layer, number } if *layer == of => Some(Within::Tracing(*number)),
            Place::Tracing { .. } => None,
            other => Some(Within::Other(other.clone())),
        })
    };
    STACK.try_with(find).ok().flatten().unwrap_or(Within::Nothing)
}

/// The innermost place.
#[inline]
fn top() -> Option<Place> {
    #[cfg(feature = "opentelemetry")]
    if let Some(place) = further_in() {
        return Some(place);
    }
    if DEPTH.get() & !SUPPRESSED == 0 {
        return None;
    }
    let top = |stack: &RefCell<Vec<Entry>>| {
        let stack = stack.try_borrow().ok()?;
        Some(stack.iter().rev().find(|entry| !entry.is_again)?.place.clone())
    };
    STACK.try_with(top).ok().flatten()
}

/// Attaches a layer's span to OpenTelemetry's context anew, because it has been given another trace.
#[cfg(all(feature = "opentelemetry", feature = "tracing"))]
pub(crate) fn moved(layer: u64, number: u64) {
    // Only where it is the innermost place: further out, contexts that were attached later would be lost.
    if !otel::is_active() || further_in().is_some() {
        return;
    }
    let old = with_top(|entry| entry.is_of((layer, number)).then(|| entry.attached.take())).flatten();
    if old.is_some() {
        drop(old);
        let (shown, attached) = otel::attach(&Place::Tracing { layer, number });
        with_top(|entry| (entry.shown, entry.attached) = (shown, attached));
    }
}

#[cfg(all(feature = "opentelemetry", feature = "tracing"))]
fn with_top<R>(work: impl FnOnce(&mut Entry) -> R) -> Option<R> {
    let with_top = |stack: &RefCell<Vec<Entry>>| {
        let mut stack = stack.try_borrow_mut().ok()?;
        Some(work(stack.iter_mut().rev().find(|entry| !entry.is_again)?))
    };
    STACK.try_with(with_top).ok().flatten()
}

/// OpenTelemetry's context, if it was attached inside of the innermost place of the stack.
#[cfg(feature = "opentelemetry")]
#[inline]
fn further_in() -> Option<Place> {
    if !otel::is_active() {
        return None;
    }
    let shown = |stack: &RefCell<Vec<Entry>>| {
        let stack = stack.try_borrow().ok()?;
        stack.iter().rev().find(|entry| !entry.is_again)?.shown
    };
    otel::other_than(STACK.try_with(shown).ok().flatten())
}

/// The context of the place with this span that the thread is in, asked of its own door.
#[cfg(feature = "opentelemetry")]
pub(crate) fn entered(span_id: SpanId) -> Option<Context> {
    let find = |stack: &RefCell<Vec<Entry>>| {
        let stack = stack.try_borrow().ok()?;
        let entry = stack.iter().rev().find(|entry| entry.attached.is_some() && entry.shown == Some(span_id))?;
        Some(entry.place.clone())
    };
    STACK.try_with(find).ok().flatten()?.context()
}

/// The context of the innermost span, as new native spans inherit it.
#[inline]
pub(crate) fn context() -> Context {
    with_current_baggage(top().and_then(|place| place.context()).unwrap_or_default())
}

/// What is to be handed on: a `tracing` span that filters keep from the layer counts as its nearest ancestor that they let
/// through.
fn handed_on() -> Context {
    let place = top();
    let context = match &place {
        #[cfg(feature = "tracing")]
        None | Some(Place::Tracing { .. }) => {
            crate::layer::nearest_to_current().or_else(|| place.as_ref().and_then(Place::context))
        }
        #[cfg(not(feature = "tracing"))]
        None => None,
        Some(place) => place.context(),
    };
    with_current_baggage(context.unwrap_or_default())
}

/// The same context with the baggage of OpenTelemetry's, where both are kept in step: more may have been put there meanwhile.
#[inline]
fn with_current_baggage(context: Context) -> Context {
    #[cfg(feature = "opentelemetry")]
    if otel::is_active() {
        return otel::with_baggage(context);
    }
    context
}

/// The context of the span that this thread is in, to hand to other processes; [`Context::current`] has the lists too.
#[must_use]
pub fn current_context() -> Option<SpanContext> {
    handed_on().span_context()
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;

    fn current(layer: u64) -> Option<u64> {
        if let Within::Tracing(number) = within(layer) { Some(number) } else { None }
    }

    #[test]
    fn the_current_span_is_the_last_that_was_entered_first() {
        let layer = 1;
        assert_eq!(current(layer), None);
        enter_tracing(layer, 10);
        enter_tracing(layer, 11);
        enter_tracing(2, 99);
        assert_eq!((current(layer), current(2)), (Some(11), Some(99)));
        enter_tracing(layer, 10);
        assert_eq!(current(layer), Some(11), "10 was entered before 11");
        exit_tracing(layer, 10);
        assert_eq!(current(layer), Some(11));
        exit_tracing(layer, 10);
        exit_tracing(layer, 10);
        assert_eq!(current(layer), Some(11), "left out of order");
        exit_tracing(layer, 11);
        assert_eq!((current(layer), current(2)), (None, Some(99)));
        exit_tracing(2, 99);
    }
}
