//! Reading the server's stream of changes (WHATWG HTML, "Server-sent events").

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;

use super::client::{Endpoint, RequestError};

/// The server gives a sign of life every 10 seconds; without one for this long, it is gone.
const SILENCE: Duration = Duration::from_secs(35);

/// Something the server told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A trace changed.
    Trace(TraceChanged),
    /// So many traces changed that this number of them was not told.
    Skipped(u64),
}

/// The data of a `trace` event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct TraceChanged {
    /// The trace's id in hex.
    pub(super) trace_id: String,
    /// Whether its root has arrived.
    pub(super) root_received: bool,
}

#[derive(Deserialize)]
struct Skipped {
    traces: u64,
}

/// An open stream.
pub(super) struct Follower {
    body: Incoming,
    parser: Parser,
}

impl Follower {
    /// Opens the stream, from where an earlier one ended if its last event id is given.
    pub(super) async fn connect(endpoint: &Endpoint, last_event_id: Option<&str>) -> Result<Self, RequestError> {
        let headers: Vec<_> = last_event_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = endpoint.open("/api/stream", &headers).await?;
        Ok(Self { body: response.into_body(), parser: Parser::default() })
    }

    /// The next event; `None` when the stream has ended. Nothing is lost when this is cancelled.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.parser.next() {
                return Some(event);
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await.ok()??.ok()?;
            if let Some(data) = frame.data_ref() {
                self.parser.feed(data);
            }
        }
    }

    /// The id from which a later stream can go on.
    pub(super) fn last_event_id(&self) -> Option<String> {
        self.parser.last_event_id.clone()
    }
}

/// Puts events together from pieces of the stream.
#[derive(Debug, Default)]
struct Parser {
    unread: Vec<u8>,
    name: String,
    data: String,
    last_event_id: Option<String>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next complete event of a kind this program knows.
    fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Some(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.name),
                "data" => self.data.push_str(value),
                "id" => self.last_event_id = Some(value.to_owned()),
                // Comments, which are signs of life, have an empty field name.
                _ => {}
            }
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        match name.as_str() {
            "trace" => serde_json::from_str(&data).ok().map(Event::Trace),
            "skipped" => serde_json::from_str::<Skipped>(&data).ok().map(|skipped| Event::Skipped(skipped.traces)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_pieces() {
        let stream = concat!(
            "event: hello\nid: 7-0\ndata: {}\n\n",
            ": sign of life\n\n",
            "event: skipped\ndata: {\"traces\":3}\n\n",
            "event: trace\r\ndata: {\"trace_id\":\"ab\",\"root_received\":true,\"later\":1}\r\nid: 7-9\r\n\r\n",
            "event: of the future\ndata: {}\n\n",
            "event: trace\ndata: {\"trace_id\":\"never completed",
        );
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                parser.feed(piece);
                events.extend(std::iter::from_fn(|| parser.next()));
            }
            let changed = TraceChanged { trace_id: "ab".to_owned(), root_received: true };
            assert_eq!(events, [Event::Skipped(3), Event::Trace(changed)], "in pieces of {size}");
            assert_eq!(parser.last_event_id.as_deref(), Some("7-9"));
        }
    }
}
