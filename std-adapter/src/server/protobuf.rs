//! Writing protobuf messages into a `Vec<u8>`: what answers are made of.

use crate::exporter::wire;

/// Writes protobuf fields, of numbers up to 15, one after another.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// The bytes written so far.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A varint field, always written.
    pub(super) fn varint(&mut self, field: u8, value: u64) {
        self.bytes.push(field << 3 | wire::VARINT);
        wire::write_varint(&mut self.bytes, value);
    }

    /// A string or bytes field, always written.
    pub(super) fn bytes(&mut self, field: u8, value: &[u8]) {
        wire::write_field(&mut self.bytes, field, value);
    }

    /// A nested message.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        let mut nested = Self::default();
        write(&mut nested);
        self.bytes(field, &nested.bytes);
    }
}
