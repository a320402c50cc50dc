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

pub use carried::Baggage;
pub use context::Context;
pub use handle::{CurrentSpan, EnteredSpan, current_span};
pub(crate) use shared::SharedSpan;

use crate::pipeline::Recording;

thread_local! {
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// How many entries there are: cheaper to read than the stack itself, which most spans find empty.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Names the entries of guards, which may be dropped in any order.
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// One place that has not been left.
struct Entry {
    place: Place,
    /// The guard that it belongs to; the layer finds its entries by their place.
    guard: u64,
    /// A `tracing` span that was entered while it was entered does not become current a second time, as in the registry.
    is_again: bool,
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
}

impl Place {
    pub(crate) fn context(&self) -> Option<Context> {
        match self {
            Self::Native(span) => Some(span.context().clone()),
            Self::Attached(context) => Some(Context::clone(context)),
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::context_of(*layer, *number),
        }
    }

    /// Works on what is being recorded, or does nothing. No foreign code may run inside `work`: it could come back here.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        match self {
            Self::Native(span) => span.with(work),
            Self::Attached(_) => None,
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::with_recording_of(*layer, *number, work),
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
        push(Entry { place, guard: number, is_again: false });
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
            DEPTH.set(stack.len());
        }
    });
}

/// Takes the uppermost entry that is `wanted` off the stack.
#[inline]
fn remove(wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
    let remove = |stack: &RefCell<Vec<Entry>>| {
        let mut stack = stack.try_borrow_mut().ok()?;
        let entry = stack.iter().rposition(wanted).map(|at| stack.remove(at));
        DEPTH.set(stack.len());
        entry
    };
    STACK.try_with(remove).ok().flatten()
}

/// Notes that this thread enters a span of a layer.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn enter_tracing(layer: u64, number: u64) {
    let _ = STACK.try_with(|stack| {
        if let Ok(mut stack) = stack.try_borrow_mut() {
            let is_again = stack.iter().any(|entry| entry.is_of((layer, number)));
            stack.push(Entry { place: Place::Tracing { layer, number }, guard: 0, is_again });
            DEPTH.set(stack.len());
        }
    });
}

/// Notes that this thread leaves a span of a layer; spans may be left in any order.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn exit_tracing(layer: u64, number: u64) {
    remove(|entry| entry.is_of((layer, number)));
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
    if DEPTH.get() == 0 {
        return None;
    }
    let top = |stack: &RefCell<Vec<Entry>>| {
        let stack = stack.try_borrow().ok()?;
        Some(stack.iter().rev().find(|entry| !entry.is_again)?.place.clone())
    };
    STACK.try_with(top).ok().flatten()
}

/// The context of the innermost span, as new native spans inherit it.
#[inline]
pub(crate) fn context() -> Context {
    match top() {
        Some(place) => place.context().unwrap_or_default(),
        None => Context::default(),
    }
}

/// What is to be handed on: a `tracing` span that filters keep from the layer counts as its nearest ancestor that they let
/// through.
fn handed_on() -> Context {
    match top() {
        #[cfg(feature = "tracing")]
        None | Some(Place::Tracing { .. }) => crate::layer::nearest_to_current().unwrap_or_else(context),
        #[cfg(not(feature = "tracing"))]
        None => Context::default(),
        Some(place) => place.context().unwrap_or_default(),
    }
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
