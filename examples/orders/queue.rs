//! A message queue with headers of bytes, as Kafka's and NATS's are: the publisher's context travels in them.

use clewline::SpanExt as _;
use clewline::propagation::{self, carrier};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span, info_span};

/// What goes through the queue.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// Names and values.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The content.
    pub(crate) body: Vec<u8>,
}

/// The end that messages go in at.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    destination: &'static str,
    sender: mpsc::Sender<Message>,
}

/// The end that they come out of.
#[derive(Debug)]
pub(crate) struct Consumer {
    destination: &'static str,
    receiver: mpsc::Receiver<Message>,
}

/// A queue of this name.
pub(crate) fn queue(destination: &'static str) -> (Publisher, Consumer) {
    let (sender, receiver) = mpsc::channel(100);
    (Publisher { destination, sender }, Consumer { destination, receiver })
}

impl Publisher {
    /// Sends a message as a producer span, whose context it takes along.
    pub(crate) async fn publish(&self, body: Vec<u8>) {
        let span = info_span!(
            "send",
            otel.name = format!("send {}", self.destination),
            otel.kind = "producer",
            messaging.system = "in-memory",
            messaging.operation.name = "send",
            messaging.operation.r#type = "send",
            messaging.destination.name = self.destination,
        );
        let mut message = Message { headers: Vec::new(), body };
        propagation::global().inject(&span.hand_on(), &mut carrier::pairs_mut(&mut message.headers));
        // A consumer that has gone takes no more orders; that is a matter of the shop's, not of tracing.
        let _ = self.sender.send(message).instrument(span).await;
    }
}

impl Consumer {
    /// The next message; `None` when all publishers have gone.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.receiver.recv().await
    }

    /// Works on a message within a consumer span, a child of the publisher's.
    pub(crate) async fn process<F: Future<Output = ()>>(&self, message: Message, work: impl FnOnce(Message) -> F) {
        let span = info_span!(
            parent: Span::none(),
            "process",
            otel.name = format!("process {}", self.destination),
            otel.kind = "consumer",
            messaging.system = "in-memory",
            messaging.operation.name = "process",
            messaging.operation.r#type = "process",
            messaging.destination.name = self.destination,
        );
        span.set_parent(propagation::global().extract(message.headers.as_slice()));
        work(message).instrument(span).await;
    }
}
