//! B3, single (`b3`) and multi (`X-B3-*`), both ways, by the openzipkin b3-propagation document and OpenTelemetry's
//! "B3 Requirements".
//!
//! Sampling has four states here, and they may come without ids ("deny" for a request that nobody should trace). `Defer`
//! leaves the choice to the receiver: a context's sampled flag is then clear, so a sampler that follows its parent should
//! be asked only if the state is not `Defer`.
//!
//! Ids are lower-case digits. Of several lines with one name the first counts ("Multiple Headers"). The parent span id is not
//! used and never written: OpenTelemetry spans do not share an id between client and server. A broken one breaks the single
//! header that it is part of, as in Zipkin's own libraries; as a header of its own it breaks nothing, see
//! [`check_parent_span_id`].

use core::fmt;

use super::propagation::HeaderSource;
use super::text::{HeaderText, copy, cut, trim};
use crate::{SpanContext, SpanId, TraceFlags, TraceId};

/// The single header's name.
pub const NAME: &str = "b3";
/// The multi header of the trace id.
pub const TRACE_ID: &str = "x-b3-traceid";
/// The multi header of the span id.
pub const SPAN_ID: &str = "x-b3-spanid";
/// The multi header of the parent's span id, which is read only.
pub const PARENT_SPAN_ID: &str = "x-b3-parentspanid";
/// The multi header of the sampling state.
pub const SAMPLED: &str = "x-b3-sampled";
/// The multi header of the debug flag.
pub const FLAGS: &str = "x-b3-flags";

/// Which rule a B3 header broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum B3Error {
    /// No header arrived.
    Missing,
    /// The trace id is missing, not 16 or 32 lower-case hexadecimal digits, or all zero.
    TraceId,
    /// The span id is missing, not 16 lower-case hexadecimal digits, or all zero.
    SpanId,
    /// The sampling state is none of `0`, `1` and, in the single header, `d`.
    Sampling,
    /// The parent span id is not 16 lower-case hexadecimal digits, or something follows it.
    ParentSpanId,
}

impl fmt::Display for B3Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "b3: no header",
            Self::TraceId => "b3: the trace id is not 16 or 32 lower-case hexadecimal digits, or all zero",
            Self::SpanId => "b3: the span id is not 16 lower-case hexadecimal digits, or all zero",
            Self::Sampling => "b3: the sampling state is none of 0, 1 and d",
            Self::ParentSpanId => "b3: the parent span id is not 16 lower-case hexadecimal digits",
        })
    }
}

impl core::error::Error for B3Error {}

/// What was decided about recording the trace ("Sampling State").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SamplingState {
    /// Nothing yet: the receiver decides.
    #[default]
    Defer,
    /// Not to be recorded.
    Deny,
    /// To be recorded.
    Accept,
    /// To be recorded whatever it costs; implies `Accept`.
    Debug,
}

impl SamplingState {
    /// The state that a sampled flag tells.
    #[must_use]
    pub const fn from_sampled(sampled: bool) -> Self {
        if sampled { Self::Accept } else { Self::Deny }
    }

    /// Whether a context of this state has the sampled flag.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        matches!(self, Self::Accept | Self::Debug)
    }
}

/// What B3 headers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct B3Context {
    /// The caller's span; `None` if only the sampling state arrived.
    pub context: Option<SpanContext>,
    /// The sampling state.
    pub sampling: SamplingState,
}

impl B3Context {
    /// A context to send on, its state as the sampled flag has it.
    #[must_use]
    pub const fn new(context: SpanContext) -> Self {
        Self { context: Some(context), sampling: SamplingState::from_sampled(context.is_sampled()) }
    }

    fn of(trace_id: &[u8], span_id: &[u8], sampling: SamplingState) -> Result<Self, B3Error> {
        let trace_id = parse_trace_id(trace_id).ok_or(B3Error::TraceId)?;
        let span_id = SpanId::from_lower_hex(span_id).ok_or(B3Error::SpanId)?;
        let flags = TraceFlags::NONE.with_sampled(sampling.is_sampled());
        Ok(Self { context: Some(SpanContext::new(trace_id, span_id, flags).into_remote()), sampling })
    }
}

/// Reads the single header's value.
///
/// # Errors
/// The first rule that the value breaks.
///
/// ```
/// use clewline_core::b3::{self, SamplingState};
/// let read = b3::parse_single(b"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d").unwrap();
/// assert_eq!(read.sampling, SamplingState::Debug);
/// assert!(read.context.unwrap().is_sampled());
/// ```
pub fn parse_single(value: &[u8]) -> Result<B3Context, B3Error> {
    let value = trim(value);
    if let Some(sampling) = parse_state(value) {
        return Ok(B3Context { context: None, sampling });
    }
    let (trace_id, rest) = cut(value, b'-');
    let (span_id, rest) = rest.map_or((&[] as &[u8], None), |rest| cut(rest, b'-'));
    let (mut sampling, mut parent) = (SamplingState::Defer, None);
    if let Some(rest) = rest {
        let (third, fourth) = cut(rest, b'-');
        match parse_state(third) {
            Some(state) => (sampling, parent) = (state, fourth),
            // A deferred decision is left out, also before a parent span id.
            None if third.len() == 16 => parent = Some(rest),
            None => return Err(B3Error::Sampling),
        }
    }
    let read = B3Context::of(trace_id, span_id, sampling)?;
    check_parent(parent)?;
    Ok(read)
}

/// Reads the single header from all the lines of that name that arrived.
///
/// # Errors
/// `Missing`, or the first rule that the first line breaks.
pub fn extract_single<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<B3Context, B3Error> {
    lines.into_iter().next().ok_or(B3Error::Missing).and_then(parse_single)
}

/// Reads the `X-B3-*` headers. `X-B3-Sampled` may also be `true` or `false`, as before the document was written; of
/// `X-B3-Flags` only the value `1` means something.
///
/// # Errors
/// `Missing`, or the first rule that the headers break.
pub fn extract_multi(source: &(impl HeaderSource + ?Sized)) -> Result<B3Context, B3Error> {
    let first = |name| source.lines(name).next().map(trim);
    let sampled = match first(SAMPLED) {
        None => SamplingState::Defer,
        Some(b"1") => SamplingState::Accept,
        Some(b"0") => SamplingState::Deny,
        Some(value) if value.eq_ignore_ascii_case(b"true") => SamplingState::Accept,
        Some(value) if value.eq_ignore_ascii_case(b"false") => SamplingState::Deny,
        Some(_) => return Err(B3Error::Sampling),
    };
    let sampling = if first(FLAGS) == Some(b"1") { SamplingState::Debug } else { sampled };
    let (trace_id, span_id) = (first(TRACE_ID), first(SPAN_ID));
    if trace_id.is_none() && span_id.is_none() {
        let state = B3Context { context: None, sampling };
        return if sampling == SamplingState::Defer { Err(B3Error::Missing) } else { Ok(state) };
    }
    B3Context::of(trace_id.unwrap_or_default(), span_id.unwrap_or_default(), sampling)
}

/// Whether `X-B3-ParentSpanId`, if it arrived, is what it should be, for those who want to know: [`extract_multi`] does not look
/// at it.
///
/// # Errors
/// `ParentSpanId`.
pub fn check_parent_span_id(source: &(impl HeaderSource + ?Sized)) -> Result<(), B3Error> {
    check_parent(source.lines(PARENT_SPAN_ID).next().map(trim))
}

/// Reads the single header, and the `X-B3-*` headers if it is missing or breaks a rule ("B3 Extract").
///
/// # Errors
/// `Missing`, or the first rule that is broken, of the single header if it arrived.
pub fn extract(source: &(impl HeaderSource + ?Sized)) -> Result<B3Context, B3Error> {
    extract_single(source.lines(NAME)).or_else(|single| {
        extract_multi(source).map_err(|multi| if single == B3Error::Missing { multi } else { single })
    })
}

/// Writes the single header's value; `None` if there is nothing to say: no context and no decision.
#[must_use]
pub fn single(read: &B3Context) -> Option<HeaderText<51>> {
    let state: &[u8] = match read.sampling {
        SamplingState::Defer => b"",
        SamplingState::Deny => b"0",
        SamplingState::Accept => b"1",
        SamplingState::Debug => b"d",
    };
    let Some(context) = read.context else {
        return if state.is_empty() { None } else { Some(HeaderText::of(&[state])) };
    };
    let (trace_id, span_id) = (context.trace_id().to_hex(), context.span_id().to_hex());
    let dash: &[u8] = if state.is_empty() { b"" } else { b"-" };
    Some(HeaderText::of(&[&trace_id, b"-", &span_id, dash, state]))
}

/// Writes the `X-B3-*` headers, one call of `set` with name and value for each.
pub fn multi(read: &B3Context, mut set: impl FnMut(&str, &str)) {
    if let Some(context) = read.context {
        set(TRACE_ID, HeaderText::<32>::of(&[&context.trace_id().to_hex()]).as_str());
        set(SPAN_ID, HeaderText::<16>::of(&[&context.span_id().to_hex()]).as_str());
    }
    match read.sampling {
        SamplingState::Defer => {}
        SamplingState::Deny => set(SAMPLED, "0"),
        SamplingState::Accept => set(SAMPLED, "1"),
        // Debug implies the decision, so that is not sent too ("Debug Flag").
        SamplingState::Debug => set(FLAGS, "1"),
    }
}

fn parse_state(value: &[u8]) -> Option<SamplingState> {
    match value {
        b"0" => Some(SamplingState::Deny),
        b"1" => Some(SamplingState::Accept),
        b"d" => Some(SamplingState::Debug),
        _ => None,
    }
}

/// 32 digits, or 16 that are the lower half.
fn parse_trace_id(digits: &[u8]) -> Option<TraceId> {
    let mut padded = [b'0'; 32];
    if digits.len() != 16 && digits.len() != 32 {
        return None;
    }
    let start = padded.len().checked_sub(digits.len())?;
    copy(digits, padded.get_mut(start..)?);
    TraceId::from_lower_hex(&padded)
}

fn check_parent(digits: Option<&[u8]>) -> Result<(), B3Error> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match digits {
        Some(digits) if digits.len() != 16 || !digits.iter().all(is_digit) => Err(B3Error::ParentSpanId),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
