//! Trace and span identifiers, which cannot be all zero.

use core::cmp::Ordering;
use core::fmt;

use crate::hex::{self, Case};

macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident, $bytes:literal, $digits:literal) => {
        $(#[$meta])*
        // The bytes in network order, held as machine words: copies stay in registers, where byte arrays would go
        // through memory.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u64; $bytes / 8]);

        impl $name {
            /// Takes the bytes in network order; `None` if all are zero, which the W3C and OpenTelemetry call invalid.
            #[must_use]
            #[inline]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                // SAFETY: both are plain memory of the same size, and every pattern of bits is a valid word.
                #[expect(unsafe_code, reason = "no safe function turns an array of bytes into one of words in place")]
                Self::from_words(unsafe { core::mem::transmute::<[u8; $bytes], [u64; $bytes / 8]>(bytes) })
            }

            /// Takes the memory of the bytes in network order as native words; `None` if all are zero.
            #[inline]
            pub(crate) const fn from_words(words: [u64; $bytes / 8]) -> Option<Self> {
                if is_zero(&words) { None } else { Some(Self(words)) }
            }

            /// Takes bytes of unknown length; `None` unless the width is right and not all are zero.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                <[u8; $bytes]>::try_from(bytes).ok().and_then(Self::from_bytes)
            }

            /// Reads exactly
            #[doc = concat!(stringify!($digits), " hexadecimal digits of either case;")]
            /// `None` for anything else and for all zeros. (`traceparent` is stricter: lower case only.)
            #[must_use]
            pub const fn from_hex(text: &str) -> Option<Self> {
                match hex::decode::<$bytes>(text.as_bytes(), Case::Any) {
                    Some(bytes) => Self::from_bytes(bytes),
                    None => None,
                }
            }

            pub(crate) const fn from_lower_hex(text: &[u8]) -> Option<Self> {
                match hex::decode::<$bytes>(text, Case::Lower) {
                    Some(bytes) => Self::from_bytes(bytes),
                    None => None,
                }
            }

            /// The bytes in network order.
            #[must_use]
            #[inline]
            pub const fn to_bytes(self) -> [u8; $bytes] {
                // SAFETY: both are plain memory of the same size, and every pattern of bits is a valid byte.
                #[expect(unsafe_code, reason = "no safe function turns an array of words into one of bytes in place")]
                unsafe {
                    core::mem::transmute::<[u64; $bytes / 8], [u8; $bytes]>(self.0)
                }
            }

            /// Lower-case hexadecimal digits, as ASCII.
            #[must_use]
            pub const fn to_hex(self) -> [u8; $digits] {
                let mut text = [0; $digits];
                hex::encode(&self.to_bytes(), &mut text);
                text
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.to_bytes().cmp(&other.to_bytes())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = self.to_hex();
                formatter.pad(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }
    };
}

identifier! {
    /// Identifies a trace: 16 bytes, never all zero (W3C Trace Context level 2, section 3.2.2.3).
    ///
    /// ```
    /// use clewline_core::TraceId;
    /// let id = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
    /// assert_eq!(id.to_bytes()[0], 0x0a);
    /// assert_eq!(TraceId::from_bytes([0; 16]), None);
    /// ```
    TraceId, 16, 32
}

identifier! {
    /// Identifies a span within its trace: 8 bytes, never all zero (W3C Trace Context level 2, section 3.2.2.4).
    SpanId, 8, 16
}

impl SpanId {
    /// An id of two words from a generator that never makes both zero.
    #[cfg(feature = "critical-section")]
    #[inline]
    pub(crate) const fn from_generator([a, b]: [u32; 2]) -> Self {
        Self([(a as u64) << 32 | b as u64])
    }
}

/// Of one word or two: the first and the last are all there are.
#[inline]
const fn is_zero<const WORDS: usize>(words: &[u64; WORDS]) -> bool {
    words[0] | words[WORDS - 1] == 0
}

impl TraceId {
    /// The right-most 56 bits, which consistent probability sampling takes as the trace's random number R
    /// (OpenTelemetry, "TraceState: Probability Sampling").
    #[must_use]
    pub const fn randomness(self) -> u64 {
        if cfg!(not(target_arch = "wasm32")) {
            return u64::from_be(self.0[1]) & 0x00ff_ffff_ffff_ffff;
        }
        // WebAssembly cannot swap bytes: a page pays 80 bytes for that, and 45 for this.
        let bytes = self.to_bytes();
        let (mut number, mut place) = (0, 9);
        while place < bytes.len() {
            number = number << 8 | bytes[place] as u64;
            place += 1;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_is_the_right_most_seven_bytes() {
        let id = TraceId::from_hex("ffffffffffffffffff0123456789abcd").unwrap();
        assert_eq!(id.randomness(), 0x0001_2345_6789_abcd & 0x00ff_ffff_ffff_ffff);
        let id = TraceId::from_hex("00000000000000000100000000000000").unwrap();
        assert_eq!(id.randomness(), 0);
    }

    #[test]
    fn widths_and_zeros_are_refused() {
        assert_eq!(SpanId::from_hex("0000000000000000"), None);
        assert_eq!(SpanId::from_hex("b7ad6b716920333"), None);
        assert_eq!(SpanId::from_hex("b7ad6b71692033310"), None);
        assert_eq!(SpanId::from_slice(&[1; 7]), None);
        assert!(SpanId::from_hex("B7AD6B7169203331").is_some());
        assert_eq!(SpanId::from_lower_hex(b"B7AD6B7169203331"), None);
    }
}
