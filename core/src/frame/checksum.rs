//! The checksum of frames: CRC-16/IBM-3740 without a table, which alone takes an eighth of a chip's flash for all of tracing.

/// Sums up bytes (polynomial 0x1021, begins with all bits set, nothing reflected or inverted).
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksum(u16);

impl Checksum {
    /// Of no bytes.
    pub(super) const fn new() -> Self {
        Self(0xffff)
    }

    /// Of all bytes.
    pub(super) fn of(bytes: &[u8]) -> u16 {
        let mut checksum = Self::new();
        bytes.iter().for_each(|&byte| checksum.add(byte));
        checksum.value()
    }

    /// Goes on with one byte.
    ///
    /// The upper byte leaves the sum, and comes back multiplied by the polynomial x¹⁶ + x¹² + x⁵ + 1: at its lower three places.
    /// What x¹² pushes out at the top, four bits of it, comes back once more.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "what is pushed out at the top has been brought back")]
    pub(super) const fn add(&mut self, byte: u8) {
        let leaving = (self.0 >> 8) as u32 ^ byte as u32;
        let leaving = leaving ^ leaving >> 4;
        self.0 = ((self.0 as u32) << 8 ^ leaving << 12 ^ leaving << 5 ^ leaving) as u16;
    }

    /// The sum so far.
    pub(super) const fn value(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    /// The definition, bit by bit.
    fn by_definition(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0xffff, |sum, byte| {
            (0..8).fold(sum ^ u16::from(*byte) << 8, |sum: u16, _| sum << 1 ^ if sum >> 15 == 1 { 0x1021 } else { 0 })
        })
    }

    #[test]
    fn the_catalogue_s_check_value() {
        assert_eq!(Checksum::of(b"123456789"), 0x29b1);
        assert_eq!(Checksum::of(b""), 0xffff);
    }

    #[test]
    fn every_byte_after_every_byte() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let bytes = [first, second, first];
                assert_eq!(Checksum::of(&bytes), by_definition(&bytes), "{bytes:?}");
            }
        }
    }
}
