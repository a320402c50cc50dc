//! `traceparent`, read by one loop.

use crate::traceparent::LENGTH;
use crate::{SpanContext, SpanId, TraceFlags, TraceId};

/// The places of `-` in the layout, as bits.
const DELIMITERS: u64 = 1 << 2 | 1 << 35 | 1 << 52;

/// Reads one header value by the rules of [`traceparent::parse`](crate::traceparent::parse), in a third of its code: it does not
/// say what is wrong, and white space around the value is wrong, which a browser's header interfaces do not hand out.
#[must_use]
#[inline]
pub fn parse_traceparent(text: &[u8]) -> Option<SpanContext> {
    let (layout, rest) = text.split_first_chunk::<LENGTH>()?;
    // Version, trace id, parent id, flags.
    let mut bytes = [0_u8; 1 + 16 + 8 + 1];
    let mut digits = 0;
    for (place, &character) in layout.iter().enumerate() {
        if DELIMITERS >> place & 1 == 1 {
            if character != b'-' {
                return None;
            }
            continue;
        }
        let digit = match character {
            b'0'..=b'9' => character - b'0',
            b'a'..=b'f' => character - b'a' + 10,
            _ => return None,
        };
        let byte = bytes.get_mut(digits / 2)?;
        *byte = *byte << 4 | digit;
        digits += 1;
    }
    let (&[version], rest_of) = bytes.split_first_chunk()?;
    let (trace_id, rest_of) = rest_of.split_first_chunk()?;
    let (parent_id, flags) = rest_of.split_first_chunk()?;
    let is_whole = match rest.first() {
        None => version < 0xff,
        Some(next) => *next == b'-' && version.wrapping_sub(1) < 0xfe,
    };
    if !is_whole {
        return None;
    }
    let flags = TraceFlags::from_bits(*flags.first()?);
    Some(SpanContext::remote(TraceId::from_bytes(*trace_id)?, SpanId::from_bytes(*parent_id)?, flags))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::traceparent;

    /// Whether both readers answer the same.
    fn agrees(text: &[u8]) -> Option<SpanContext> {
        let context = parse_traceparent(text);
        assert_eq!(context, traceparent::parse(text).ok(), "{:?}", text.escape_ascii());
        context
    }

    #[test]
    fn every_byte_in_every_place_is_judged_as_the_other_reader_does() {
        for good in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-x",
        ] {
            assert!(agrees(good.as_bytes()).is_some_and(|context| context.is_remote()));
            for place in 0..good.len() {
                let mut text: Vec<u8> = good.bytes().collect();
                // White space around the value is the other reader's.
                for byte in (0..=255).filter(|byte| !matches!(byte, b' ' | b'\t')) {
                    text[place] = byte;
                    agrees(&text);
                }
            }
            for length in 0..good.len() {
                agrees(&good.as_bytes()[..length]);
            }
        }
    }

    #[test]
    fn versions_and_what_follows_them() {
        for version in 0..=255_u8 {
            for rest in ["", "-", "-x", "x", "--"] {
                let text = std::format!("{version:02x}-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01{rest}");
                agrees(text.as_bytes());
            }
        }
    }

    #[test]
    fn ids_of_zeros_and_white_space_are_refused() {
        assert_eq!(agrees(b"00-00000000000000000000000000000000-b7ad6b7169203331-01"), None);
        assert_eq!(agrees(b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"), None);
        assert_eq!(parse_traceparent(b" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), None);
    }
}
