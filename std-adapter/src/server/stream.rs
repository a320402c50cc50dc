//! `GET /api/stream`: tells of changed traces as Server-Sent Events, coalesced so that a flood cannot swamp a page.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Serialize;
use tokio::sync::watch;

use super::render::Text;
use super::store::{Changes, Store};

/// How long changes are gathered before they are told.
const GATHER: Duration = Duration::from_millis(150);

/// How many traces are told of at a time; of more, only the number.
const MOST_TRACES: usize = 200;

/// How often a connection without news gets a sign of life, so that both ends notice when it is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What the stream needs: the store, and word of the server's end.
#[derive(Clone, Debug)]
pub(super) struct StreamState {
    /// The store.
    pub(super) store: Arc<Store>,
    /// Turns true when the server ends; connections that never end would hold it up.
    pub(super) ending: watch::Receiver<bool>,
    /// Tells this run of the server from earlier ones, whose event ids mean nothing here.
    pub(super) run: u64,
}

#[derive(Serialize)]
struct TraceChanged {
    trace_id: Text<clewline_core::TraceId>,
    span_count: usize,
    error_count: usize,
    root_received: bool,
}

#[derive(Serialize)]
struct Skipped {
    traces: u64,
}

/// The handler. A client that comes back with `Last-Event-ID` hears of what changed meanwhile; any other starts now.
pub(super) async fn stream(
    State(state): State<StreamState>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = state.store.watch();
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.split_once('-'))
        .filter(|(run, _)| run.parse() == Ok(state.run))
        .and_then(|(_, sequence)| sequence.parse::<u64>().ok());
    let now = *changes.borrow();
    let sequence = resumed.unwrap_or(now).min(now);
    let hello = Event::default().event("hello").id(format!("{}-{sequence}", state.run)).data("{}");
    let follower = Follower { state, changes, sequence };
    let events = stream::unfold(follower, |mut follower| async move {
        let events = follower.next().await?;
        Some((stream::iter(events), follower))
    });
    let events = stream::once(async { hello }).chain(events.flatten()).map(Ok);
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// One connection's place in the history of changes. It holds no queue: what it has not told yet is looked up when the
/// connection can take more, so a slow page costs nothing and gets fewer, later events.
struct Follower {
    state: StreamState,
    changes: watch::Receiver<u64>,
    sequence: u64,
}

impl Follower {
    /// The next events; `None` when the server ends.
    async fn next(&mut self) -> Option<Vec<Event>> {
        let mut ending = self.state.ending.clone();
        let gathered = async {
            let sequence = self.sequence;
            self.changes.wait_for(|latest| *latest > sequence).await.ok()?;
            tokio::time::sleep(GATHER).await;
            Some(())
        };
        tokio::select! {
            gathered = gathered => gathered?,
            _ = ending.wait_for(|ending| *ending) => return None,
        }
        let changes = self.state.store.changes_since(self.sequence, MOST_TRACES);
        self.sequence = changes.sequence;
        Some(self.events(&changes))
    }

    fn events(&self, changes: &Changes) -> Vec<Event> {
        let mut events = Vec::with_capacity(changes.traces.len() + 1);
        if changes.skipped > 0 {
            events.extend(Event::default().event("skipped").json_data(Skipped { traces: changes.skipped }));
        }
        for trace in &changes.traces {
            events.extend(Event::default().event("trace").json_data(TraceChanged {
                trace_id: Text(trace.trace_id),
                span_count: trace.spans.len(),
                error_count: trace.error_count(),
                root_received: trace.root_received(),
            }));
        }
        // The id stands on the last event only: whoever read all of them need not hear them again.
        if let Some(last) = events.pop() {
            events.push(last.id(format!("{}-{}", self.state.run, self.sequence)));
        }
        events
    }
}
