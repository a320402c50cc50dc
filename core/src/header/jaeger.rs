//! Jaeger's `uber-trace-id`, both ways, by Jaeger's "Client Libraries: Propagation Format".
//!
//! `{trace-id}:{span-id}:{parent-span-id}:{flags}` in hexadecimal digits of either case; leading zeros may be missing, and
//! the colons may have been percent-encoded on the way. The parent span id is deprecated and says nothing that is needed, so whatever
//! stands there is ignored, as most Jaeger clients and OpenTelemetry's propagators do.

use core::fmt;

use super::text::{HeaderText, copy, cut, trim};
use crate::hex::{self, Case};
use crate::{SpanContext, SpanId, TraceFlags, TraceId};

/// The header's name.
pub const NAME: &str = "uber-trace-id";

const SAMPLED: u8 = 1;
const DEBUG: u8 = 2;

/// Which rule an `uber-trace-id` header broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JaegerError {
    /// No header arrived.
    Missing,
    /// Not four parts.
    Parts,
    /// The trace id is not 1 to 32 hexadecimal digits, or zero.
    TraceId,
    /// The span id is not 1 to 16 hexadecimal digits, or zero.
    SpanId,
    /// The flags are not one or two hexadecimal digits.
    Flags,
}

impl fmt::Display for JaegerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "uber-trace-id: no header",
            Self::Parts => "uber-trace-id: not four parts with ':' between them",
            Self::TraceId => "uber-trace-id: the trace id is not 1 to 32 hexadecimal digits, or zero",
            Self::SpanId => "uber-trace-id: the span id is not 1 to 16 hexadecimal digits, or zero",
            Self::Flags => "uber-trace-id: the flags are not one or two hexadecimal digits",
        })
    }
}

impl core::error::Error for JaegerError {}

/// What an `uber-trace-id` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JaegerContext {
    /// The caller's span.
    pub context: SpanContext,
    /// Whether the trace should be kept whatever it costs. Implies sampled.
    pub debug: bool,
}

/// Reads the header's value.
///
/// # Errors
/// The first rule that the value breaks.
///
/// ```
/// use clewline_core::jaeger;
/// let read = jaeger::parse(b"8448eb211c80319c:b7ad6b7169203331:0:1").unwrap();
/// assert_eq!(read.context.trace_id().to_string(), "00000000000000008448eb211c80319c");
/// ```
pub fn parse(value: &[u8]) -> Result<JaegerContext, JaegerError> {
    let mut rest = Some(trim(value));
    let mut part = || {
        let (head, tail) = next_part(rest?);
        rest = tail;
        Some(head)
    };
    let (Some(trace_id), Some(span_id), Some(_), Some(flags)) = (part(), part(), part(), part()) else {
        return Err(JaegerError::Parts);
    };
    if rest.is_some() {
        return Err(JaegerError::Parts);
    }
    let trace_id = digits::<16>(trace_id).and_then(TraceId::from_bytes).ok_or(JaegerError::TraceId)?;
    let span_id = digits::<8>(span_id).and_then(SpanId::from_bytes).ok_or(JaegerError::SpanId)?;
    let [flags] = digits::<1>(flags).ok_or(JaegerError::Flags)?;
    let debug = flags & DEBUG != 0;
    let sampled = TraceFlags::NONE.with_sampled(debug || flags & SAMPLED != 0);
    Ok(JaegerContext { context: SpanContext::new(trace_id, span_id, sampled).into_remote(), debug })
}

/// Reads the header from all the lines of that name that arrived; the first counts.
///
/// # Errors
/// `Missing`, or the first rule that the first line breaks.
pub fn extract<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<JaegerContext, JaegerError> {
    lines.into_iter().next().ok_or(JaegerError::Missing).and_then(parse)
}

/// Writes the header's value: 32 and 16 digits, no parent (Jaeger calls it deprecated), one digit of flags.
#[must_use]
pub fn value(read: &JaegerContext) -> HeaderText<53> {
    let (trace_id, span_id) = (read.context.trace_id().to_hex(), read.context.span_id().to_hex());
    let flags: &[u8] = match (read.debug, read.context.is_sampled()) {
        (true, _) => b"3",
        (false, true) => b"1",
        (false, false) => b"0",
    };
    HeaderText::of(&[&trace_id, b":", &span_id, b":0:", flags])
}

/// Up to the next colon, which may be percent-encoded.
fn next_part(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (plain, plain_rest) = cut(value, b':');
    let (head, tail) = cut(plain, b'%');
    match tail {
        // The encoded colon comes first, so what follows is all of the rest.
        Some([b'3', b'A' | b'a', ..]) => (head, value.get(head.len() + 3..)),
        _ => (plain, plain_rest),
    }
}

/// 1 to `2 * N` digits, the missing ones in front zero.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    const LONGEST: usize = 32;
    let mut padded = [b'0'; LONGEST];
    if text.is_empty() || text.len() > 2 * N {
        return None;
    }
    copy(text, padded.get_mut(LONGEST.checked_sub(text.len())?..)?);
    hex::decode::<N>(padded.get(LONGEST.checked_sub(2 * N)?..)?, Case::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// A value, what it says as canonical text, and the rule of "Propagation Format: Value".
    #[test]
    fn specification_table() {
        use JaegerError as E;
        let table: &[(&str, Result<&str, E>)] = &[
            (
                "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1",
                Ok("0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1"),
            ),
            // Trace and span id: shorter ones are padded with zeros; 0 is not valid.
            ("8448eb211c80319c:b7ad6b7169203331:0:0", Ok("00000000000000008448eb211c80319c:b7ad6b7169203331:0:0")),
            ("1:2:3:1", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            (
                "af7651916cd43dd8448eb211c80319c:7ad6b7169203331:0:1",
                Ok("0af7651916cd43dd8448eb211c80319c:07ad6b7169203331:0:1"),
            ),
            ("ABC:DEF:0:1", Ok("00000000000000000000000000000abc:0000000000000def:0:1")),
            ("0:2:0:1", Err(E::TraceId)),
            (":2:0:1", Err(E::TraceId)),
            ("g:2:0:1", Err(E::TraceId)),
            ("00af7651916cd43dd8448eb211c80319c:2:0:1", Err(E::TraceId)),
            ("1:0:0:1", Err(E::SpanId)),
            ("1::0:1", Err(E::SpanId)),
            ("1:0b7ad6b7169203331:0:1", Err(E::SpanId)),
            ("1:+2:0:1", Err(E::SpanId)),
            // Parent: deprecated, ignored.
            ("1:2:b7ad6b7169203331:1", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            ("1:2::1", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            ("1:2:x:1", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            ("1:2:0b7ad6b7169203331:1", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            // Flags: one or two digits; 1 sampled, 2 debug, others unused.
            ("1:2:0:01", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            ("1:2:0:3", Ok("00000000000000000000000000000001:0000000000000002:0:3")),
            ("1:2:0:2", Ok("00000000000000000000000000000001:0000000000000002:0:3")),
            ("1:2:0:8", Ok("00000000000000000000000000000001:0000000000000002:0:0")),
            ("1:2:0:ff", Ok("00000000000000000000000000000001:0000000000000002:0:3")),
            ("1:2:0:", Err(E::Flags)),
            ("1:2:0:001", Err(E::Flags)),
            ("1:2:0:x", Err(E::Flags)),
            // Percent-encoded as a whole, and with white space around.
            ("1%3A2%3a0%3A1", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            (" 1:2%3A0:1\t", Ok("00000000000000000000000000000001:0000000000000002:0:1")),
            ("1%3B2%3A0%3A1", Err(E::Parts)),
            ("1%2:2:0:1", Err(E::TraceId)),
            // Four parts.
            ("", Err(E::Parts)),
            ("1:2:0", Err(E::Parts)),
            ("1:2:0:1:", Err(E::Parts)),
            ("1:2:0:1%3A", Err(E::Parts)),
        ];
        for (text, verdict) in table {
            let read = parse(text.as_bytes());
            if let Ok(JaegerContext { context, debug }) = read {
                assert!(context.is_remote() && (context.is_sampled() || !debug), "debug implies sampled: {text:?}");
            }
            assert_eq!(read.map(|read| format!("{}", value(&read))), verdict.map(String::from), "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for text in ["1:2:0:0", "1:2:0:1", "1:2:0:3"] {
            let read = parse(text.as_bytes()).unwrap();
            assert_eq!(extract([value(&read).as_bytes()]), Ok(read));
        }
        assert_eq!(extract([]), Err(JaegerError::Missing));
    }
}
