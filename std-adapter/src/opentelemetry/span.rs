//! `Span`: the OpenTelemetry API's span, recorded by Clewline.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, Status};

use super::convert::{from_context, from_status, from_time, to_span_context, with_attributes, with_value};
use super::visit;
use crate::Span as NativeSpan;

/// How far the system's clock may lag behind the span's own, in nanoseconds, before an end is believed to lie before the start.
const CLOCK_SKEW: u64 = 1_000_000;

/// A span that was started through the OpenTelemetry API (OpenTelemetry trace API, "Span").
#[derive(Debug)]
pub struct Span {
    native: NativeSpan,
    context: SpanContext,
    /// The start was the caller's, not our clock's.
    is_start_given: bool,
}

impl Span {
    pub(super) fn new(native: NativeSpan, is_start_given: bool) -> Self {
        let context = to_span_context(&native.hand_on());
        Self { native, context, is_start_given }
    }

    /// A span that records nothing and has no context.
    pub(super) fn none() -> Self {
        Self::new(NativeSpan::none(), false)
    }
}

impl opentelemetry::trace::Span for Span {
    fn add_event<T: Into<Cow<'static, str>>>(&mut self, name: T, attributes: Vec<KeyValue>) {
        with_attributes(&attributes, |attributes| {
            self.native.event_with(&name.into(), attributes);
        });
    }

    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) {
        with_attributes(&attributes, |attributes| {
            self.native.event_at(&name.into(), from_time(timestamp), attributes);
        });
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        visit::present();
        self.native.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if attribute.key.as_str().is_empty() && visit::receive(&mut self.native) {
            return;
        }
        with_value(&attribute.value, |value| {
            self.native.set(attribute.key.as_str(), value);
        });
    }

    fn set_status(&mut self, status: Status) {
        self.native.set_status(from_status(&status));
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        self.native.set_name(&new_name.into());
    }

    /// A link to an invalid context leads nowhere: it is refused, and counted.
    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        let context = from_context(&span_context);
        let Some(span) = context.span_context() else {
            if let Some(recording) = self.native.recording() {
                recording.span.count_refused_links(1);
            }
            return;
        };
        with_attributes(&attributes, |attributes| {
            let trace_state = context.trace_state();
            self.native.add_link(&clewline_core::Link { context: span, trace_state, attributes });
        });
    }

    fn end(&mut self) {
        self.native.end();
    }

    /// The API ends spans that it keeps in boxes with the system's time, which may lie a little before a start by our clock:
    /// such a span takes no time at all, rather than a negative one.
    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        let end = from_time(timestamp);
        let end = match self.native.start_time() {
            Some(start) if !self.is_start_given && end < start && start - end < CLOCK_SKEW => start,
            _ => end,
        };
        self.native.end_at(end);
    }
}
