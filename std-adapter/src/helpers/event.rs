//! `event_span`: a message on its way through a queue or topic.

use clewline_core::propagation::{HeaderSink, HeaderSource};
use clewline_core::{Link, SpanKind, Value};

use super::own_tracer;
use crate::{Context, Span, propagation};

/// A message to be sent to `destination`, a queue or topic, or received from it (semantic conventions, "Messaging spans").
/// `system` is the name of `messaging.system`: `kafka`, `rabbitmq`, `aws_sqs` and so on.
///
/// The span's context travels in the headers of the message, as the propagators of the process write it.
///
/// ```
/// use clewline::helpers::event_span;
/// use clewline::propagation::carrier;
///
/// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
/// let producer = event_span("orders", "kafka").send(&mut carrier::pairs_mut(&mut headers));
/// // … elsewhere, when the message has arrived:
/// let consumer = event_span("orders", "kafka").process(headers.as_slice());
/// # assert_eq!(consumer.context().map(|c| c.trace_id()), producer.context().map(|c| c.trace_id()));
/// ```
#[must_use]
pub const fn event_span<'a>(destination: &'a str, system: &'a str) -> EventSpan<'a> {
    EventSpan { destination, system }
}

/// A message to be sent or received; made by [`event_span`].
#[derive(Clone, Copy, Debug)]
pub struct EventSpan<'a> {
    destination: &'a str,
    system: &'a str,
}

impl EventSpan<'_> {
    /// Starts the span of the producer, `send orders`, a child of the current span, and writes its context into the headers.
    #[must_use = "a span that is not kept ends at once"]
    pub fn send(self, headers: &mut (impl HeaderSink + ?Sized)) -> Span {
        let span = self.start("send", SpanKind::Producer, None, None);
        propagation::global().inject(&span.hand_on(), headers);
        span
    }

    /// Starts the span of the consumer, `process orders`, in the trace of the producer. Without a valid context in the headers
    /// it is a child of the current span.
    #[must_use = "a span that is not kept ends at once"]
    pub fn process(self, headers: &(impl HeaderSource + ?Sized)) -> Span {
        let producer = propagation::global().extract(headers);
        let parent = producer.span_context().is_some().then_some(producer);
        self.start("process", SpanKind::Consumer, parent, None)
    }

    /// Starts the span of the consumer, `process orders`, as a child of the current span with a link to the producer's: for
    /// batches, and for consumers that work in a trace of their own. The producer's baggage stays behind.
    #[must_use = "a span that is not kept ends at once"]
    pub fn process_linked(self, headers: &(impl HeaderSource + ?Sized)) -> Span {
        let producer = propagation::global().extract(headers);
        self.start("process", SpanKind::Consumer, None, Some(&producer))
    }

    fn start(self, operation: &str, kind: SpanKind, parent: Option<Context>, linked: Option<&Context>) -> Span {
        let Self { destination, system } = self;
        let attributes = [
            ("messaging.system", Value::from(system)),
            ("messaging.destination.name", destination.into()),
            ("messaging.operation.name", operation.into()),
            ("messaging.operation.type", operation.into()),
        ];
        let link = linked
            .and_then(|linked| Some(Link { trace_state: linked.trace_state(), ..Link::from(linked.span_context()?) }));
        let name = format!("{operation} {destination}");
        let mut builder = own_tracer().span(&name).kind(kind).attributes(&attributes).links(link.as_slice());
        if let Some(parent) = parent {
            builder = builder.child_of(parent);
        }
        builder.start()
    }
}
