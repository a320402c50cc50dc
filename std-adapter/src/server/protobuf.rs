//! Writing protobuf messages into a `Vec<u8>`: what answers are made of.

/// Writes protobuf fields one after another.
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
    pub(super) fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, 0);
        self.raw_varint(value);
    }

    /// A string or bytes field, always written.
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, 2);
        self.raw_varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// A nested message. Its length is only known afterwards: one byte is kept free for it, and the rare message longer
    /// than 127 bytes is moved to make room for the others.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, 2);
        let length_at = self.bytes.len();
        self.bytes.push(0);
        write(self);
        let mut length = self.bytes.len() - length_at - 1;
        let mut encoded = [0_u8; 10];
        let mut used = 0;
        loop {
            let low = low_seven_bits(length as u64);
            length >>= 7;
            encoded[used] = if length == 0 { low } else { low | 0x80 };
            used += 1;
            if length == 0 {
                break;
            }
        }
        self.bytes.splice(length_at..=length_at, encoded[..used].iter().copied());
    }

    fn tag(&mut self, field: u32, wire_type: u64) {
        self.raw_varint(u64::from(field) << 3 | wire_type);
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(low_seven_bits(value) | 0x80);
            value >>= 7;
        }
        self.bytes.push(low_seven_bits(value));
    }
}

fn low_seven_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}
