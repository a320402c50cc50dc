//! `Slots`: the open spans of [`ClewlineSubscriber`](super::ClewlineSubscriber), which numbers its spans itself.
//!
//! A span's number is its slot's index and how often the slot has been used, so finding it is one look at one place. Threads
//! take slots from a list of their own and give them back to it; only a thread that opens many more spans than it closes, or
//! closes many more, exchanges some with the others. All subscribers of a process share the slots.

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use clewline_core::SpanContext;
use tracing_core::Metadata;

use super::place::{Found, Place};
use super::recorder::Live;
use crate::current::carried::Shared;
use crate::pipeline::Recording;

/// Slots of the first segment; every further one has twice as many as the one before.
const FIRST_SLOTS: u32 = 256;
/// Together room for 67 million spans at once.
const SEGMENTS: usize = 18;
const MOST_SLOTS: u32 = FIRST_SLOTS * ((1 << SEGMENTS) - 1);
/// How many slots a thread takes at a time, and how many it keeps at most.
const TAKEN: u32 = 16;
const KEPT: usize = 128;

static SLOTS: Slots =
    Slots { segments: [const { OnceLock::new() }; SEGMENTS], next: AtomicU32::new(0), spare: Mutex::new(Vec::new()) };

thread_local! {
    static FREE: Free =
        const { Free { length: Cell::new(0), slots: [const { Cell::new(None) }; KEPT], has_ended: Cell::new(false) } };
    static ENDING: Ending = const { Ending };
}

/// The slots of a process.
#[derive(Debug)]
struct Slots {
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    /// The first slot that was never used.
    next: AtomicU32,
    /// Free slots that no thread keeps for itself.
    spare: Mutex<Vec<&'static Slot>>,
}

// Two cache lines, so that threads do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot {
    /// The span's number; zero in a free slot.
    number: AtomicU64,
    /// How many handles there are.
    handles: AtomicU32,
    /// How often the slot was used. Only who has taken the slot writes it.
    uses: AtomicU32,
    /// Which slot it is. Set once, before anybody uses it.
    index: AtomicU32,
    metadata: AtomicPtr<Metadata<'static>>,
    place: Place,
}

/// Opens a span with one handle, which begins as [`Place::begin`] says, and answers its number. Should there be no slot, which
/// takes millions of open spans, its recording ends at once, and is not lost; the number then names nothing.
#[inline]
pub(super) fn open(
    metadata: &'static Metadata<'static>,
    context: Option<&SpanContext>,
    is_foreign: bool,
    carried: Shared,
    recording: Live,
) -> u64 {
    let Some(slot) = take_slot() else { return u64::MAX };
    let uses = slot.uses.load(Ordering::Relaxed).wrapping_add(1);
    slot.uses.store(uses, Ordering::Relaxed);
    let number = u64::from(uses) << 32 | u64::from(slot.index.load(Ordering::Relaxed) + 1);
    slot.handles.store(1, Ordering::Relaxed);
    slot.metadata.store(std::ptr::from_ref(metadata).cast_mut(), Ordering::Relaxed);
    slot.place.begin(context, is_foreign, carried, recording);
    slot.number.store(number, Ordering::Release);
    number
}

/// An open span.
#[inline]
pub(super) fn find(number: u64) -> Option<Found<'static>> {
    let slot = current_slot(number)?;
    Some(Found::new(number, &slot.number, &slot.place))
}

/// What a span's call site says.
#[inline]
pub(super) fn metadata(number: u64) -> Option<&'static Metadata<'static>> {
    let pointer = current_slot(number)?.metadata.load(Ordering::Relaxed);
    // SAFETY: only `open` writes the pointer, and only such that come from a `&'static`; before that it is null.
    #[expect(unsafe_code, reason = "there is no atomic reference")]
    unsafe {
        pointer.as_ref()
    }
}

/// Adds a handle.
#[inline]
pub(super) fn add_handle(number: u64) {
    if let Some(slot) = current_slot(number) {
        slot.handles.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes a handle away. Answers the span if it was the last one.
#[inline]
pub(super) fn remove_handle(number: u64) -> Option<Unheld> {
    let slot = current_slot(number)?;
    // Alone, nobody else can add or remove one: that takes a handle.
    if slot.handles.load(Ordering::Acquire) != 1 && slot.handles.fetch_sub(1, Ordering::AcqRel) != 1 {
        return None;
    }
    Some(Unheld { number, slot })
}

/// A span that has no handles any more.
#[must_use = "its slot is free once it is closed"]
pub(super) struct Unheld {
    number: u64,
    slot: &'static Slot,
}

impl Unheld {
    /// Frees the slot. Answers what was recorded.
    #[inline]
    pub(super) fn close(self) -> Option<Box<Recording>> {
        let recording = Found::new(self.number, &self.slot.number, &self.slot.place).remove();
        give_slot(self.slot);
        recording
    }
}

/// Works on every open span.
pub(super) fn for_each(work: &mut dyn FnMut(Found<'_>)) {
    for slot in SLOTS.segments.iter().filter_map(OnceLock::get).flatten() {
        let number = slot.number.load(Ordering::Acquire);
        if number != 0 {
            work(Found::new(number, &slot.number, &slot.place));
        }
    }
}

#[inline]
fn index(number: u64) -> Option<u32> {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).checked_sub(1)
}

#[inline]
fn current_slot(number: u64) -> Option<&'static Slot> {
    let slot = slot(index(number)?)?;
    (slot.number.load(Ordering::Acquire) == number).then_some(slot)
}

#[inline]
fn slot(index: u32) -> Option<&'static Slot> {
    let position = index.checked_add(FIRST_SLOTS)?;
    let segment = position.ilog2() - FIRST_SLOTS.ilog2();
    let offset = position - (FIRST_SLOTS << segment);
    SLOTS.segments.get(segment as usize)?.get()?.get(offset as usize)
}

/// Free slots of one thread. Needs no tearing down, and so is quick to reach; [`Ending`] sees to what is left.
struct Free {
    length: Cell<usize>,
    slots: [Cell<Option<&'static Slot>>; KEPT],
    /// The thread is being torn down: what it keeps now is lost.
    has_ended: Cell<bool>,
}

impl Free {
    #[inline]
    fn pop(&self) -> Option<&'static Slot> {
        let last = self.length.get().checked_sub(1)?;
        self.length.set(last);
        self.slots.get(last)?.get()
    }

    /// Keeps a slot, unless there is no room.
    #[inline]
    fn push(&self, slot: &'static Slot) -> bool {
        let length = self.length.get();
        let free = self.slots.get(length);
        if let Some(free) = free {
            free.set(Some(slot));
            self.length.set(length + 1);
        }
        free.is_some()
    }
}

/// Gives the others what a thread kept.
struct Ending;

impl Drop for Ending {
    fn drop(&mut self) {
        FREE.with(|free| {
            free.has_ended.set(true);
            spare().extend(std::iter::from_fn(|| free.pop()));
        });
    }
}

fn spare() -> MutexGuard<'static, Vec<&'static Slot>> {
    // Slots are pushed and popped whole, so the list is fine after a panic elsewhere.
    SLOTS.spare.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline]
fn take_slot() -> Option<&'static Slot> {
    FREE.with(|free| free.pop().or_else(|| refill(free)))
}

#[inline]
fn give_slot(slot: &'static Slot) {
    FREE.with(|free| {
        // The first one comes the long way, so that somebody takes care of it when the thread ends.
        if free.length.get() == 0 || !free.push(slot) {
            give_slot_slowly(free, slot);
        }
    });
}

#[cold]
#[inline(never)]
fn give_slot_slowly(free: &Free, slot: &'static Slot) {
    let has_ended = ENDING.try_with(|_| ()).is_err() || free.has_ended.get();
    if has_ended {
        spare().push(slot);
        return;
    }
    if free.length.get() >= KEPT {
        spare().extend(std::iter::from_fn(|| free.pop()).take(KEPT / 2));
    }
    free.push(slot);
}

/// Takes some slots that nobody uses; answers one of them.
#[cold]
#[inline(never)]
fn refill(free: &Free) -> Option<&'static Slot> {
    let has_ended = ENDING.try_with(|_| ()).is_err() || free.has_ended.get();
    let wanted = if has_ended { 1 } else { TAKEN };
    let mut spare = spare();
    if spare.is_empty() {
        let first = SLOTS.next.load(Ordering::Relaxed);
        if first > MOST_SLOTS - TAKEN {
            return None;
        }
        // The lock makes this thread the only one here.
        SLOTS.next.store(first + TAKEN, Ordering::Relaxed);
        for index in (first..first + TAKEN).rev() {
            make_segment(index);
            let slot = slot(index)?;
            slot.index.store(index, Ordering::Relaxed);
            spare.push(slot);
        }
    }
    let from = spare.len().saturating_sub(wanted as usize);
    spare.drain(from..).for_each(|slot| {
        free.push(slot);
    });
    free.pop()
}

fn make_segment(index: u32) {
    let segment = (index + FIRST_SLOTS).ilog2() - FIRST_SLOTS.ilog2();
    if let Some(cell) = SLOTS.segments.get(segment as usize) {
        cell.get_or_init(|| (0..FIRST_SLOTS << segment).map(|_| Slot::default()).collect());
    }
}

#[cfg(test)]
mod tests {
    use clewline_core::{SpanId, TraceFlags, TraceId};
    use tracing_core::{Level, callsite::Callsite, field::FieldSet, identify_callsite, metadata::Kind};

    use super::*;

    struct Site;

    impl Callsite for Site {
        fn set_interest(&self, _: tracing_core::Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            &METADATA
        }
    }

    static METADATA: Metadata<'static> = Metadata::new(
        "slot",
        "tests",
        Level::INFO,
        None,
        None,
        None,
        FieldSet::new(&[], identify_callsite!(&Site)),
        Kind::SPAN,
    );

    fn context(number: u64) -> SpanContext {
        let mut trace_id = [1; 16];
        trace_id[..8].copy_from_slice(&number.to_be_bytes());
        let span_id = SpanId::from_bytes((number + 1).to_be_bytes()).unwrap();
        SpanContext::new(TraceId::from_bytes(trace_id).unwrap(), span_id, TraceFlags::NONE)
    }

    fn open_one(number: u64) -> u64 {
        open(&METADATA, Some(&context(number)), false, None, Live::default())
    }

    #[test]
    fn a_span_lasts_as_long_as_its_last_handle() {
        let number = open_one(1);
        assert_eq!(find(number).unwrap().context(), Some(context(1)));
        assert_eq!(metadata(number).map(Metadata::name), Some("slot"));
        add_handle(number);
        assert!(remove_handle(number).is_none());
        let last = remove_handle(number).unwrap();
        assert!(last.close().is_none());
        assert!(find(number).is_none() && metadata(number).is_none() && remove_handle(number).is_none());
        add_handle(number);
        for nothing in [0, 1, u64::MAX, number + 1] {
            assert!(
                find(nothing).is_none_or(|found| found.context().is_some()),
                "{nothing:x} names no span of this test"
            );
        }
    }

    #[test]
    fn a_slot_is_used_again_under_another_number() {
        let first = open_one(1);
        let old = find(first).unwrap();
        remove_handle(first).unwrap().close();
        let second = open_one(2);
        assert_eq!(index(first), index(second), "the thread takes what it gave last");
        assert_ne!(first, second);
        assert_eq!((old.context(), find(first).is_none()), (None, true));
        remove_handle(second).unwrap().close();
    }

    #[test]
    fn threads_exchange_slots_and_leave_them_behind() {
        const SPANS: u64 = if cfg!(miri) { 200 } else { 5_000 };
        for _ in 0..3 {
            // Opened on some threads, each of which ends then, and closed on this one.
            let opened: Vec<u64> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..3).map(|_| scope.spawn(|| (0..SPANS).map(open_one).collect::<Vec<_>>())).collect();
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            });
            for (at, number) in opened.iter().enumerate() {
                assert_eq!(find(*number).unwrap().context(), Some(context(at as u64 % SPANS)));
            }
            for number in opened {
                remove_handle(number).unwrap().close();
            }
        }
        // Were slots lost, three rounds would have taken three times as many.
        let used = u64::from(SLOTS.next.load(Ordering::Relaxed));
        assert!(used < 4 * SPANS, "{used} slots for {} spans at once", 3 * SPANS);
    }
}
