//! The compact form: spans for lines where a byte is dear, read by the host and expanded to OTLP there.
//!
//! ```text
//! head │ trace id │ span id │ parent │ start  │ end - start    │ outcome │ name │ items │ 03
//! 1    │ 16       │ 8       │ 8 or 0 │ varint │ zigzag varint  │ or 0    │ text │       │
//!
//! head      bits 0-2 kind, 3 has a parent, 4 the parent is remote, 5 sampled, 6 random trace id, 7 has an outcome
//! outcome   status code (1 byte), dropped attributes, events, links (varints)
//! text      varint: 0 and a literal (length, bytes), or an interned string's id + 1
//! item      varint h, by its lowest bits:
//!   ..0     attribute: h >> 1 is its key as a text's varint; literal if 0; value
//!   .01     event: h >> 2 is its name; literal if 0; time - start (zigzag); attributes, 03
//!   .11     h >> 2 = 0 end, 1 link (trace id, span id, flags byte, tracestate, attributes, 03), 2 status message,
//!           3 tracestate, 4 dropped attributes of the event or link (varint), 5 the start was moved by (zigzag), 6 renamed
//! value     byte: 0 empty, 1 false, 2 true, 3 integer (zigzag), 4 f64, 5 f32, 6 literal text, 7 interned text (id + 1),
//!           8 bytes, 9 list (count, values), 10 map (count; for each entry a text and a value), 11 the beginning of an
//!           interned text (id + 1, characters)
//! ```
//!
//! A key, name or message that comes again replaces the one before: the chip need not look for it. A replaced value keeps
//! its bytes until the span has ended.
//!
//! All of it is postcard's: numbers, texts and bytes, ids as arrays, and a value is what postcard makes of an enum whose variants
//! are numbered as above. So a host may as well read it through `serde` and `postcard`, whose `take_from_bytes` leaves what follows. Times are ticks of the chip's
//! clock: dividing them is the host's work.

mod expand;
mod read;
mod short;
mod value;
mod walk;
mod write;

pub use expand::{ExpandedSpan, TimeAnchor};
pub use read::{CompactSpan, CompactSpans, read_attributes};
pub use write::write_attributes;

use core::marker::PhantomData;

use super::Form;
use crate::intern::StringTable;

/// The compact form, with the strings of the table `T` as numbers.
///
/// In this form all times that a span is given, and its clock's, are ticks instead of nanoseconds.
///
/// ```
/// use clewline_core::{
///     Compact, CompactSpans, CountingIds, IdSource, InlineSpan, SpanContext, SpanKind, SpanLimits, SpanStart, StringTable,
///     TimeAnchor, TraceFlags, string_table,
/// };
/// string_table! { struct Names { READING = "sensor.reading", READ = "read sensor" } }
///
/// let ids = CountingIds::new();
/// let mut span = InlineSpan::<64, Compact<Names>>::new(heapless::Vec::new(), &SpanStart {
///     context: SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED),
///     parent: None,
///     name: Names::READ,
///     kind: SpanKind::Internal,
///     start_time: 1000,
///     trace_state: "",
///     limits: SpanLimits::DEFAULT,
/// });
/// span.set(Names::READING, 21);
/// let mut line = heapless::Vec::<u8, 64>::new();
/// span.write_to(1500, line.as_mut_view()).unwrap();
/// assert_eq!(line.len(), 34);
///
/// // The host knows the table, and that tick 0 of 1,000 per second was in November 2023.
/// let anchor = TimeAnchor { ticks: 0, unix_nanos: 1_700_000_000_000_000_000, ticks_per_second: 1000 };
/// let span = CompactSpans::new(&line).next().unwrap().unwrap();
/// let span = span.expand(&|id| Names::strings().get(id), &anchor, heapless::Vec::<u8, 128>::new()).unwrap();
/// let view = span.view();
/// assert_eq!((view.name(), view.duration_nanos()), ("read sensor", 500_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Compact<T = ()>(PhantomData<T>);

impl<T: StringTable> Form for Compact<T> {}

/// The bits of a span's first byte; bits 5 and 6 are the W3C flags.
mod head {
    pub(super) const KIND: u8 = 0x07;
    pub(super) const HAS_PARENT: u8 = 0x08;
    pub(super) const PARENT_IS_REMOTE: u8 = 0x10;
    pub(super) const HAS_OUTCOME: u8 = 0x80;
}

/// The bits of a link's flags byte.
mod link_flags {
    pub(super) const W3C: u8 = 0x03;
    pub(super) const IS_REMOTE: u8 = 0x04;
}

/// The heads of items that are neither attributes nor events.
mod item {
    pub(super) const END: u8 = 0x03;
    pub(super) const LINK: u8 = (1 << 2) | 3;
    pub(super) const STATUS_MESSAGE: u8 = (2 << 2) | 3;
    pub(super) const TRACE_STATE: u8 = (3 << 2) | 3;
    pub(super) const DROPPED_ATTRIBUTES: u8 = (4 << 2) | 3;
    pub(super) const START_MOVED: u8 = (5 << 2) | 3;
    pub(super) const RENAMED: u8 = (6 << 2) | 3;
}

/// The types of values.
mod tag {
    pub(super) const EMPTY: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const I64: u8 = 3;
    pub(super) const F64: u8 = 4;
    pub(super) const F32: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    pub(super) const INTERNED: u8 = 7;
    pub(super) const BYTES: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const MAP: u8 = 10;
    pub(super) const INTERNED_START: u8 = 11;
}
