//! `SpanKind`: the role a span plays in a call.

/// The role of a span (OpenTelemetry trace API, "SpanKind"); the numbers are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SpanKind {
    /// Not said. Only seen on spans made by others: a Clewline span has a kind.
    Unspecified = 0,
    /// Work inside an application, the default.
    #[default]
    Internal = 1,
    /// Handles a request that somebody waits for.
    Server = 2,
    /// Sends a request and waits for its answer.
    Client = 3,
    /// Hands a message over without waiting for its consumer.
    Producer = 4,
    /// Handles a message that a producer handed over.
    Consumer = 5,
}

impl SpanKind {
    /// The kind with this OTLP number; numbers that OTLP does not define read as `Unspecified`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    /// The kind's name in capitals, as OpenTelemetry writes it: `SERVER`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }
}
