//! `EntryBuilder`: an event or a link while its attributes are being written.

use core::fmt;
use core::marker::PhantomData;

use crate::form::OpenEntry;
use crate::storage::StorageView;
use crate::{Attribute, Form, Header, Value};

/// Takes the attributes of one event or link. The entry is complete when the builder is dropped.
///
/// If the span refused the entry, the builder accepts attributes without effect: the refusal is counted once, as an event
/// or a link.
pub struct EntryBuilder<'s, V: StorageView + ?Sized, F: Form> {
    header: &'s mut Header,
    body: &'s mut V,
    entry: Option<OpenEntry>,
    form: PhantomData<F>,
}

impl<'s, V: StorageView + ?Sized, F: Form> EntryBuilder<'s, V, F> {
    pub(crate) fn new(header: &'s mut Header, body: &'s mut V, entry: Option<OpenEntry>) -> Self {
        Self { header, body, entry, form: PhantomData }
    }

    /// Takes the entry out. It is not ended.
    pub(crate) fn take_entry(&mut self) -> Option<OpenEntry> {
        self.entry.take()
    }

    /// Counts attributes as refused.
    pub(crate) fn refuse(&mut self, attributes: u32) {
        if let Some(entry) = &mut self.entry {
            entry.dropped_attributes = entry.dropped_attributes.saturating_add(attributes);
        }
    }

    /// Whether the span took the entry.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.entry.is_some()
    }

    /// Sets an attribute of the entry; a key that is there already gets the new value.
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        if let Some(entry) = &mut self.entry {
            F::set_entry_attribute(self.header, self.body, entry, key, &value.into());
        }
        self
    }

    /// Sets an attribute whose value takes work to find: `value` runs only if the entry is recorded.
    pub fn set_with<'v, T: Into<Value<'v>>>(&mut self, key: &str, value: impl FnOnce() -> T) -> &mut Self {
        if self.entry.is_some() {
            self.set(key, value());
        }
        self
    }

    /// Sets several attributes of the entry.
    pub fn set_all(&mut self, attributes: &[Attribute<'_>]) -> &mut Self {
        for (key, value) in attributes {
            self.set(key, *value);
        }
        self
    }
}

impl<V: StorageView + ?Sized, F: Form> Drop for EntryBuilder<'_, V, F> {
    fn drop(&mut self) {
        // Where it stands: moved, it would be read back as a whole where it was written in pieces, which stalls the processor.
        if let Some(entry) = &mut self.entry {
            F::end_entry(self.body, entry);
        }
    }
}

impl<V: StorageView + ?Sized, F: Form> fmt::Debug for EntryBuilder<'_, V, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EntryBuilder").field("entry", &self.entry).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{InlineSpan, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, TraceFlags, TraceId};

    #[test]
    fn a_forgotten_builder_leaves_a_readable_span() {
        let context = SpanContext::new(
            TraceId::from_bytes([1; 16]).unwrap(),
            SpanId::from_bytes([1; 8]).unwrap(),
            TraceFlags::NONE,
        );
        let start = SpanStart {
            context,
            parent: None,
            name: "n",
            kind: SpanKind::Internal,
            start_time: 1,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        let mut span = InlineSpan::<512>::new(heapless::Vec::new(), &start);
        let mut event = span.event("forgotten", 2);
        event.set("short", 1).set("long", core::str::from_utf8(&[b'x'; 130]).unwrap());
        core::mem::forget(event);
        span.set("after", true);
        let view = span.view(3);
        let event = view.events().next().unwrap();
        assert_eq!((event.name(), event.attributes().count()), ("forgotten", 2));
        assert_eq!(view.attributes().count(), 1);
    }
}
