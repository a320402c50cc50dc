//! `SpanContext`: the part of a span that travels to other processes.

use core::fmt;
use core::num::NonZeroUsize;

use crate::{SpanId, TraceId};

/// The W3C trace flags: bit 0 sampled, bit 1 random trace id; all other bits are reserved and kept zero
/// (W3C Trace Context level 2, section 3.2.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// No flag set.
    pub const NONE: Self = Self(0);
    /// The caller may have recorded this trace.
    pub const SAMPLED: Self = Self(1);
    /// At least the right-most 56 bits of the trace id are random.
    pub const RANDOM: Self = Self(2);

    /// Keeps the two known flags; unknown bits are ignored, as level 2 asks.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 3)
    }

    /// The flags as the header's byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the sampled flag is set.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether the random-trace-id flag is set.
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & 2 != 0
    }

    /// The same flags with the sampled flag set or cleared.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self((self.0 & !1) | sampled as u8)
    }

    /// The same flags with the random flag set or cleared.
    #[must_use]
    pub const fn with_random(self, random: bool) -> Self {
        Self((self.0 & !2) | ((random as u8) << 1))
    }
}

/// Names one span of one trace. Always valid: "no context" is `Option::<SpanContext>::None`, at no cost in size.
///
/// The tracestate list travels beside it, not inside, so that a context stays small and `Copy`.
///
/// ```
/// use clewline_core::{SpanContext, SpanId, TraceFlags, TraceId};
/// let trace_id = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
/// let span_id = SpanId::from_hex("b7ad6b7169203331").unwrap();
/// let context = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED);
/// assert!(context.is_sampled() && !context.is_remote());
/// assert_eq!(size_of::<Option<SpanContext>>(), 32);
/// ```
// Four whole words without padding: copies stay in registers, where single bytes would go through memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    /// OTLP's flags: the W3C flags in bits 0 to 7, bit 8 always set ("is remote" is known), bit 9 whether it is remote.
    flags: NonZeroUsize,
}

/// A parent's context without the trace, which it shares with its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParentContext {
    span_id: SpanId,
    flags: NonZeroUsize,
}

impl ParentContext {
    #[inline]
    pub(crate) const fn span_id(&self) -> SpanId {
        self.span_id
    }

    #[inline]
    pub(crate) const fn is_remote(&self) -> bool {
        self.flags.get() & IS_REMOTE != 0
    }

    pub(crate) const fn in_trace(&self, trace_id: TraceId) -> SpanContext {
        SpanContext { trace_id, span_id: self.span_id, flags: self.flags }
    }
}

const REMOTE_IS_KNOWN: usize = 0x100;
const IS_REMOTE: usize = 0x200;

impl SpanContext {
    /// A context made in this process.
    #[must_use]
    #[inline]
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self::with_bits(trace_id, span_id, flags.bits() as usize)
    }

    /// A context received from another process.
    #[inline]
    pub(crate) const fn remote(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self::with_bits(trace_id, span_id, flags.bits() as usize | IS_REMOTE)
    }

    /// The same context, marked as received from another process.
    #[must_use]
    pub const fn into_remote(self) -> Self {
        Self::with_bits(self.trace_id, self.span_id, self.flags.get() | IS_REMOTE)
    }

    #[inline]
    const fn with_bits(trace_id: TraceId, span_id: SpanId, bits: usize) -> Self {
        let flags = match NonZeroUsize::new(bits | REMOTE_IS_KNOWN) {
            Some(flags) => flags,
            // Bit 8 is set, so this is never reached; the type wants an answer.
            None => NonZeroUsize::MIN,
        };
        Self { trace_id, span_id, flags }
    }

    /// What a child keeps of this context. The trace is its own.
    #[inline]
    pub(crate) const fn as_parent(&self) -> ParentContext {
        ParentContext { span_id: self.span_id, flags: self.flags }
    }

    /// The trace.
    #[must_use]
    #[inline]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span within the trace.
    #[must_use]
    #[inline]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The W3C trace flags.
    #[must_use]
    #[inline]
    pub const fn flags(&self) -> TraceFlags {
        TraceFlags::from_bits(self.flags.get().to_le_bytes()[0])
    }

    /// Whether the sampled flag is set.
    #[must_use]
    #[inline]
    pub const fn is_sampled(&self) -> bool {
        self.flags().is_sampled()
    }

    /// Whether the context arrived from another process (OpenTelemetry trace API, "IsRemote").
    #[must_use]
    #[inline]
    pub const fn is_remote(&self) -> bool {
        self.flags.get() & IS_REMOTE != 0
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SpanContext")
            .field("trace_id", &self.trace_id)
            .field("span_id", &self.span_id)
            .field("flags", &self.flags())
            .field("is_remote", &self.is_remote())
            .finish()
    }
}
