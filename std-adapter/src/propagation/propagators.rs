//! `Propagators`: the list of formats that are read and written.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use clewline_core::b3::SamplingState;
use clewline_core::baggage::{self, BaggageError};
use clewline_core::propagation::{self, Extracted, Format, HeaderSink, HeaderSource, Outgoing, PropagationErrors};

use super::percent::decoded;
use crate::current::{Baggage, Context};
use crate::pipeline::GrowingBuffer;

/// What is read and written, in order (OpenTelemetry, "Composite Propagator"): when reading, later formats overrule
/// earlier ones. `jaeger` includes Jaeger's own baggage, a header `uberctx-<key>` for each entry.
///
/// ```
/// use clewline::propagation::Propagators;
/// let propagators: Propagators = "b3multi,baggage".parse().unwrap();
/// assert!(propagators.fields().any(|name| name == "x-b3-traceid"));
/// assert!("b3multi,pigeon".parse::<Propagators>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Propagators {
    formats: Vec<Format>,
    baggage: bool,
}

impl Default for Propagators {
    /// `tracecontext,baggage`.
    fn default() -> Self {
        Self { formats: vec![Format::TraceContext], baggage: true }
    }
}

/// A name that stands for no propagator here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPropagator {
    name: String,
}

impl UnknownPropagator {
    /// The name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for UnknownPropagator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        write!(formatter, "`{name}` is none of tracecontext, baggage, b3, b3multi, jaeger and none")
    }
}

impl Error for UnknownPropagator {}

/// What a carrier held, and what was wrong in it.
#[derive(Clone, Debug, Default)]
pub struct Extraction {
    /// What arrived.
    pub context: Context,
    /// The rules that headers broke.
    pub errors: PropagationErrors,
    /// The first rule that a member of the baggage broke. The other members arrived.
    pub baggage_error: Option<BaggageError>,
    /// How many well-formed members of the baggage were left out, because 64 members or 8192 bytes were full (W3C Baggage,
    /// section 3.3.2). It is told here, because a context that took none of them has no baggage to tell it.
    pub baggage_dropped: u32,
}

impl Extraction {
    /// The errors there are.
    pub fn errors(&self) -> impl Iterator<Item = &dyn Error> {
        self.errors.iter().chain(self.baggage_error.as_ref().map(|error| error as _))
    }
}

impl Propagators {
    /// Nothing is read or written.
    #[must_use]
    pub const fn none() -> Self {
        Self { formats: Vec::new(), baggage: false }
    }

    /// Propagators by their names in `OTEL_PROPAGATORS`: `tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger`, and `none`,
    /// which adds nothing. Names are read in any case, and one that stands twice counts once.
    ///
    /// # Errors
    /// The first name that is none of these.
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, UnknownPropagator> {
        let mut propagators = Self::none();
        for name in names {
            let known = name.to_ascii_lowercase();
            match (known.as_str(), Format::from_name(&known)) {
                ("baggage", _) => propagators.baggage = true,
                ("none", _) => {}
                (_, Some(format)) if propagators.formats.contains(&format) => {}
                (_, Some(format)) => propagators.formats.push(format),
                (_, None) => return Err(UnknownPropagator { name: name.to_owned() }),
            }
        }
        Ok(propagators)
    }

    /// The formats that contexts are read and written in.
    #[must_use]
    pub fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// Whether baggage is read and written.
    #[must_use]
    pub const fn has_baggage(&self) -> bool {
        self.baggage
    }

    /// The names of the headers that may be written, in lower case: a carrier that is used again should be cleared of them.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.parts().flat_map(Part::fields).copied()
    }

    /// Reads what arrived. What is broken is left out, by the rules of each format; [`read`](Self::read) tells it.
    #[must_use]
    pub fn extract(&self, source: &(impl HeaderSource + ?Sized)) -> Context {
        self.read(source).context
    }

    /// Reads what arrived, and what was wrong with it.
    #[must_use]
    pub fn read(&self, source: &(impl HeaderSource + ?Sized)) -> Extraction {
        let extracted: Extracted<GrowingBuffer> = propagation::extract(&self.formats, source);
        let mut context = Context::new(extracted.context).with_sampling(extracted.sampling);
        context = context.with_trace_state(extracted.trace_state.as_str());
        let mut baggage = if self.baggage { Baggage::read(source.lines(baggage::NAME)) } else { Baggage::default() };
        let mut baggage_error = baggage.error();
        let mut baggage_dropped = baggage.dropped();
        if self.formats.contains(&Format::Jaeger) {
            for (name, value) in source.with_prefix(JAEGER_BAGGAGE) {
                let set = baggage.set(name.get(JAEGER_BAGGAGE.len()..).unwrap_or_default(), &decoded(value));
                baggage_dropped = baggage_dropped.saturating_add(u32::from(set == Err(BaggageError::Full)));
                baggage_error = baggage_error.or(set.err());
            }
        }
        context = context.with_baggage(baggage);
        Extraction { context, errors: extracted.errors, baggage_error, baggage_dropped }
    }

    /// Writes what is to leave. A context without a span leaves only its baggage.
    pub fn inject(&self, context: &Context, sink: &mut (impl HeaderSink + ?Sized)) {
        for part in self.parts() {
            part.inject(context, sink);
        }
    }

    /// Each by itself.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let formats = self.formats.iter().copied().map(Part::Format);
        formats.chain(self.baggage.then_some(Part::Baggage))
    }
}

/// One of several propagators.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Format(Format),
    Baggage,
}

impl Part {
    /// The names of the headers that it may write.
    pub(crate) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Format(format) => format.fields(),
            Self::Baggage => &[baggage::NAME],
        }
    }

    /// Writes what is to leave.
    pub(crate) fn inject(self, context: &Context, sink: &mut (impl HeaderSink + ?Sized)) {
        match (self, context.span_context()) {
            (Self::Format(format), Some(span)) => {
                let debug = context.sampling() == SamplingState::Debug;
                if format == Format::Jaeger {
                    inject_jaeger_baggage(context, sink);
                }
                propagation::inject(
                    &[format],
                    &Outgoing { context: span, trace_state: context.trace_state(), debug },
                    sink,
                );
            }
            (Self::Format(Format::Jaeger), None) => inject_jaeger_baggage(context, sink),
            (Self::Format(_), None) => {}
            (Self::Baggage, _) if context.baggage().is_empty() => {}
            (Self::Baggage, _) => sink.set(baggage::NAME, context.baggage().as_str()),
        }
    }
}

/// What stands before the keys of Jaeger's baggage, one header each (Jaeger client libraries, "Propagation Format: Baggage").
const JAEGER_BAGGAGE: &str = "uberctx-";

fn inject_jaeger_baggage(context: &Context, sink: &mut (impl HeaderSink + ?Sized)) {
    for member in context.baggage().iter() {
        sink.set(&format!("{JAEGER_BAGGAGE}{}", member.key()), member.value().as_encoded());
    }
}

impl FromStr for Propagators {
    type Err = UnknownPropagator;

    /// Reads a list with commas, as `OTEL_PROPAGATORS` has it. Empty parts are skipped.
    fn from_str(list: &str) -> Result<Self, UnknownPropagator> {
        Self::from_names(list.split(',').map(str::trim).filter(|name| !name.is_empty()))
    }
}

static GLOBAL: OnceLock<Propagators> = OnceLock::new();

/// The propagators of this process: those that [`init`](crate::init) found configured, or the default.
#[must_use]
pub fn global() -> &'static Propagators {
    static DEFAULT: OnceLock<Propagators> = OnceLock::new();
    GLOBAL.get().unwrap_or_else(|| DEFAULT.get_or_init(Propagators::default))
}

/// Those that were [set](set_global), if any were: a program that sets none need not have more than W3C's linked.
#[must_use]
pub fn chosen() -> Option<&'static Propagators> {
    GLOBAL.get()
}

/// Makes `propagators` those that [`global`] answers; call it before [`init`](crate::init), which otherwise sets those of the
/// configuration. False if there are some already.
pub fn set_global(propagators: Propagators) -> bool {
    GLOBAL.set(propagators).is_ok()
}
