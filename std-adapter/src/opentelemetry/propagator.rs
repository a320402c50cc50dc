//! `Propagator`: Clewline's headers for those who inject and extract through the OpenTelemetry API.

use clewline_core::TraceId;
use opentelemetry::Context as OtelContext;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt as _;

use super::convert::{to_baggage, to_span_context};
use super::current;
use crate::propagation::{self, HeaderSource, Propagators, SamplingState};

/// Reads and writes the headers of [`Propagators`]: `traceparent` and `tracestate` (level 2, strictly), `baggage`, B3,
/// Jaeger (OpenTelemetry, "TextMap Propagator").
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator as _;
/// use opentelemetry::trace::TraceContextExt as _;
///
/// let propagator = clewline::opentelemetry::Propagator::from("b3,baggage".parse::<clewline::propagation::Propagators>().unwrap());
/// let headers = HashMap::from([("b3".to_owned(), "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1".to_owned())]);
/// let cx = propagator.extract(&headers);
/// assert!(cx.span().span_context().is_sampled());
/// ```
#[derive(Debug)]
pub struct Propagator {
    propagators: Propagators,
    fields: Vec<String>,
}

impl Propagator {
    /// The propagators of this process, those of `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn new() -> Self {
        Self::from(propagation::global().clone())
    }
}

impl Default for Propagator {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Propagators> for Propagator {
    fn from(propagators: Propagators) -> Self {
        let fields = propagators.fields().map(str::to_owned).collect();
        Self { propagators, fields }
    }
}

/// The trace for which a debug request arrived, which OpenTelemetry's span context cannot say.
struct Debug(TraceId);

impl TextMapPropagator for Propagator {
    fn inject_context(&self, cx: &OtelContext, injector: &mut dyn Injector) {
        let mut context = current::hand_on(cx);
        if let (Some(Debug(trace_id)), Some(span)) = (cx.get::<Debug>(), context.span_context())
            && *trace_id == span.trace_id()
        {
            context = context.with_sampling(SamplingState::Debug);
        }
        self.propagators.inject(&context, &mut |name: &str, value: &str| injector.set(name, value.to_owned()));
    }

    /// A context without a valid header stays as it is; so does its baggage.
    fn extract_with_context(&self, cx: &OtelContext, extractor: &dyn Extractor) -> OtelContext {
        let context = self.propagators.extract(&Source(extractor));
        let mut cx = cx.clone();
        if let Some(span) = context.span_context() {
            cx = cx.with_remote_span_context(to_span_context(&context));
            if context.sampling() == SamplingState::Debug {
                cx = cx.with_value(Debug(span.trace_id()));
            }
        }
        if !context.baggage().is_empty() {
            cx = cx.with_baggage(to_baggage(context.baggage()));
        }
        cx
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// What the API reads headers from. It has one spelling of each name, or knows how to find the others itself.
struct Source<'e>(&'e dyn Extractor);

impl HeaderSource for Source<'_> {
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).unwrap_or_default().into_iter().map(str::as_bytes)
    }
}
