//! The cases that are measured, and the state a process must be in for each.

/// One column of timings; the letters are those of the printed table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Case {
    /// a: start and end a root span without attributes.
    Root,
    /// b: a root span with one child that carries [four attributes](crate::workload::CHILD_ATTRIBUTES).
    RootAndChild,
    /// c: a root span with a hundred children, one after the other.
    HundredChildren,
    /// d: start and end a root span that the sampler refuses.
    SampledOut,
    /// Start and end a root span while the library has nowhere to send spans.
    NotInstalled,
    /// e: add an event without attributes to a live span.
    AddEvent,
    /// f: encode 512 finished spans with 8 attributes each as one OTLP protobuf request.
    Encode,
    /// g1: parse a `traceparent` header into the library's context.
    ParseTraceparent,
    /// g2: format the library's context as a `traceparent` header.
    FormatTraceparent,
}

impl Case {
    /// Every case, in the order of the table's columns.
    pub const ALL: [Self; 9] = [
        Self::Root,
        Self::RootAndChild,
        Self::HundredChildren,
        Self::SampledOut,
        Self::NotInstalled,
        Self::AddEvent,
        Self::Encode,
        Self::ParseTraceparent,
        Self::FormatTraceparent,
    ];

    /// The column's heading, also the case's name between parent and worker.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Root => "a",
            Self::RootAndChild => "b",
            Self::HundredChildren => "c",
            Self::SampledOut => "d",
            Self::NotInstalled => "not installed",
            Self::AddEvent => "e",
            Self::Encode => "f (µs)",
            Self::ParseTraceparent => "g1",
            Self::FormatTraceparent => "g2",
        }
    }

    /// The case whose [label](Self::label) this is.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.label() == label)
    }

    /// How many nanoseconds make one unit of the column.
    #[must_use]
    pub const fn nanoseconds_per_unit(self) -> f64 {
        match self {
            Self::Encode => 1000.0,
            _ => 1.0,
        }
    }

    /// The state the library must be in.
    #[must_use]
    pub const fn mode(self) -> Mode {
        match self {
            Self::SampledOut => Mode::SampledOut,
            Self::NotInstalled => Mode::NotInstalled,
            _ => Mode::Recording,
        }
    }

    /// Whether an iteration starts spans, so that what arrives can be checked.
    #[must_use]
    pub const fn starts_spans(self) -> bool {
        self.spans() > 0 || matches!(self, Self::SampledOut)
    }

    /// Finished spans that one iteration hands over.
    #[must_use]
    pub const fn spans(self) -> u64 {
        match self {
            Self::Root => 1,
            Self::RootAndChild => 2,
            Self::HundredChildren => 101,
            _ => 0,
        }
    }

    /// Attributes on the spans that one iteration hands over.
    #[must_use]
    pub const fn attributes(self) -> u64 {
        match self {
            Self::RootAndChild => 4,
            _ => 0,
        }
    }
}

/// The state of a library's process-wide parts; each has a process of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Everything is recorded and handed over.
    Recording,
    /// A sampler refuses every trace.
    SampledOut,
    /// The application never installed the library.
    NotInstalled,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Recording, Self::SampledOut, Self::NotInstalled];

    /// The mode's name between parent and worker.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::SampledOut => "sampled-out",
            Self::NotInstalled => "not-installed",
        }
    }

    /// The mode whose [label](Self::label) this is.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.label() == label)
    }
}
