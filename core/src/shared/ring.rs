//! `SpanRing`: finished spans on a chip, until the line has time for them.

use core::cell::RefCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use critical_section::Mutex;

use crate::storage::StorageView;
use crate::{Compact, Form, Span, SpanSink};

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
    /// Spans in it.
    pub spans: u16,
    /// Spans that were lost since the start: refused, or pushed out by newer ones.
    pub dropped: u32,
}

/// A length stands before each record.
const PREFIX: usize = 2;

/// Finished spans in `BYTES` bytes, shared by main code and interrupts; the sink of a `static` [`Tracer`](crate::Tracer).
/// Spans record into `SPAN` bytes of their own.
///
/// ```
/// use clewline_core::shared::{Keep, SharedIds, SpanRing};
/// use clewline_core::{AlwaysOn, Compact, NoClock, Tracer};
///
/// static TRACER: Tracer<NoClock, SharedIds, AlwaysOn, SpanRing<64, 1024>> =
///     Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOn, SpanRing::new(Keep::Newest));
///
/// TRACER.span("read sensor").start().set("sensor.id", 7);
/// let mut record = [0; 128];
/// let length = TRACER.sink().pop(&mut record).unwrap();
/// assert_eq!(clewline_core::CompactSpans::new(&record[..length]).count(), 1);
/// assert_eq!(TRACER.sink().pop(&mut record), None);
/// ```
#[derive(Debug)]
pub struct SpanRing<const SPAN: usize, const BYTES: usize, F = Compact> {
    state: Mutex<RefCell<State<BYTES>>>,
    keep: Keep,
    form: PhantomData<fn() -> F>,
}

impl<const SPAN: usize, const BYTES: usize, F: Form> SpanRing<SPAN, BYTES, F> {
    /// An empty ring.
    #[must_use]
    pub const fn new(keep: Keep) -> Self {
        let places =
            Places { read: 0, write: 0, end: 0, is_wrapped: false, counts: RingCounts { spans: 0, dropped: 0 } };
        Self { state: Mutex::new(RefCell::new(State { bytes: [0; BYTES], places })), keep, form: PhantomData }
    }

    /// Adds a finished span; what does not fit is dropped and counted, by the rule chosen at the start.
    pub fn push(&self, span: &Span<heapless::Vec<u8, SPAN>, F>, end_time: u64) {
        critical_section::with(|section| {
            // Only an interrupt that ignores critical sections could find it in use.
            if let Ok(mut state) = self.state.borrow(section).try_borrow_mut() {
                let State { bytes, places } = &mut *state;
                push(bytes, places, self.keep, span.most_written(), |out| span.write_to(end_time, out).is_ok());
            }
        });
    }

    /// Moves the oldest span to the front of `out` and answers with its length, in the form in which it leaves; `None` if
    /// there is none, or if it is longer than `out` and so was dropped and counted.
    pub fn pop(&self, out: &mut [u8]) -> Option<usize> {
        critical_section::with(|section| {
            let mut state = self.state.borrow(section).try_borrow_mut().ok()?;
            let State { bytes, places } = &mut *state;
            pop(bytes, places, out)
        })
    }

    /// Fills `out` with whole spans, oldest first, and answers with their length: the content of one
    /// `frame::Message::Spans`. Interrupts may come between two spans.
    pub fn fill(&self, out: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(length) = self.next_len() {
            let room = out.get_mut(filled..).unwrap_or_default();
            if length > room.len() && filled > 0 {
                break;
            }
            filled += self.pop(room).unwrap_or(0);
        }
        filled
    }

    /// What it holds and what it had to refuse.
    #[must_use]
    pub fn counts(&self) -> RingCounts {
        critical_section::with(|section| {
            self.state.borrow(section).try_borrow().map_or_else(|_| RingCounts::default(), |state| state.places.counts)
        })
    }

    fn next_len(&self) -> Option<usize> {
        critical_section::with(|section| {
            let state = self.state.borrow(section).try_borrow().ok()?;
            if state.places.counts.spans == 0 { None } else { record_len(&state.bytes, state.places.read) }
        })
    }
}

impl<const SPAN: usize, const BYTES: usize, F: Form> SpanSink for SpanRing<SPAN, BYTES, F> {
    type Storage = heapless::Vec<u8, SPAN>;
    type Form = F;

    #[inline]
    fn lend(&self) -> Option<Self::Storage> {
        Some(heapless::Vec::new())
    }

    #[inline]
    fn finish(&self, span: &Span<Self::Storage, F>, end_time: u64) {
        if span.context().is_sampled() {
            self.push(span, end_time);
        }
    }
}

#[derive(Debug)]
struct State<const BYTES: usize> {
    bytes: [u8; BYTES],
    places: Places,
}

/// Records lie in `read..write` or, once wrapped, in `read..end` and `0..write`. No record is split.
#[derive(Debug)]
struct Places {
    read: usize,
    write: usize,
    end: usize,
    is_wrapped: bool,
    counts: RingCounts,
}

impl Places {
    /// Where `length` bytes in a row are free.
    fn free(&mut self, capacity: usize, length: usize) -> Option<usize> {
        if self.counts.spans == 0 {
            (self.read, self.write, self.is_wrapped) = (0, 0, false);
        }
        if self.is_wrapped {
            return (self.read - self.write >= length).then_some(self.write);
        }
        if capacity - self.write >= length {
            return Some(self.write);
        }
        if self.read < length {
            return None;
        }
        (self.end, self.write, self.is_wrapped) = (self.write, 0, true);
        Some(0)
    }

    /// Forgets the oldest record.
    fn forget(&mut self, length: usize) {
        self.read += PREFIX + length;
        self.counts.spans -= 1;
        if self.is_wrapped && self.read >= self.end {
            (self.read, self.is_wrapped) = (0, false);
        }
    }

    fn drop_oldest(&mut self, length: usize) {
        self.forget(length);
        self.counts.dropped = self.counts.dropped.saturating_add(1);
    }
}

fn record_len(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk::<PREFIX>().map(|prefix| usize::from(u16::from_le_bytes(*prefix)))
}

/// Adds a record of at most `most` bytes.
fn push(bytes: &mut [u8], places: &mut Places, keep: Keep, most: usize, write: impl FnOnce(&mut Region<'_>) -> bool) {
    let can_ever_fit = PREFIX + most <= bytes.len();
    let place = loop {
        match places.free(bytes.len(), PREFIX + most) {
            None if can_ever_fit && keep == Keep::Newest && places.counts.spans > 0 => {
                let oldest = record_len(bytes, places.read).unwrap_or(0);
                places.drop_oldest(oldest);
            }
            place => break place,
        }
    };
    let written = place.and_then(|at| {
        let (prefix, rest) = bytes.get_mut(at..)?.split_first_chunk_mut::<PREFIX>()?;
        let mut region = Region { bytes: rest.get_mut(..most)?, length: 0 };
        if !write(&mut region) {
            return None;
        }
        let length = region.length;
        *prefix = u16::try_from(length).ok()?.to_le_bytes();
        places.write = at + PREFIX + length;
        places.counts.spans += 1;
        Some(())
    });
    if written.is_none() {
        places.counts.dropped = places.counts.dropped.saturating_add(1);
    }
}

fn pop(bytes: &[u8], places: &mut Places, out: &mut [u8]) -> Option<usize> {
    if places.counts.spans == 0 {
        return None;
    }
    let length = record_len(bytes, places.read)?;
    let from = places.read + PREFIX;
    let record = bytes.get(from..)?.get(..length)?;
    match out.get_mut(..length) {
        Some(out) => {
            out.copy_from_slice(record);
            places.forget(length);
            Some(length)
        }
        None => {
            places.drop_oldest(length);
            None
        }
    }
}

/// A free part of the ring, for one record.
struct Region<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

// SAFETY: `spare` is the memory directly behind the current length, `advance` moves that length over it. The memory is
// initialised, and stays so: only `Form::encode` is given a region, and the cursor it writes with gives up bytes of `spare`
// only by initialising them.
#[expect(unsafe_code, reason = "the trait lends memory that need not be initialised; this one is, at no cost")]
unsafe impl StorageView for Region<'_> {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }

    #[inline]
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        let spare = self.bytes.get_mut(self.length..)?.get_mut(..additional)?;
        // SAFETY: a byte and a byte that may be uninitialised have the same layout; see above for why none becomes
        // uninitialised.
        Some(unsafe { &mut *(core::ptr::from_mut(spare) as *mut [MaybeUninit<u8>]) })
    }

    #[inline]
    fn room(&self) -> usize {
        self.bytes.len() - self.length
    }

    #[inline]
    unsafe fn advance(&mut self, written: usize) {
        self.length += written;
    }

    #[inline]
    fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}
