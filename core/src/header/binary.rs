//! The 26-byte form of a context, for where headers are too dear: a frame to a chip, a message's binary attribute.
//!
//! One byte for the version (0), 16 for the trace id, 8 for the span id, one for the flags. The form is Clewline's own: the
//! W3C's draft of a binary format was abandoned.

use core::fmt;

use super::text::copy;
use crate::{SpanContext, SpanId, TraceFlags, TraceId};

/// How long a context is, in bytes.
pub const LENGTH: usize = 26;

const VERSION: u8 = 0;

/// Which rule a binary context broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinaryError {
    /// Not 26 bytes.
    Length,
    /// A version other than 0.
    Version,
    /// The trace id is all zero.
    TraceId,
    /// The span id is all zero.
    SpanId,
}

impl fmt::Display for BinaryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Length => "binary context: not 26 bytes",
            Self::Version => "binary context: the version is not 0",
            Self::TraceId => "binary context: the trace id is all zero",
            Self::SpanId => "binary context: the span id is all zero",
        })
    }
}

impl core::error::Error for BinaryError {}

/// Writes a context.
///
/// ```
/// use clewline_core::{binary, traceparent};
/// let context = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// assert_eq!(binary::decode(&binary::encode(context)), Ok(context));
/// ```
#[must_use]
pub fn encode(context: SpanContext) -> [u8; LENGTH] {
    let mut bytes = [VERSION; LENGTH];
    copy(&context.trace_id().to_bytes(), &mut bytes[1..17]);
    copy(&context.span_id().to_bytes(), &mut bytes[17..25]);
    bytes[25] = context.flags().bits();
    bytes
}

/// Reads a context. Unknown flags are ignored.
///
/// # Errors
/// The first rule that the bytes break.
pub fn decode(bytes: &[u8]) -> Result<SpanContext, BinaryError> {
    let [version, rest @ ..] = bytes else { return Err(BinaryError::Length) };
    if *version != VERSION {
        return Err(BinaryError::Version);
    }
    let (trace_id, rest) = rest.split_first_chunk::<16>().ok_or(BinaryError::Length)?;
    let (span_id, rest) = rest.split_first_chunk::<8>().ok_or(BinaryError::Length)?;
    let [flags] = rest else { return Err(BinaryError::Length) };
    let trace_id = TraceId::from_bytes(*trace_id).ok_or(BinaryError::TraceId)?;
    let span_id = SpanId::from_bytes(*span_id).ok_or(BinaryError::SpanId)?;
    Ok(SpanContext::new(trace_id, span_id, TraceFlags::from_bits(*flags)).into_remote())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What byte stands where, and each rule broken.
    #[test]
    fn layout_table() {
        let good: [u8; LENGTH] =
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 3];
        let context = decode(&good).unwrap();
        assert_eq!(std::format!("{}", context.trace_id()), "0102030405060708090a0b0c0d0e0f10");
        assert_eq!(std::format!("{}", context.span_id()), "1112131415161718");
        assert!(context.is_sampled() && context.flags().is_random() && context.is_remote());
        assert_eq!(encode(context), good);

        let with = |at: usize, bytes: &[u8]| {
            let mut changed = good;
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            decode(&changed)
        };
        assert_eq!(with(0, &[1]), Err(BinaryError::Version));
        assert_eq!(with(1, &[0; 16]), Err(BinaryError::TraceId));
        assert_eq!(with(17, &[0; 8]), Err(BinaryError::SpanId));
        assert_eq!(with(25, &[0xfc]).map(|context| context.flags().bits()), Ok(0));
        for length in 0..LENGTH {
            assert_eq!(decode(&good[..length]), Err(BinaryError::Length));
        }
        let mut longer = [1; LENGTH + 1];
        longer[0] = 0;
        assert_eq!(decode(&longer), Err(BinaryError::Length));
    }
}
