//! `SpanRing`: spans on a chip, from their start until the line has time for them.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU8, Ordering};

use critical_section::Mutex;

use crate::storage::Region;
use crate::{Compact, Form, Span, SpanSink, SpanStart};

/// Which spans stay when a ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The newest: what happened just before somebody looks.
    Newest,
    /// The oldest: what led to the flood.
    Oldest,
}

/// What a ring holds and what it had to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounts {
    /// Finished spans in it.
    pub spans: u16,
    /// Spans that were lost since the start: refused, or pushed out by newer ones.
    pub dropped: u32,
}

type RingSpan<const SPAN: usize, F> = Span<heapless::Vec<u8, SPAN>, F>;

/// Places for `SPANS` spans of `SPAN` bytes each, 65,534 at most, shared by main code and interrupts; the sink of a
/// `static` [`Tracer`](crate::Tracer).
///
/// A span is recorded where it waits afterwards: ending it moves nothing. Spans that are going on need a place too. When there
/// is none, a new span takes that of the oldest that is finished, or is itself dropped, as [`Keep`] says; either is counted.
/// Spans are old by their beginning; those that go on while later ones leave follow within one round.
///
/// ```
/// use clewline_core::shared::{Keep, SharedIds, SpanRing};
/// use clewline_core::{AlwaysOn, Compact, NoClock, Tracer};
///
/// static RING: SpanRing<64, 8> = SpanRing::new(Keep::Newest);
/// static TRACER: Tracer<NoClock, SharedIds, AlwaysOn, &SpanRing<64, 8>> =
///     Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOn, &RING);
///
/// TRACER.span("read sensor").start().set("sensor.id", 7);
/// let mut record = [0; 128];
/// let length = RING.pop(&mut record).unwrap();
/// assert_eq!(clewline_core::CompactSpans::new(&record[..length]).count(), 1);
/// assert_eq!(RING.pop(&mut record), None);
/// ```
// In this order, as a chip reaches what lies within the first bytes of something in one instruction.
#[repr(C)]
pub struct SpanRing<const SPAN: usize, const SPANS: usize, F: Form = Compact> {
    keep: Keep,
    positions: Mutex<Positions>,
    places: [Place<SPAN, F>; SPANS],
}

/// Where in the ring things happen next; zero in an empty ring.
struct Positions {
    /// Where the next span looks for a place first.
    write: Cell<u16>,
    /// Before it there is no finished span that is older than all others.
    read: Cell<u16>,
    /// Places that are not free.
    taken: Cell<u16>,
    dropped: Cell<u32>,
}

struct Place<const SPAN: usize, F: Form> {
    /// Changed in a critical section, except by the end of a span, which only its owner can reach.
    state: AtomicU8,
    recording: UnsafeCell<Recording<SPAN, F>>,
}

struct Recording<const SPAN: usize, F: Form> {
    end_time: u64,
    span: MaybeUninit<RingSpan<SPAN, F>>,
}

/// Nobody's.
const FREE: u8 = 0;
/// Its span is going on, or is being read.
const LENT: u8 = 1;
/// Its span is finished.
const FINISHED: u8 = 2;

// SAFETY: a recording is touched only by who found its place free or finished in a critical section and made it lent, until
// that one gives it another state.
#[expect(unsafe_code, reason = "places are lent one by one, which the compiler cannot see")]
unsafe impl<const SPAN: usize, F: Form> Sync for Place<SPAN, F> {}

impl<const SPAN: usize, F: Form> Place<SPAN, F> {
    const fn new() -> Self {
        let recording = Recording { end_time: 0, span: MaybeUninit::uninit() };
        Self { state: AtomicU8::new(FREE), recording: UnsafeCell::new(recording) }
    }

    /// What it is, with all that its last owner did before.
    #[inline(always)]
    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }

    /// For owners, outside critical sections.
    #[inline(always)]
    fn finish(&self) {
        self.state.store(FINISHED, Ordering::Release);
    }

    /// For critical sections, which keep the order by themselves.
    #[inline(always)]
    fn set_state(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> SpanRing<SPAN, SPANS, F> {
    /// How many places there are, as positions count them.
    #[expect(clippy::cast_possible_truncation, reason = "checked to fit")]
    const PLACES: u16 = {
        assert!(SPANS > 0 && SPANS < u16::MAX as usize, "a ring has 1 to 65534 places");
        SPANS as u16
    };

    /// An empty ring: zeros, which a `static` holds without taking flash.
    #[must_use]
    pub const fn new(keep: Keep) -> Self {
        let positions =
            Positions { write: Cell::new(0), read: Cell::new(0), taken: Cell::new(0), dropped: Cell::new(0) };
        Self { keep, positions: Mutex::new(positions), places: [const { Place::new() }; SPANS] }
    }

    /// Moves the oldest finished span to the front of `out`, in the form in which it leaves, and answers with its length; `None`
    /// if there is none, or if it is longer than `out` and so was dropped and counted.
    pub fn pop(&self, out: &mut [u8]) -> Option<usize> {
        let (_, place) = self.take_oldest()?;
        let length = Self::write(place, out);
        self.free(place, length.is_none());
        length
    }

    /// Fills `out` with whole spans, oldest first, and answers with their length: the content of one
    /// `frame::Message::Spans`. Interrupts may come at any time.
    pub fn fill(&self, out: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some((position, place)) = self.take_oldest() {
            let length = Self::write(place, out.get_mut(filled..).unwrap_or_default());
            if length.is_none() && filled > 0 {
                self.put_back(position, place);
                break;
            }
            self.free(place, length.is_none());
            filled += length.unwrap_or(0);
        }
        filled
    }

    /// What it holds and what it had to refuse.
    #[must_use]
    pub fn counts(&self) -> RingCounts {
        let finished = self.places.iter().filter(|place| place.state() == FINISHED).count();
        RingCounts { spans: u16::try_from(finished).unwrap_or(u16::MAX), dropped: self.dropped() }
    }

    #[inline(always)]
    fn with_positions<R>(&self, use_positions: impl FnOnce(&Positions) -> R) -> R {
        critical_section::with(|section| use_positions(self.positions.borrow(section)))
    }

    /// The first place from `from` on, around the ring, that is in this state, and where it is.
    #[inline(always)]
    fn find(&self, from: u16, state: u8) -> Option<(u16, &Place<SPAN, F>)> {
        let mut position = from;
        for _ in 0..SPANS {
            let place = self.places.get(usize::from(position))?;
            if place.state() == state {
                return Some((position, place));
            }
            position = Self::after(position);
        }
        None
    }

    #[inline(always)]
    fn after(position: u16) -> u16 {
        if position + 1 < Self::PLACES { position + 1 } else { 0 }
    }

    /// A place for a new span.
    #[inline(always)]
    fn lend(&self) -> Option<&Place<SPAN, F>> {
        self.with_positions(|positions| {
            let taken = positions.taken.get();
            let wanted = if taken < Self::PLACES {
                positions.taken.set(taken + 1);
                FREE
            } else {
                positions.count_dropped();
                if self.keep == Keep::Oldest {
                    return None;
                }
                FINISHED
            };
            let (position, place) = self.find(positions.write.get(), wanted)?;
            positions.write.set(Self::after(position));
            place.set_state(LENT);
            Some(place)
        })
    }

    /// The place of the oldest finished span, lent from now on, and where it is.
    fn take_oldest(&self) -> Option<(u16, &Place<SPAN, F>)> {
        self.with_positions(|positions| {
            // A full ring may have given the oldest places away since.
            let is_full = positions.taken.get() == Self::PLACES;
            let from = if is_full { positions.write.get() } else { positions.read.get() };
            let (position, place) = self.find(from, FINISHED)?;
            positions.read.set(Self::after(position));
            place.set_state(LENT);
            Some((position, place))
        })
    }

    /// It stays the oldest.
    fn put_back(&self, position: u16, place: &Place<SPAN, F>) {
        self.with_positions(|positions| {
            place.set_state(FINISHED);
            positions.read.set(position);
        });
    }

    /// Gives a place back.
    #[inline]
    fn free(&self, place: &Place<SPAN, F>, is_dropped: bool) {
        self.with_positions(|positions| {
            place.set_state(FREE);
            positions.taken.set(positions.taken.get() - 1);
            if is_dropped {
                positions.count_dropped();
            }
        });
    }

    /// Lets `take` have the oldest finished span, with its end time, and again the next until one is taken.
    #[cfg(feature = "frame")]
    #[inline]
    pub(crate) fn take_first<R>(&self, mut take: impl FnMut(&RingSpan<SPAN, F>, u64) -> Option<R>) -> Option<R> {
        loop {
            let (_, place) = self.take_oldest()?;
            let (span, end_time) = Self::finished(place);
            let taken = take(span, end_time);
            self.free(place, taken.is_none());
            if taken.is_some() {
                return taken;
            }
        }
    }

    /// How many spans were lost since the start.
    #[inline]
    pub(crate) fn dropped(&self) -> u32 {
        self.with_positions(|positions| positions.dropped.get())
    }

    /// The finished span of a place that was lent, and when it ended.
    #[inline]
    fn finished(place: &Place<SPAN, F>) -> (&RingSpan<SPAN, F>, u64) {
        // SAFETY: the place was lent to the caller, so nobody else has it.
        #[expect(unsafe_code, reason = "as above")]
        let recording = unsafe { &*place.recording.get() };
        // SAFETY: its span was finished, so it was begun before.
        #[expect(unsafe_code, reason = "as above")]
        let span = unsafe { recording.span.assume_init_ref() };
        (span, recording.end_time)
    }

    /// Writes the finished span of a place that was lent.
    #[inline]
    fn write(place: &Place<SPAN, F>, out: &mut [u8]) -> Option<usize> {
        let (span, end_time) = Self::finished(place);
        let mut region = Region::new(out);
        span.write_to(end_time, &mut region).ok()?;
        Some(region.len())
    }
}

impl Positions {
    fn count_dropped(&self) {
        self.dropped.set(self.dropped.get().saturating_add(1));
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> SpanSink for SpanRing<SPAN, SPANS, F> {
    type Storage = heapless::Vec<u8, SPAN>;
    type Form = F;
    type Place<'s> = RingPlace<'s, SPAN, SPANS, F>;

    #[inline(always)]
    fn begin<'a>(&self, start: impl FnOnce() -> SpanStart<'a>) -> Option<RingPlace<'_, SPAN, SPANS, F>> {
        let place = self.lend()?;
        // SAFETY: lent, so nobody else has it until the `RingPlace` gives it back.
        #[expect(unsafe_code, reason = "as above")]
        let recording = unsafe { &mut *place.recording.get() };
        recording.span.write(Span::unnamed(heapless::Vec::new(), &start()));
        Some(RingPlace { place, ring: self })
    }

    #[inline(always)]
    fn finish(&self, place: &mut RingPlace<'_, SPAN, SPANS, F>, end_time: u64) -> bool {
        let is_sampled = place.context().is_sampled();
        if is_sampled {
            place.recording().end_time = end_time;
            place.place.finish();
        }
        is_sampled
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> fmt::Debug for SpanRing<SPAN, SPANS, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SpanRing").field("keep", &self.keep).finish_non_exhaustive()
    }
}

/// A span's place in the ring while it is going on.
pub struct RingPlace<'r, const SPAN: usize, const SPANS: usize, F: Form> {
    place: &'r Place<SPAN, F>,
    ring: &'r SpanRing<SPAN, SPANS, F>,
}

impl<const SPAN: usize, const SPANS: usize, F: Form> RingPlace<'_, SPAN, SPANS, F> {
    #[inline(always)]
    fn recording(&mut self) -> &mut Recording<SPAN, F> {
        // SAFETY: the place is lent to this one.
        #[expect(unsafe_code, reason = "as above")]
        unsafe {
            &mut *self.place.recording.get()
        }
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> Deref for RingPlace<'_, SPAN, SPANS, F> {
    type Target = RingSpan<SPAN, F>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        // SAFETY: the place is lent to this one.
        #[expect(unsafe_code, reason = "as above")]
        let recording = unsafe { &*self.place.recording.get() };
        // SAFETY: begun before the `RingPlace` was made.
        #[expect(unsafe_code, reason = "as above")]
        unsafe {
            recording.span.assume_init_ref()
        }
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> DerefMut for RingPlace<'_, SPAN, SPANS, F> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: begun before the `RingPlace` was made.
        #[expect(unsafe_code, reason = "as above")]
        unsafe {
            self.recording().span.assume_init_mut()
        }
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> Drop for RingPlace<'_, SPAN, SPANS, F> {
    #[inline]
    fn drop(&mut self) {
        self.ring.free(self.place, false);
    }
}

impl<const SPAN: usize, const SPANS: usize, F: Form> fmt::Debug for RingPlace<'_, SPAN, SPANS, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RingPlace").finish_non_exhaustive()
    }
}
