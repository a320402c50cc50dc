//! As much protobuf as requests and answers need: writing fields, and reading the few fields of an answer.

/// Wire type of integers of variable length.
#[cfg(feature = "server")]
pub(crate) const VARINT: u8 = 0;
/// Wire type of strings, bytes and nested messages.
pub(super) const LENGTH_DELIMITED: u8 = 2;

/// Appends the header of a length-delimited field: tag (field numbers up to 15) and length.
pub(super) fn write_header(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | LENGTH_DELIMITED);
    write_varint(out, length as u64);
}

/// Appends a length-delimited field.
#[cfg(any(test, feature = "server"))]
pub(crate) fn write_field(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    write_header(out, field, content.len());
    out.extend_from_slice(content);
}

/// How many bytes a length-delimited field with `length` bytes of content takes.
pub(super) fn field_size(length: usize) -> usize {
    let bits = usize::BITS - (length | 1).leading_zeros();
    1 + bits.div_ceil(7) as usize + length
}

/// Appends an integer of variable length.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Value<'a>,
}

/// The value of a field, by wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Four or eight fixed bytes, which no answer of ours holds.
    Fixed,
}

/// The fields of a message; ends early where the bytes are not protobuf, and [`Fields::rest`] says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// What has not been read yet; not empty after the last field if the message is malformed.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn parse(bytes: &'a [u8]) -> Option<(Field<'a>, &'a [u8])> {
        let (key, rest) = read_varint(bytes)?;
        let (value, rest) = match key & 7 {
            0 => {
                let (value, rest) = read_varint(rest)?;
                (Value::Varint(value), rest)
            }
            1 => (Value::Fixed, rest.get(8..)?),
            2 => {
                let (length, rest) = read_varint(rest)?;
                let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Value::Bytes(content), rest)
            }
            5 => (Value::Fixed, rest.get(4..)?),
            _ => return None,
        };
        Some((Field { number: key >> 3, value }, rest))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let (field, rest) = Self::parse(self.rest)?;
        self.rest = rest;
        Some(field)
    }
}

fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Field, Fields, Value, field_size, write_field, write_varint};

    #[test]
    fn what_is_written_is_read_back_and_has_the_size_that_was_told() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let content = vec![7; length];
            let mut message = Vec::new();
            write_field(&mut message, 2, &content);
            assert_eq!(message.len(), field_size(length));
            let fields: Vec<_> = Fields::new(&message).collect();
            assert_eq!(fields, [Field { number: 2, value: Value::Bytes(&content) }]);
        }
    }

    #[test]
    fn every_wire_type_is_skipped_or_read_and_a_cut_message_ends() {
        let mut message = vec![0x08];
        write_varint(&mut message, u64::MAX);
        message.extend([0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1d, 1, 2, 3, 4, 0x22, 1, b'x']);
        let numbers: Vec<_> = Fields::new(&message).map(|field| field.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(Fields::new(&message).next().map(|field| field.value), Some(Value::Varint(u64::MAX)));
        for cut in 1..message.len() {
            let mut fields = Fields::new(&message[..cut]);
            let complete = fields.by_ref().count();
            assert!(complete < 4, "{cut}");
            assert_eq!(fields.rest().is_empty(), [11, 20, 25].contains(&cut), "{cut}");
        }
        for malformed in [&[0x0b][..], &[0xff; 11], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]
        {
            assert_eq!(Fields::new(malformed).next(), None);
        }
    }
}
