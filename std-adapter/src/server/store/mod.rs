//! The traces in memory: bounded in bytes, the oldest evicted whole, everything that is lost counted.

mod ingest;
mod intern;
mod trace;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clewline_core::{SpanId, SpanView, TraceId};
use serde::Serialize;
use tokio::sync::watch;

pub(super) use ingest::Ingested;
use intern::{Interner, Name, Resource, Scope, Shared};
pub(super) use trace::{StoredSpan, Summary, Trace};

/// About how many bytes a trace occupies beyond its spans: its record, list, index and places in the store's maps.
const TRACE_SIZE: usize = 512;

/// The traces, shared by the receiver and the readers.
///
/// Readers take a snapshot (a list of `Arc`s) under the lock and look at the spans outside it, so that a search through
/// everything does not hold up the receiver.
#[derive(Debug)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
    memory_limit: usize,
}

/// What the store and the receiver have counted, as answered by `GET /api/stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Stats {
    /// Requests that were read.
    pub(super) received_requests: u64,
    /// Requests that were refused as a whole.
    pub(super) rejected_requests: u64,
    /// Spans that were kept, whether or not they still are.
    pub(super) received_spans: u64,
    /// Spans that were refused because of an invalid id.
    pub(super) rejected_spans: u64,
    /// Spans that came again and took the place of their first copy.
    pub(super) replaced_spans: u64,
    /// Traces that were evicted.
    pub(super) evicted_traces: u64,
    /// Spans that were evicted.
    pub(super) evicted_spans: u64,
    /// Traces kept now.
    pub(super) stored_traces: usize,
    /// Spans kept now.
    pub(super) stored_spans: usize,
    /// About how many bytes they occupy.
    pub(super) stored_bytes: usize,
    /// How many bytes they may occupy.
    pub(super) memory_limit_bytes: usize,
}

/// The traces that changed after some moment.
#[derive(Debug)]
pub(super) struct Changes {
    /// Those that changed last, in the order of their change.
    pub(super) traces: Vec<Arc<Trace>>,
    /// How many more there were, or how many were evicted meanwhile: at least this many are not listed.
    pub(super) skipped: u64,
    /// The moment to ask from the next time.
    pub(super) sequence: u64,
}

#[derive(Debug)]
struct Inner {
    traces: HashMap<TraceId, Entry>,
    /// The traces by the moment of their last change: the first is evicted next.
    by_change: BTreeMap<u64, TraceId>,
    /// Grows by one with every span.
    sequence: u64,
    resources: Interner<Resource>,
    scopes: Interner<Scope>,
    names: Interner<Name>,
    /// Of the traces; the interners count their own.
    bytes: usize,
    stored_spans: usize,
    stats: Stats,
}

#[derive(Debug)]
struct Entry {
    trace: Arc<Trace>,
    index: HashMap<SpanId, usize>,
    bytes: usize,
    changed: u64,
}

impl Store {
    /// An empty store that keeps about `memory_limit` bytes.
    pub(super) fn new(memory_limit: usize) -> Self {
        let inner = Inner {
            traces: HashMap::new(),
            by_change: BTreeMap::new(),
            sequence: 0,
            resources: Interner::new(),
            scopes: Interner::new(),
            names: Interner::new(),
            bytes: 0,
            stored_spans: 0,
            stats: Stats::default(),
        };
        Self { inner: Mutex::new(inner), changes: watch::Sender::new(0), memory_limit }
    }

    /// The trace with this id.
    pub(super) fn trace(&self, trace_id: TraceId) -> Option<Arc<Trace>> {
        self.lock().traces.get(&trace_id).map(|entry| Arc::clone(&entry.trace))
    }

    /// All traces, in no particular order.
    pub(super) fn snapshot(&self) -> Vec<Arc<Trace>> {
        self.lock().traces.values().map(|entry| Arc::clone(&entry.trace)).collect()
    }

    /// The counters.
    pub(super) fn stats(&self) -> Stats {
        let inner = self.lock();
        Stats {
            stored_traces: inner.traces.len(),
            stored_spans: inner.stored_spans,
            stored_bytes: inner.total_bytes(),
            memory_limit_bytes: self.memory_limit,
            ..inner.stats
        }
    }

    /// Counts a request that was refused as a whole.
    pub(super) fn count_rejected_request(&self) {
        self.lock().stats.rejected_requests += 1;
    }

    /// Tells of every change by the sequence number it ended with.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The at most `limit` traces that changed last since `sequence`.
    pub(super) fn changes_since(&self, sequence: u64, limit: usize) -> Changes {
        let inner = self.lock();
        let changed = || inner.by_change.range(sequence + 1..).rev();
        let mut traces: Vec<_> =
            changed().take(limit).filter_map(|(_, id)| Some(Arc::clone(&inner.traces.get(id)?.trace))).collect();
        traces.reverse();
        let skipped = changed().skip(limit).count() as u64;
        Changes { traces, skipped, sequence: inner.sequence }
    }

    /// The lock; a panic elsewhere while it was held cannot leave the counters worse than slightly off.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn total_bytes(&self) -> usize {
        self.bytes + self.resources.bytes() + self.scopes.bytes() + self.names.bytes()
    }

    /// Keeps one span, in place of an earlier copy of it if there is one.
    fn insert(
        &mut self,
        message: &[u8],
        view: &SpanView<'_>,
        resource: &Arc<Shared<Resource>>,
        scope: &Arc<Shared<Scope>>,
    ) {
        let name = self.names.share_text(view.name(), Name::new);
        let span = StoredSpan::new(message, view, Interner::again(resource), Interner::again(scope), name);
        let size = span.size();
        self.sequence += 1;
        self.stats.received_spans += 1;
        let trace_id = view.trace_id();
        let entry = self.traces.entry(trace_id).or_insert_with(|| {
            self.bytes += TRACE_SIZE;
            Entry {
                trace: Arc::new(Trace { trace_id, spans: Vec::new() }),
                index: HashMap::new(),
                bytes: TRACE_SIZE,
                changed: 0,
            }
        });
        self.by_change.remove(&entry.changed);
        self.by_change.insert(self.sequence, trace_id);
        entry.changed = self.sequence;
        entry.bytes += size;
        self.bytes += size;
        let spans = &mut Arc::make_mut(&mut entry.trace).spans;
        match entry.index.get(&span.span_id) {
            Some(&place) => {
                let old = std::mem::replace(&mut spans[place], Arc::new(span));
                entry.bytes -= old.size();
                self.bytes -= old.size();
                self.stats.replaced_spans += 1;
                self.resources.release(&old.resource);
                self.scopes.release(&old.scope);
                self.names.release(&old.name);
            }
            None => {
                entry.index.insert(span.span_id, spans.len());
                spans.push(Arc::new(span));
                self.stored_spans += 1;
            }
        }
    }

    /// Evicts the traces that changed longest ago until the rest fits.
    fn evict_down_to(&mut self, limit: usize) {
        while self.total_bytes() > limit {
            let Some((_, trace_id)) = self.by_change.pop_first() else { return };
            let Some(entry) = self.traces.remove(&trace_id) else { continue };
            self.bytes -= entry.bytes;
            self.stats.evicted_traces += 1;
            self.stored_spans -= entry.trace.spans.len();
            self.stats.evicted_spans += entry.trace.spans.len() as u64;
            for span in &entry.trace.spans {
                self.resources.release(&span.resource);
                self.scopes.release(&span.scope);
                self.names.release(&span.name);
            }
        }
    }
}
