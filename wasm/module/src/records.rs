//! What JavaScript writes for a call: texts, and records that name and describe attributes.

use clewline_core::direct::{DirectBuffer, LIMITS};

use crate::slots::SPAN_BYTES;

/// A text's place and length in one number: `place << 14 | length`. Whatever the number, it stays within `TEXT_BYTES`.
const LENGTH_BITS: u32 = 14;
const TEXT_PLACES: u32 = 0xffff;
const TEXT_LENGTHS: u32 = (1 << LENGTH_BITS) - 1;
pub(crate) const TEXT_BYTES: usize = 0x1_0000 + (1 << LENGTH_BITS);

/// A run of records in one number: `first << 14 | count`.
const RECORD_PLACES: u32 = 0x7ff;
pub(crate) const RECORDS: usize = 0x1000;

/// One attribute, or one element of an array.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// The key, a text; of an element, nothing.
    pub key: u32,
    /// What the value is, see [`Kind`].
    pub kind: u32,
    /// The value: the number itself; or, in the first four bytes, a boolean or the number that is a text or a run of records.
    pub value: f64,
}

impl Record {
    /// The value, if it is no double.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the first half is all of it")]
    pub(crate) const fn number(&self) -> u32 {
        self.value.to_bits() as u32
    }
}

/// The kinds of values; other numbers mean "without an OTLP form", and the attribute is counted as dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Nothing, JavaScript's `null` in an array.
    Empty = 0,
    /// A text.
    Text = 1,
    /// An integer.
    Integer = 2,
    /// A double.
    Double = 3,
    /// A boolean.
    Boolean = 4,
    /// An array: a run of records whose kinds are not this one.
    Array = 5,
    /// No attribute: the text is the tracestate of the span's context.
    TraceState = 6,
}

const EMPTY: u32 = Kind::Empty as u32;
const TEXT: u32 = Kind::Text as u32;
const INTEGER: u32 = Kind::Integer as u32;
const DOUBLE: u32 = Kind::Double as u32;
const BOOLEAN: u32 = Kind::Boolean as u32;
const ARRAY: u32 = Kind::Array as u32;

/// The memory that JavaScript writes and calls read.
#[repr(C)]
pub(crate) struct Written {
    pub(crate) records: [Record; RECORDS],
    pub(crate) texts: [u8; TEXT_BYTES],
}

impl Written {
    pub(crate) const fn new() -> Self {
        Self { records: [Record { key: 0, kind: EMPTY, value: 0.0 }; RECORDS], texts: [0; TEXT_BYTES] }
    }

    /// The text that a number stands for. Masked, so that no check is left to make.
    #[inline(always)]
    pub(crate) fn text(&self, text: u32) -> &[u8] {
        let at = (text >> LENGTH_BITS & TEXT_PLACES) as usize;
        self.texts.get(at..at + (text & TEXT_LENGTHS) as usize).unwrap_or_default()
    }

    /// The run of records that a number stands for.
    #[inline(always)]
    pub(crate) fn run(&self, run: u32) -> &[Record] {
        let at = (run >> LENGTH_BITS & RECORD_PLACES) as usize;
        self.records.get(at..at + (run & RECORD_PLACES) as usize).unwrap_or_default()
    }

    /// Writes one attribute; false if it does not fit or has no OTLP form.
    #[inline(never)]
    pub(crate) fn attribute(&self, buffer: &mut DirectBuffer<SPAN_BYTES>, tag: u8, record: &Record) -> bool {
        buffer.attribute(tag, self.text(record.key), |buffer| self.value(buffer, record))
    }

    /// Writes the attributes of an event, a link or the resource; answers how many were left out.
    #[inline(never)]
    pub(crate) fn attributes(&self, buffer: &mut DirectBuffer<SPAN_BYTES>, tag: u8, run: u32) -> u32 {
        const { assert!(LIMITS.event_attributes == LIMITS.link_attributes, "one limit for both") };
        let (mut dropped, mut room) = (0, LIMITS.event_attributes);
        for record in self.run(run) {
            if room == 0 || self.text(record.key).is_empty() || !self.attribute(buffer, tag, record) {
                dropped += 1;
            } else {
                room -= 1;
            }
        }
        dropped
    }

    #[inline(never)]
    #[expect(clippy::cast_possible_truncation, reason = "what is no integer saturates, by the definition of `as`")]
    fn value(&self, buffer: &mut DirectBuffer<SPAN_BYTES>, record: &Record) {
        match record.kind {
            EMPTY => {}
            TEXT => buffer.string(self.text(record.number())),
            INTEGER => buffer.integer(record.value as i64),
            DOUBLE => buffer.double(record.value),
            BOOLEAN => buffer.boolean(record.number() > 0),
            ARRAY => buffer.array(|buffer| {
                for element in self.run(record.number()) {
                    // An array in an array has no OTLP form among attributes; and so nothing here goes deeper than this.
                    if element.kind == ARRAY {
                        buffer.refuse();
                    } else {
                        buffer.element(|buffer| self.value(buffer, element));
                    }
                }
            }),
            _ => buffer.refuse(),
        }
    }
}
