//! `traceparent`, both ways, by W3C Trace Context level 2, section 3.2.
//!
//! Parsing never panics and names the broken rule. An invalid header means "start a new trace", never a failed request.

use core::fmt;

use super::text::trim;
use crate::hex::{self, Case};
use crate::{SpanContext, SpanId, TraceFlags, TraceId};

/// The header's name, in lower case as HTTP/2 wants it.
pub const NAME: &str = "traceparent";

/// The length of a version-00 header: `00-<32 hex>-<16 hex>-<2 hex>`.
pub const LENGTH: usize = 55;

/// Which rule a `traceparent` header broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceparentError {
    /// Shorter than 55 bytes, or a version 00 header that is longer.
    Length,
    /// No `-` where the layout has one.
    Delimiter,
    /// The version is not two lower-case hexadecimal digits.
    Version,
    /// The version is `ff`, which is forbidden.
    VersionForbidden,
    /// The trace id is not 32 lower-case hexadecimal digits, or all zero.
    TraceId,
    /// The parent id is not 16 lower-case hexadecimal digits, or all zero.
    ParentId,
    /// The flags are not two lower-case hexadecimal digits.
    Flags,
    /// Several `traceparent` headers arrived.
    Repeated,
    /// None arrived.
    Missing,
}

impl fmt::Display for TraceparentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Length => "traceparent: the length is not that of the version",
            Self::Delimiter => "traceparent: a '-' is missing or misplaced",
            Self::Version => "traceparent: the version is not two lower-case hexadecimal digits",
            Self::VersionForbidden => "traceparent: version ff is forbidden",
            Self::TraceId => "traceparent: the trace id is not 32 lower-case hexadecimal digits, or all zero",
            Self::ParentId => "traceparent: the parent id is not 16 lower-case hexadecimal digits, or all zero",
            Self::Flags => "traceparent: the flags are not two lower-case hexadecimal digits",
            Self::Repeated => "traceparent: more than one header",
            Self::Missing => "traceparent: no header",
        })
    }
}

impl core::error::Error for TraceparentError {}

/// Reads one header value. White space around it (space, tab) is not part of the value (RFC 9110, section 5.5).
///
/// A version above 00 is read by the layout of 00, and may go on after a further `-`.
///
/// # Errors
/// The first rule that the value breaks.
///
/// ```
/// use clewline_core::traceparent;
/// let context = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// assert!(context.is_sampled() && context.is_remote());
/// ```
pub fn parse(value: &[u8]) -> Result<SpanContext, TraceparentError> {
    let Some((layout, rest)) = trim(value).split_first_chunk::<LENGTH>() else {
        return Err(TraceparentError::Length);
    };
    let [version] = hex::decode::<1>(&layout[0..2], Case::Lower).ok_or(TraceparentError::Version)?;
    if version == 0xff {
        return Err(TraceparentError::VersionForbidden);
    }
    if layout[2] != b'-' || layout[35] != b'-' || layout[52] != b'-' {
        return Err(TraceparentError::Delimiter);
    }
    match rest.first() {
        None => {}
        Some(b'-') if version > 0 => {}
        Some(_) => return Err(TraceparentError::Length),
    }
    let trace_id = TraceId::from_lower_hex(&layout[3..35]).ok_or(TraceparentError::TraceId)?;
    let parent_id = SpanId::from_lower_hex(&layout[36..52]).ok_or(TraceparentError::ParentId)?;
    let [flags] = hex::decode::<1>(&layout[53..55], Case::Lower).ok_or(TraceparentError::Flags)?;
    Ok(SpanContext::new(trace_id, parent_id, TraceFlags::from_bits(flags)).into_remote())
}

/// Reads the header from all the lines of that name that arrived: exactly one must be there (section 3.2, "multiple
/// traceparent headers" are invalid as a whole).
///
/// # Errors
/// `Missing`, `Repeated`, or the rule that the only value breaks.
pub fn extract<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<SpanContext, TraceparentError> {
    let mut lines = lines.into_iter();
    let value = lines.next().ok_or(TraceparentError::Missing)?;
    if lines.next().is_some() {
        return Err(TraceparentError::Repeated);
    }
    parse(value)
}

/// Writes the header value that names `context` where it is wanted; as text of its own, see [`Traceparent`].
#[inline]
pub fn write(context: &SpanContext, text: &mut [u8; LENGTH]) {
    *text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    hex::encode(&context.trace_id().to_bytes(), &mut text[3..35]);
    hex::encode(&context.span_id().to_bytes(), &mut text[36..52]);
    // Only the two known flags exist in a context, so the first digit stays 0.
    text[54] = b'0' + context.flags().bits();
}

/// Writes the header value: always version 00, always 55 bytes of ASCII.
///
/// ```
/// use clewline_core::traceparent::{Traceparent, parse};
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
/// assert_eq!(Traceparent::new(parse(text.as_bytes()).unwrap()).as_str(), text);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent([u8; LENGTH]);

impl Traceparent {
    /// The header value that names `context`.
    #[must_use]
    #[inline]
    pub fn new(context: SpanContext) -> Self {
        let mut text = [0; LENGTH];
        write(&context, &mut text);
        Self(text)
    }

    /// The value as text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: `new` is the only constructor and writes only '0'-'9', 'a'-'f' and '-'.
        #[expect(unsafe_code, reason = "checking ASCII again would cost more than writing it")]
        unsafe {
            core::str::from_utf8_unchecked(&self.0)
        }
    }

    /// The value as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// Input, verdict, and the rule with its place in W3C Trace Context level 2.
    #[test]
    fn specification_table() {
        use TraceparentError as E;
        let table: &[(&str, Result<u8, E>)] = &[
            (GOOD, Ok(1)),
            // 3.2.2.5: unknown flags are ignored, the random flag is kept.
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", Ok(0)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02", Ok(2)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", Ok(3)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fc", Ok(0)),
            // RFC 9110, 5.5: surrounding white space is not part of the value.
            (" \t00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\t ", Ok(1)),
            ("\n00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Err(E::Version)),
            // 3.2.4: higher versions by the layout of 00, and what follows must begin with '-'.
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Ok(1)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", Ok(1)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like", Ok(1)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", Err(E::Length)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", Err(E::Length)),
            // 3.2.2.1: version ff is forbidden; two lower-case digits.
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Err(E::VersionForbidden)),
            ("FF-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Err(E::Version)),
            ("0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Err(E::Version)),
            (".0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Err(E::Version)),
            // 3.2.2.2: version 00 is exactly 55 bytes.
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", Err(E::Length)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", Err(E::Length)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", Err(E::Length)),
            ("", Err(E::Length)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331 01", Err(E::Delimiter)),
            // 3.2.2.3 and 3.2.2.4: lower case only, not all zero.
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", Err(E::TraceId)),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", Err(E::TraceId)),
            ("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Err(E::TraceId)),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", Err(E::ParentId)),
            ("00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01", Err(E::ParentId)),
            ("00-0af7651916cd43dd8448eb211c80319c-+7ad6b7169203331-01", Err(E::ParentId)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-+1", Err(E::Flags)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0X", Err(E::Flags)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-FF", Err(E::Flags)),
        ];
        for (text, verdict) in table {
            assert_eq!(parse(text.as_bytes()).map(|context| context.flags().bits()), *verdict, "{text:?}");
        }
    }

    #[test]
    fn exactly_one_line_counts() {
        let good = GOOD.as_bytes();
        assert!(extract([good]).is_ok());
        assert_eq!(extract([]), Err(TraceparentError::Missing));
        assert_eq!(extract([good, good]), Err(TraceparentError::Repeated));
    }

    #[test]
    fn canonical_text_survives() {
        let context = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(Traceparent::new(context).as_str(), GOOD);
        assert_eq!(parse(Traceparent::new(context).as_bytes()), Ok(context));
        let future = parse(b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09-x").unwrap();
        assert_eq!(Traceparent::new(future).as_str(), GOOD, "answered as version 00, unknown flags zero");
    }
}
