//! `Form`: the bytes in which a span is recorded.

pub mod compact;
pub(crate) mod otlp;
pub(crate) mod value;

use crate::storage::{Output, Storage, StorageView};
use crate::wire::varint_len;
use crate::{Header, Span, SpanContext, SpanView, Status, Value};

/// How a span writes itself. Sealed: the forms are part of this crate, because a form and its reader belong together.
///
/// All forms share the typed [`Header`], the limits, the counts and [`SpanView`](crate::SpanView).
pub trait Form: Sealed + 'static {}

/// OTLP protobuf: the body is a run of fields of `opentelemetry.proto.trace.v1.Span`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Otlp;

impl Form for Otlp {}

/// Which kind of entry an [`EntryBuilder`](crate::EntryBuilder) writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
#[expect(unreachable_pub, reason = "part of the signature of a sealed, public trait")]
pub enum EntryKind {
    Event,
    Link,
}

/// An entry whose attributes are still being written.
#[derive(Debug)]
#[doc(hidden)]
pub struct OpenEntry {
    pub(crate) kind: EntryKind,
    pub(crate) start: usize,
    /// Bytes that its length takes.
    pub(crate) length_width: usize,
    pub(crate) attributes: u16,
    pub(crate) dropped_attributes: u32,
    /// A set bit per key that may be in the entry; see the form's `key_bit`.
    pub(crate) seen_keys: u64,
}

impl OpenEntry {
    pub(crate) fn new(kind: EntryKind, start: usize, content: usize) -> Self {
        let length_width = varint_len(content as u64);
        Self { kind, start, length_width, attributes: 0, dropped_attributes: 0, seen_keys: 0 }
    }

    /// Where its fields begin: behind a tag of one byte and the length.
    pub(crate) fn content_start(&self) -> usize {
        self.start + 1 + self.length_width
    }
}

/// The writing side of a form, not for use outside this crate.
#[doc(hidden)]
pub trait Sealed {
    fn begin<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str);
    fn set_name<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, name: &str);
    fn set_trace_state<V: StorageView + ?Sized>(body: &mut V, trace_state: &str) -> bool;
    fn set_status<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, status: Status<'_>);
    fn set_attribute<V: StorageView + ?Sized>(header: &mut Header, body: &mut V, key: &str, value: &Value<'_>);
    /// Sets an attribute by the type of its value: where the call shows the type, nothing is linked that writes others.
    #[inline(always)]
    fn set<S: Storage>(span: &mut Span<S, Self>, key: &str, value: &Value<'_>)
    where
        Self: Form + Sized,
    {
        let (header, body) = span.header_and_body();
        Self::set_attribute(header, body, key, value);
    }
    fn begin_event<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        name: &str,
        time: u64,
    ) -> Option<OpenEntry>;
    fn begin_link<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        context: &SpanContext,
        trace_state: &str,
    ) -> Option<OpenEntry>;
    fn set_entry_attribute<V: StorageView + ?Sized>(
        header: &mut Header,
        body: &mut V,
        entry: &mut OpenEntry,
        key: &str,
        value: &Value<'_>,
    );
    fn end_entry<V: StorageView + ?Sized>(body: &mut V, entry: &mut OpenEntry);
    fn move_start<V: StorageView + ?Sized>(header: &mut Header, _body: &mut V, start_time: u64) {
        header.start_time = start_time;
    }
    /// The typed view of a live span, where the form has one.
    fn live_view<'a>(_header: &'a Header, _body: &'a [u8]) -> Option<SpanView<'a>> {
        None
    }
    /// At least the length of what `encode` writes, cheaply.
    fn most_encoded(header: &Header, body: &[u8]) -> usize;
    fn encode<V: StorageView + ?Sized>(header: &Header, body: &[u8], end_time: u64, out: &mut V) -> bool;
    /// Whether what `encode` writes is OTLP.
    const IS_OTLP: bool;
    /// The same as `encode`, piece by piece: for a chip that has no memory to put it together first.
    fn stream<O: Output>(header: &Header, body: &[u8], end_time: u64, out: &mut O);
}
