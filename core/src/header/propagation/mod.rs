//! Contexts into and out of carriers: which headers are read, which one counts, and what happens if a rule is broken.
//!
//! A carrier is anything that has lines by name: it implements [`HeaderSource`] to be read and [`HeaderSink`] to be
//! written, each one method. [`extract`] and [`inject`] follow a list of [`Format`]s. Baggage is a concern of its own:
//! `Baggage::read(source.lines(baggage::NAME))`, and `sink.set(baggage::NAME, baggage.as_str())` unless it is empty.

use core::error::Error;

use super::b3::{self, B3Context, B3Error, SamplingState};
use super::jaeger::{self, JaegerContext, JaegerError};
use super::traceparent::{self, Traceparent, TraceparentError};
use super::tracestate::{self, TraceState, TraceStateError};
use crate::SpanContext;
use crate::storage::Storage;

/// A carrier that can be read.
#[diagnostic::on_unimplemented(
    message = "no trace headers can be read from `{Self}`",
    note = "the crate `clewline` reads an `http::HeaderMap` by `http::extract(&headers)`, a map of texts through `propagation::carrier::map(&map)`"
)]
pub trait HeaderSource {
    /// The values of all headers called `name`, in the order in which they arrived. `name` is given in lower case; where
    /// names have no case, as in HTTP, any spelling of it counts.
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;

    /// Names and values of all headers whose name begins with `prefix`, in lower case, in the order in which they arrived.
    /// Carriers that cannot list what they hold have none.
    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let _ = prefix;
        core::iter::empty()
    }
}

/// Pairs of name and value, in order; names have no case.
impl<N: AsRef<str>, V: AsRef<[u8]>> HeaderSource for [(N, V)] {
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(key, _)| key.as_ref().eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
    }

    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let has_prefix =
            move |key: &str| key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        self.iter().filter(move |(key, _)| has_prefix(key.as_ref())).map(|(key, value)| (key.as_ref(), value.as_ref()))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LENGTH: usize> HeaderSource for [(N, V); LENGTH] {
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().lines(name)
    }

    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.as_slice().with_prefix(prefix)
    }
}

/// A carrier that can be written.
#[diagnostic::on_unimplemented(
    message = "no trace headers can be written to `{Self}`",
    note = "the crate `clewline` writes to an `http::HeaderMap` through `http::sink(&mut headers)`, to a map of texts through `propagation::carrier::map_mut(&mut map)`"
)]
pub trait HeaderSink {
    /// Sets the header called `name`, in lower case, to `value`, ASCII. What it was before goes.
    fn set(&mut self, name: &str, value: &str);
}

impl<F: FnMut(&str, &str)> HeaderSink for F {
    fn set(&mut self, name: &str, value: &str) {
        self(name, value);
    }
}

/// A way to write a context as headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `traceparent` and `tracestate` (W3C Trace Context level 2).
    TraceContext,
    /// B3: one header written, one or several read.
    B3,
    /// B3: several headers written, one or several read.
    B3Multi,
    /// `uber-trace-id`.
    Jaeger,
}

impl Format {
    /// The format by its name in `OTEL_PROPAGATORS`: `tracecontext`, `b3`, `b3multi`, `jaeger`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "tracecontext" => Some(Self::TraceContext),
            "b3" => Some(Self::B3),
            "b3multi" => Some(Self::B3Multi),
            "jaeger" => Some(Self::Jaeger),
            _ => None,
        }
    }

    /// The names that [`inject`] may set: a carrier that is used again should be cleared of them first.
    #[must_use]
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::TraceContext => &[traceparent::NAME, tracestate::NAME],
            Self::B3 => &[b3::NAME],
            Self::B3Multi => &[b3::TRACE_ID, b3::SPAN_ID, b3::SAMPLED, b3::FLAGS],
            Self::Jaeger => &[jaeger::NAME],
        }
    }
}

/// The rules that were broken by headers that arrived; a header that did not arrive broke none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PropagationErrors {
    /// Of `traceparent`: no context, and `tracestate` is not read.
    pub traceparent: Option<TraceparentError>,
    /// Of `tracestate`: the context stays, the list is empty.
    pub tracestate: Option<TraceStateError>,
    /// Of the B3 headers.
    pub b3: Option<B3Error>,
    /// Of `uber-trace-id`.
    pub jaeger: Option<JaegerError>,
}

impl PropagationErrors {
    /// The errors there are.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Error> {
        let errors: [Option<&dyn Error>; 4] = [
            self.traceparent.as_ref().map(|error| error as _),
            self.tracestate.as_ref().map(|error| error as _),
            self.b3.as_ref().map(|error| error as _),
            self.jaeger.as_ref().map(|error| error as _),
        ];
        errors.into_iter().flatten()
    }
}

/// What arrived.
#[derive(Clone, Debug, Default)]
pub struct Extracted<S: Storage> {
    /// The caller's span; `None` starts a new trace.
    pub context: Option<SpanContext>,
    /// What was decided about recording. `Defer` beside a context leaves that to the receiver; beside no context it only
    /// says that nobody asked for anything.
    pub sampling: SamplingState,
    /// The list that came with the context; empty without one.
    pub trace_state: TraceState<S>,
    /// What was wrong.
    pub errors: PropagationErrors,
}

/// What leaves.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The span that makes the call.
    pub context: SpanContext,
    /// Its list; empty if there is none.
    pub trace_state: &'a str,
    /// Whether a debug request arrived, which B3 and Jaeger pass on ("B3 Extract").
    pub debug: bool,
}

/// Reads the headers of all `formats`, in order. As with OpenTelemetry's composite propagator each may overrule those
/// before it; what one does not find or finds broken leaves the context as it is.
///
/// The list of `tracestate` stays with its trace: it goes if a later format names another one.
///
/// ```
/// use clewline_core::propagation::{Extracted, Format, extract};
/// let headers = [
///     ("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
///     ("Tracestate", "congo=t61rcWkgMzE"),
/// ];
/// let extracted: Extracted<heapless::Vec<u8, 512>> = extract(&[Format::TraceContext], &headers);
/// assert!(extracted.context.unwrap().is_sampled());
/// assert_eq!(extracted.trace_state.get("congo"), Some("t61rcWkgMzE"));
/// ```
pub fn extract<S: Storage + Default>(formats: &[Format], source: &(impl HeaderSource + ?Sized)) -> Extracted<S> {
    let mut extracted = Extracted::default();
    for format in formats {
        match format {
            Format::TraceContext => extracted.read_trace_context(source),
            Format::B3 | Format::B3Multi => extracted.read_b3(source),
            Format::Jaeger => extracted.read_jaeger(source),
        }
    }
    extracted
}

impl<S: Storage + Default> Extracted<S> {
    /// An invalid `traceparent` discards `tracestate`, an invalid `tracestate` only itself (section 3.3).
    fn read_trace_context(&mut self, source: &(impl HeaderSource + ?Sized)) {
        match traceparent::extract(source.lines(traceparent::NAME)) {
            Ok(context) => {
                self.take(context, SamplingState::from_sampled(context.is_sampled()));
                match TraceState::read(source.lines(tracestate::NAME)) {
                    Ok(list) => self.trace_state = list,
                    Err(error) => self.errors.tracestate = Some(error),
                }
            }
            Err(TraceparentError::Missing) => {}
            Err(error) => self.errors.traceparent = Some(error),
        }
    }

    fn read_b3(&mut self, source: &(impl HeaderSource + ?Sized)) {
        let read = b3::extract_single(source.lines(b3::NAME)).or_else(|error| {
            self.note_b3(error);
            let read = b3::extract_multi(source)?;
            // Told, and of no consequence.
            b3::check_parent_span_id(source).unwrap_or_else(|error| self.note_b3(error));
            Ok(read)
        });
        match read {
            Ok(B3Context { context: Some(context), sampling }) => self.take(context, sampling),
            // A decision without ids is about a trace that is still to start.
            Ok(B3Context { context: None, sampling }) if self.context.is_none() => self.sampling = sampling,
            Ok(_) => {}
            Err(error) => self.note_b3(error),
        }
    }

    fn note_b3(&mut self, error: B3Error) {
        if error != B3Error::Missing {
            self.errors.b3 = self.errors.b3.or(Some(error));
        }
    }

    fn read_jaeger(&mut self, source: &(impl HeaderSource + ?Sized)) {
        match jaeger::extract(source.lines(jaeger::NAME)) {
            Ok(JaegerContext { context, debug: true }) => self.take(context, SamplingState::Debug),
            Ok(JaegerContext { context, .. }) => {
                self.take(context, SamplingState::from_sampled(context.is_sampled()));
            }
            Err(JaegerError::Missing) => {}
            Err(error) => self.errors.jaeger = Some(error),
        }
    }

    fn take(&mut self, context: SpanContext, sampling: SamplingState) {
        let mut context = context;
        match self.context {
            // Other formats cannot say that a trace id is random; what the W3C header said of it stays true.
            Some(known) if known.trace_id() == context.trace_id() => {
                let flags = context.flags().with_random(known.flags().is_random() || context.flags().is_random());
                context = SpanContext::new(context.trace_id(), context.span_id(), flags).into_remote();
            }
            _ => self.trace_state.clear(),
        }
        self.context = Some(context);
        self.sampling = sampling;
    }
}

/// Writes the headers of all `formats`.
///
/// An empty `tracestate` is not sent (section 3.3.2: vendors should avoid it).
pub fn inject(formats: &[Format], outgoing: &Outgoing<'_>, sink: &mut (impl HeaderSink + ?Sized)) {
    let context = outgoing.context;
    let mut b3_context = B3Context::new(context);
    if outgoing.debug {
        b3_context.sampling = SamplingState::Debug;
    }
    for format in formats {
        match format {
            Format::TraceContext => {
                sink.set(traceparent::NAME, Traceparent::new(context).as_str());
                if !outgoing.trace_state.is_empty() {
                    sink.set(tracestate::NAME, outgoing.trace_state);
                }
            }
            Format::B3 => {
                if let Some(value) = b3::single(&b3_context) {
                    sink.set(b3::NAME, value.as_str());
                }
            }
            Format::B3Multi => b3::multi(&b3_context, |name, value| sink.set(name, value)),
            Format::Jaeger => {
                sink.set(jaeger::NAME, jaeger::value(&JaegerContext { context, debug: outgoing.debug }).as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests;
