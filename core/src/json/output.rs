//! Protobuf fields written one after another, and messages whose length is known only at their end.

use super::JsonErrorKind;
use crate::storage::{Cursor, StorageView, append};
use crate::wire::{LENGTH_DELIMITED, varint_len};

/// Where the protobuf of a request goes, and why it cannot.
pub(super) struct Output<'o, V: ?Sized> {
    pub(super) out: &'o mut V,
    /// What serde's errors have no place for.
    pub(super) failure: Option<&'o mut Option<JsonErrorKind>>,
}

impl<V: StorageView + ?Sized> Output<'_, V> {
    /// Makes an error, and notes its kind.
    pub(super) fn fail<E: serde::de::Error>(&mut self, kind: JsonErrorKind) -> E {
        self.note(kind);
        E::custom(kind)
    }

    /// Notes why there is going to be an error.
    pub(super) fn note(&mut self, kind: JsonErrorKind) {
        if let Some(failure) = &mut self.failure {
            **failure = Some(kind);
        }
    }

    /// Writes a field whose content takes `length` bytes.
    pub(super) fn field<E: serde::de::Error>(
        &mut self,
        number: u8,
        wire_type: u8,
        length: usize,
        content: impl FnOnce(&mut Cursor<'_>),
    ) -> Result<(), E> {
        let tag = u64::from(number) << 3 | u64::from(wire_type);
        let written = append(self.out, varint_len(tag) + length, |cursor| {
            cursor.varint(tag);
            content(cursor);
        });
        if written { Ok(()) } else { Err(self.fail(JsonErrorKind::StorageFull)) }
    }

    /// Writes a length-delimited field of `length` bytes.
    pub(super) fn delimited<E: serde::de::Error>(
        &mut self,
        number: u8,
        length: usize,
        content: impl FnOnce(&mut Cursor<'_>),
    ) -> Result<(), E> {
        self.field(number, LENGTH_DELIMITED, varint_len(length as u64) + length, |cursor| {
            cursor.varint(length as u64);
            content(cursor);
        })
    }

    /// Begins a message, with one byte for its length; answers where that stands.
    pub(super) fn begin<E: serde::de::Error>(&mut self, number: u8) -> Result<usize, E> {
        self.field(number, LENGTH_DELIMITED, 1, |cursor| cursor.byte(0))?;
        Ok(self.out.as_slice().len() - 1)
    }

    /// Ends the message whose length stands at `at`, moving it if its length takes more than one byte.
    pub(super) fn end<E: serde::de::Error>(&mut self, at: usize) -> Result<(), E> {
        let length = (self.out.as_slice().len() - at - 1) as u64;
        let extra = varint_len(length) - 1;
        if !append(self.out, extra, |cursor| (0..extra).for_each(|_| cursor.byte(0))) {
            return Err(self.fail(JsonErrorKind::StorageFull));
        }
        let Some(bytes) = self.out.as_mut_slice().get_mut(at..) else { return Ok(()) };
        if extra > 0
            && let Some(end) = bytes.len().checked_sub(extra)
            && end > 0
        {
            bytes.copy_within(1..end, 1 + extra);
        }
        let mut rest = length;
        for (index, byte) in bytes.iter_mut().take(extra + 1).enumerate() {
            let more = if index < extra { 0x80 } else { 0 };
            *byte = (rest.to_le_bytes()[0] & 0x7f) | more;
            rest >>= 7;
        }
        Ok(())
    }
}
