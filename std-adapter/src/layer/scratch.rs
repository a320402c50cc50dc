//! `Scratch`: one thread's reusable memory for values that must be formatted before they are recorded.
//!
//! Formatting runs the program's own code, which may emit events, start spans, take locks or panic. So values are formatted
//! here first, while the layer holds no lock, and recorded afterwards.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Range;

use clewline_core::Value;
use tracing_core::Field;
use tracing_core::field::Visit;

use crate::limited::{Limited, MOST_BYTES, write_sources};

/// What a thread keeps between uses: one huge value does not make every thread keep huge buffers.
const KEPT_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Fields of one event, or of one `record`, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    text: String,
    bytes: Vec<u8>,
    fields: Vec<(&'static str, Staged)>,
    /// Values that were stopped at [`MOST_BYTES`].
    cut: u32,
}

/// A value that owns nothing: texts and bytes are ranges of the scratch memory.
#[derive(Clone, Debug)]
pub(super) enum Staged {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(Range<usize>),
    Bytes(Range<usize>),
    /// A message, and behind it the messages of the sources.
    Error(Range<usize>, Range<usize>),
}

/// Lends this thread's scratch memory, empty. Nested uses, which come from formatting, get memory of their own.
#[inline]
pub(super) fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = work(&mut scratch);
    scratch.clear();
    // While the thread is being torn down there is nowhere to keep it.
    let _ = SCRATCH.try_with(|cell| cell.set(Some(scratch)));
    result
}

impl Scratch {
    #[inline]
    fn clear(&mut self) {
        self.text.clear();
        self.bytes.clear();
        self.fields.clear();
        self.cut = 0;
        if self.text.capacity() + self.bytes.capacity() > KEPT_BYTES {
            *self = Self::default();
        }
    }

    /// The text of a range that this scratch gave out.
    #[inline]
    pub(super) fn text(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or("")
    }

    pub(super) fn push_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Everything formatted so far.
    #[inline]
    pub(super) fn all_text(&self) -> &str {
        &self.text
    }

    pub(super) fn clear_text(&mut self) {
        self.text.clear();
    }

    /// How many values were stopped because they were endless.
    #[inline]
    pub(super) fn cut(&self) -> u32 {
        self.cut
    }

    /// The same, and begins to count anew.
    #[cold]
    pub(super) fn take_cut(&mut self) -> u32 {
        std::mem::take(&mut self.cut)
    }

    /// The staged fields.
    #[inline]
    pub(super) fn fields(&self) -> &[(&'static str, Staged)] {
        &self.fields
    }

    /// A staged value in its final type; an error is its message.
    #[inline]
    pub(super) fn value(&self, staged: &Staged) -> Value<'_> {
        match staged {
            Staged::Bool(value) => Value::Bool(*value),
            Staged::I64(value) => Value::I64(*value),
            Staged::F64(value) => Value::F64(*value),
            Staged::Text(range) | Staged::Error(range, _) => Value::Str(self.text(range)),
            Staged::Bytes(range) => Value::Bytes(self.bytes.get(range.clone()).unwrap_or_default()),
        }
    }

    /// Formats a value behind what is there already.
    #[inline]
    pub(super) fn format(&mut self, value: &dyn fmt::Debug) -> Range<usize> {
        self.limited(|text| write!(text, "{value:?}"))
    }

    /// Formats an error: its own message, and one line for each of its sources.
    pub(super) fn format_error<E: Error + ?Sized>(&mut self, error: &E) -> (Range<usize>, Range<usize>) {
        let message = self.limited(|text| write!(text, "{error}"));
        let sources = self.limited(|text| write_sources(error, text));
        (message, sources)
    }

    #[inline]
    fn limited(&mut self, write: impl FnOnce(&mut Limited<'_>) -> fmt::Result) -> Range<usize> {
        let start = self.text.len();
        let mut text = Limited { text: &mut self.text, end: start + MOST_BYTES };
        // A `Debug` that reports an error has said what it could; nothing better is known about the value.
        let result = write(&mut text);
        if result.is_err() && text.end == text.text.len() {
            self.cut += 1;
        }
        start..self.text.len()
    }

    #[inline]
    fn stage(&mut self, field: &Field, value: Staged) {
        self.fields.push((field.name(), value));
    }

    #[inline]
    fn stage_text(&mut self, field: &Field, value: &str) {
        let start = self.text.len();
        self.text.push_str(value);
        let range = start..self.text.len();
        self.stage(field, Staged::Text(range));
    }
}

impl Visit for Scratch {
    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.stage(field, Staged::Bool(value));
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.stage(field, Staged::I64(value));
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.stage(field, Staged::I64(value)),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.stage(field, Staged::I64(value)),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match i64::try_from(value) {
            Ok(value) => self.stage(field, Staged::I64(value)),
            Err(_) => self.record_debug(field, &value),
        }
    }

    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.stage(field, Staged::F64(value));
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        self.stage_text(field, value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        let range = start..self.bytes.len();
        self.stage(field, Staged::Bytes(range));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let (message, sources) = self.format_error(value);
        self.stage(field, Staged::Error(message, sources));
    }

    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let range = self.format(value);
        self.stage(field, Staged::Text(range));
    }
}
