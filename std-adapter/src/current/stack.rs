//! Every thread's stack of the places it is in, and what OpenTelemetry's context says beside it.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

#[cfg(feature = "opentelemetry")]
use clewline_core::SpanId;

#[cfg(feature = "opentelemetry")]
use super::Context;
use super::Place;
#[cfg(feature = "tracing")]
use super::quick;
#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::current as otel;
#[cfg(feature = "testing")]
use crate::testing::scope as testing;

thread_local! {
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// How many entries there are, and [`SUPPRESSED`]: cheaper to read than the stack itself, which most spans find empty.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Numbers entries in the order in which they come. Guards, which may be dropped in any order, find theirs by it.
    static NEXT: Cell<u32> = const { Cell::new(0) };
}

/// A bit of the depth: nothing that starts on this thread is to be recorded.
const SUPPRESSED: usize = 1 << (usize::BITS - 1);

/// One place that has not been left.
struct Entry {
    place: Place,
    /// When it came. Guards find their entries by it, doors for `tracing` find theirs by their place.
    order: u32,
    /// A `tracing` span that was entered while it was entered does not become current a second time, as in the registry.
    is_again: bool,
    /// How it stands in OpenTelemetry's context.
    #[cfg(feature = "opentelemetry")]
    attached: Option<Box<otel::Attached>>,
    /// Makes the thread record for a test while it is in a place of it.
    #[cfg(feature = "testing")]
    recorded: Option<Box<testing::ThreadScope>>,
}

impl Entry {
    #[inline]
    fn new(place: Place, order: u32, is_again: bool) -> Self {
        Self {
            place,
            order,
            is_again,
            #[cfg(feature = "opentelemetry")]
            attached: None,
            #[cfg(feature = "testing")]
            recorded: None,
        }
    }

    /// Whether it came at this moment of the thread's order or later. Numbers begin anew at some time.
    #[inline]
    fn is_since(&self, order: Option<u32>) -> bool {
        order.is_none_or(|order| self.order.wrapping_sub(order).cast_signed() >= 0)
    }

    #[inline]
    fn is_of_guard(&self, number: u32) -> bool {
        #[cfg(feature = "tracing")]
        if let Place::Tracing { .. } = self.place {
            return false;
        }
        self.order == number
    }

    #[cfg(all(any(feature = "opentelemetry", feature = "testing"), feature = "tracing"))]
    #[inline]
    fn is_of(&self, wanted: (u32, u64)) -> bool {
        matches!(self.place, Place::Tracing { layer, number } if (layer, number) == wanted)
    }
}

/// Keeps a place current on this thread; dropped, it leaves it. Guards may be dropped in any order.
#[must_use = "the context is current until the guard is dropped: keep it in a variable such as `_guard`"]
#[derive(Debug)]
pub struct ContextGuard {
    number: u32,
    /// It belongs to this thread's stack.
    not_send: PhantomData<*const ()>,
}

impl ContextGuard {
    pub(crate) fn enter(place: Place) -> Self {
        let number = next_order();
        #[cfg(feature = "opentelemetry")]
        let attached = otel::is_active().then(|| otel::attach(&place));
        #[cfg(feature = "testing")]
        let recorded = if testing::is_active() { testing::inherit(&place) } else { None };
        #[cfg_attr(
            not(any(feature = "opentelemetry", feature = "testing")),
            expect(unused_mut, reason = "nothing to add")
        )]
        let mut entry = Entry::new(place, number, false);
        #[cfg(feature = "opentelemetry")]
        {
            entry.attached = attached.map(Box::new);
        }
        #[cfg(feature = "testing")]
        {
            entry.recorded = recorded.map(Box::new);
        }
        with_stack(|stack| stack.push(entry));
        Self { number, not_send: PhantomData }
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        let entry = with_stack(|stack| remove(stack, |entry| entry.is_of_guard(self.number)));
        // What the entry held is dropped when the stack is free again.
        drop(entry);
    }
}

fn next_order() -> u32 {
    NEXT.with(|next| next.replace(next.get().wrapping_add(1)))
}

/// Works on this thread's stack, or does nothing: a thread that is being torn down has none any more, and no current span.
#[inline]
fn with_stack<R>(work: impl FnOnce(&mut Vec<Entry>) -> R) -> Option<R> {
    let with_stack = |stack: &RefCell<Vec<Entry>>| {
        let mut stack = stack.try_borrow_mut().ok()?;
        let result = work(&mut stack);
        DEPTH.set(DEPTH.get() & SUPPRESSED | stack.len());
        Some(result)
    };
    STACK.try_with(with_stack).ok().flatten()
}

/// Looks at the entries that count, the innermost first.
#[inline]
fn find<R>(of: impl FnMut(&Entry) -> Option<R>) -> Option<R> {
    let find = |stack: &RefCell<Vec<Entry>>| {
        let stack = stack.try_borrow().ok()?;
        stack.iter().rev().filter(|entry| !entry.is_again).find_map(of)
    };
    STACK.try_with(find).ok().flatten()
}

/// Takes the uppermost entry that is `wanted` off the stack.
#[inline]
fn remove(stack: &mut Vec<Entry>, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
    if stack.last().is_some_and(&wanted) {
        return stack.pop();
    }
    stack.iter().rposition(wanted).map(|at| stack.remove(at))
}

/// Notes that this thread enters a span of a layer.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn enter_tracing(layer: u32, number: u64) {
    #[cfg(any(feature = "opentelemetry", feature = "testing"))]
    if is_watched() {
        return enter_watched(layer, number);
    }
    quick::enter(layer, number, NEXT.get());
}

/// Whether there is more to do when a span is entered than to note it: OpenTelemetry's context is to show it, or a test may
/// be waiting for it.
#[cfg(all(any(feature = "opentelemetry", feature = "testing"), feature = "tracing"))]
#[inline]
fn is_watched() -> bool {
    #[cfg(feature = "testing")]
    if testing::is_active() {
        return true;
    }
    #[cfg(feature = "opentelemetry")]
    return otel::is_active();
    #[cfg(not(feature = "opentelemetry"))]
    false
}

#[cfg(all(any(feature = "opentelemetry", feature = "testing"), feature = "tracing"))]
#[cold]
fn enter_watched(layer: u32, number: u64) {
    let (place, order) = (Place::Tracing { layer, number }, next_order());
    let is_again = with_stack(|stack| {
        let is_again = quick::contains(layer, number) || stack.iter().any(|entry| entry.is_of((layer, number)));
        stack.push(Entry::new(place, order, is_again));
        is_again
    });
    if is_again == Some(false) {
        #[cfg(feature = "opentelemetry")]
        if otel::is_active() {
            attach(layer, number);
        }
        #[cfg(feature = "testing")]
        if testing::is_active() {
            inherit(layer, number);
        }
    }
}

/// Has a thread that enters a span of a test record for it.
#[cfg(all(feature = "testing", feature = "tracing"))]
fn inherit(layer: u32, number: u64) {
    let recorded = testing::inherit(&Place::Tracing { layer, number }).map(Box::new);
    if recorded.is_some() {
        with_stack(|stack| stack.last_mut().map(|entry| entry.recorded = recorded));
    }
}

/// Notes that this thread leaves a span of a layer; spans may be left in any order.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn exit_tracing(layer: u32, number: u64) {
    #[cfg(any(feature = "opentelemetry", feature = "testing"))]
    if DEPTH.get() & !SUPPRESSED != 0 && exit_watched(layer, number) {
        return;
    }
    quick::exit(layer, number);
}

/// Notes it if the span is on the stack.
#[cfg(all(any(feature = "opentelemetry", feature = "testing"), feature = "tracing"))]
#[cold]
fn exit_watched(layer: u32, number: u64) -> bool {
    let entry = with_stack(|stack| remove(stack, |entry| entry.is_of((layer, number)))).flatten();
    // What the entry held is dropped when the stack is free again.
    entry.is_some()
}

/// Attaches the span of a layer that this thread is in to OpenTelemetry's context.
#[cfg(all(feature = "opentelemetry", feature = "tracing"))]
#[cold]
fn attach(layer: u32, number: u64) {
    let attached = Box::new(otel::attach(&Place::Tracing { layer, number }));
    let before = with_stack(|stack| stack.last_mut().and_then(|entry| entry.attached.replace(attached)));
    drop(before);
}

/// Attaches a layer's span to OpenTelemetry's context anew, because it has been given another trace.
#[cfg(all(feature = "opentelemetry", feature = "tracing"))]
pub(crate) fn moved(layer: u32, number: u64) {
    // Only where it is the innermost place: further out, contexts that were attached later would be lost.
    let is_last = |stack: &mut Vec<Entry>| stack.last().is_some_and(|entry| entry.is_of((layer, number)));
    if otel::is_active() && further_in().is_none() && with_stack(is_last) == Some(true) {
        let before = with_stack(|stack| stack.last_mut().and_then(|entry| entry.attached.take()));
        drop(before);
        attach(layer, number);
    }
}

/// OpenTelemetry's context, if it was attached inside of the innermost place of the stack.
#[cfg(feature = "opentelemetry")]
#[inline]
fn further_in() -> Option<Place> {
    if !otel::is_active() {
        return None;
    }
    let shown = find(|entry| Some(entry.attached.as_ref().and_then(|attached| attached.shown())));
    otel::other_than(shown.flatten())
}

/// The context of the place with this span that the thread is in, asked of its own door.
#[cfg(feature = "opentelemetry")]
pub(crate) fn entered(span_id: SpanId) -> Option<Context> {
    let place = find(|entry| {
        let attached = entry.attached.as_ref()?;
        (attached.is_own() && attached.shown() == Some(span_id)).then(|| entry.place.clone())
    });
    place?.context()
}

/// Whether there may be anything current at all, or anything else that spans have to look at when they start.
#[inline]
pub(crate) fn is_anything() -> bool {
    #[cfg(feature = "testing")]
    if testing::is_active() {
        return true;
    }
    #[cfg(feature = "opentelemetry")]
    if otel::is_active() {
        return true;
    }
    #[cfg(feature = "tracing")]
    if !quick::is_empty() {
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
pub(crate) fn suppress() -> Suppressed {
    Suppressed { before: DEPTH.replace(DEPTH.get() | SUPPRESSED) & SUPPRESSED }
}

/// See [`suppress`].
#[derive(Debug)]
pub(crate) struct Suppressed {
    before: usize,
}

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
pub(crate) fn within(of: u32) -> Within {
    #[cfg(feature = "opentelemetry")]
    if let Some(place) = further_in() {
        return Within::Other(place);
    }
    let quick = quick::current(Some(of));
    if DEPTH.get() & !SUPPRESSED != 0
        && let Some(within) = within_stack(of, quick.map(|quick| quick.order))
    {
        return within;
    }
    quick.map_or(Within::Nothing, |quick| Within::Tracing(quick.number))
}

/// The innermost place of the stack, as one layer sees it, if it came further in than the quick stack's.
#[cfg(feature = "tracing")]
#[cold]
fn within_stack(of: u32, order: Option<u32>) -> Option<Within> {
    find(|entry| match &entry.place {
        _ if !entry.is_since(order) => None,
        Place::Tracing { layer, number } if *layer == of => Some(Within::Tracing(*number)),
        Place::Tracing { .. } => None,
        other => Some(Within::Other(other.clone())),
    })
}

/// The innermost place.
#[inline]
pub(super) fn top() -> Option<Place> {
    #[cfg(feature = "opentelemetry")]
    if let Some(place) = further_in() {
        return Some(place);
    }
    #[cfg(feature = "tracing")]
    if let Some(quick) = quick::current(None) {
        let place = Place::Tracing { layer: quick.layer, number: quick.number };
        return Some(top_of_stack(Some(quick.order)).unwrap_or(place));
    }
    top_of_stack(None)
}

/// The innermost place of the stack, if it came since that moment.
#[inline]
fn top_of_stack(order: Option<u32>) -> Option<Place> {
    if DEPTH.get() & !SUPPRESSED == 0 {
        return None;
    }
    find(|entry| Some(entry.is_since(order).then(|| entry.place.clone()))).flatten()
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;

    fn current(layer: u32) -> Option<u64> {
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

    #[test]
    fn both_stacks_keep_their_order() {
        let attach = || ContextGuard::enter(Place::Attached(Default::default()));
        let is_other = || matches!(within(1), Within::Other(_)) && matches!(top(), Some(Place::Attached(_)));
        let is_tracing = || matches!(within(1), Within::Tracing(_)) && matches!(top(), Some(Place::Tracing { .. }));
        // The numbers begin anew in the middle of this.
        NEXT.set(u32::MAX - 1);
        let outer = attach();
        assert!(is_other());
        enter_tracing(1, 10);
        assert!(is_tracing());
        let inner = attach();
        enter_tracing(2, 10);
        assert!(matches!(within(1), Within::Other(_)), "another layer's span is not further in");
        enter_tracing(1, 11);
        let innermost = attach();
        assert!(is_other());
        drop(inner);
        assert!(is_other());
        drop(innermost);
        assert!(is_tracing());
        exit_tracing(1, 10);
        exit_tracing(2, 10);
        assert!(is_tracing());
        exit_tracing(1, 11);
        assert!(is_other());
        drop(outer);
        assert!(top().is_none() && !is_anything());
    }

    /// Every span that is entered is written there, and read again by its children.
    #[test]
    fn an_entry_is_small() {
        let of_features = usize::from(cfg!(feature = "opentelemetry")) + usize::from(cfg!(feature = "testing"));
        assert!(size_of::<Entry>() <= 24 + 8 * of_features);
    }
}
