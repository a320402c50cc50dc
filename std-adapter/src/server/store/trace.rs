//! One trace as kept: its spans in their encoded form, with the few fields that lists and trees need at hand.

use std::collections::HashSet;
use std::sync::Arc;

use clewline_core::{SpanId, SpanKind, SpanView, StatusCode, TraceId};

use super::intern::{Name, Resource, Scope, Shared};

/// A span as kept: its OTLP message, and what is read so often that it is kept decoded.
#[derive(Debug)]
pub(in crate::server) struct StoredSpan {
    message: Box<[u8]>,
    /// What made it.
    pub(in crate::server) resource: Arc<Shared<Resource>>,
    /// What it was made with.
    pub(in crate::server) scope: Arc<Shared<Scope>>,
    /// Its name.
    pub(in crate::server) name: Arc<Shared<Name>>,
    /// Its id.
    pub(in crate::server) span_id: SpanId,
    /// Its parent's id, if it is not a root.
    pub(in crate::server) parent_span_id: Option<SpanId>,
    /// Its start in nanoseconds since the Unix epoch.
    pub(in crate::server) start: u64,
    /// Its end in nanoseconds since the Unix epoch.
    pub(in crate::server) end: u64,
    /// Whether its status is `Error`.
    pub(in crate::server) failed: bool,
}

impl StoredSpan {
    /// Keeps a span.
    pub(super) fn new(
        message: &[u8],
        view: &SpanView<'_>,
        resource: Arc<Shared<Resource>>,
        scope: Arc<Shared<Scope>>,
        name: Arc<Shared<Name>>,
    ) -> Self {
        Self {
            message: message.into(),
            resource,
            scope,
            name,
            span_id: view.span_id(),
            parent_span_id: view.parent_span_id(),
            start: view.start_time_unix_nano(),
            end: view.end_time_unix_nano(),
            failed: view.status().code == StatusCode::Error,
        }
    }

    /// The encoded OTLP message.
    pub(in crate::server) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The typed view; `None` never happens, because only messages that were read before are kept.
    pub(in crate::server) fn view(&self) -> Option<SpanView<'_>> {
        SpanView::parse(&self.message).ok()
    }

    /// About how many bytes it occupies: the message, this record, and its places in the trace's list and index.
    pub(super) fn size(&self) -> usize {
        const PLACES: usize = 64;
        self.message.len() + size_of::<Self>() + PLACES
    }
}

/// A trace: all spans with the same trace id that arrived so far, in the order of their arrival.
#[derive(Clone, Debug)]
pub(in crate::server) struct Trace {
    /// Its id.
    pub(in crate::server) trace_id: TraceId,
    /// Its spans; at least one.
    pub(in crate::server) spans: Vec<Arc<StoredSpan>>,
}

/// What a list shows of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct Summary {
    /// The service of the root, or of the topmost span while the root has not arrived.
    pub(in crate::server) root_service: String,
    /// The name of that span.
    pub(in crate::server) root_name: String,
    /// The kind of that span.
    pub(in crate::server) root_kind: SpanKind,
    /// Whether a span without a parent has arrived.
    pub(in crate::server) root_received: bool,
    /// The services, in the order of their first start.
    pub(in crate::server) services: Vec<String>,
    /// The earliest start.
    pub(in crate::server) start: u64,
    /// From the earliest start to the latest end, in nanoseconds.
    pub(in crate::server) duration: u64,
    /// How many spans.
    pub(in crate::server) span_count: usize,
    /// How many of them have the status `Error`.
    pub(in crate::server) error_count: usize,
}

impl Trace {
    /// The earliest start of its spans. Zero means that a span does not know its start, so it does not count.
    pub(in crate::server) fn start(&self) -> u64 {
        self.spans.iter().map(|span| span.start).filter(|start| *start != 0).min().unwrap_or(0)
    }

    /// From the earliest start to the latest end, in nanoseconds.
    pub(in crate::server) fn duration(&self) -> u64 {
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or(0);
        end.saturating_sub(self.start())
    }

    /// How many of its spans have the status `Error`.
    pub(in crate::server) fn error_count(&self) -> usize {
        self.spans.iter().filter(|span| span.failed).count()
    }

    /// Whether a span without a parent has arrived.
    pub(in crate::server) fn root_received(&self) -> bool {
        self.spans.iter().any(|span| span.parent_span_id.is_none())
    }

    /// The root; while none has arrived, the earliest span whose parent is not here; if parents go round in a circle,
    /// the earliest span.
    fn topmost(&self) -> Option<&StoredSpan> {
        let earliest = |spans: &mut dyn Iterator<Item = &Arc<StoredSpan>>| {
            spans.min_by_key(|span| (span.start, span.span_id)).cloned()
        };
        let root = earliest(&mut self.spans.iter().filter(|span| span.parent_span_id.is_none()));
        let top = root.or_else(|| {
            let here: HashSet<SpanId> = self.spans.iter().map(|span| span.span_id).collect();
            let absent = |span: &&Arc<StoredSpan>| span.parent_span_id.is_some_and(|parent| !here.contains(&parent));
            earliest(&mut self.spans.iter().filter(absent)).or_else(|| earliest(&mut self.spans.iter()))
        });
        let top = top?.span_id;
        self.spans.iter().find(|span| span.span_id == top).map(AsRef::as_ref)
    }

    /// What a list shows of it.
    pub(in crate::server) fn summary(&self) -> Summary {
        let top = self.topmost();
        let view = top.and_then(StoredSpan::view);
        let mut services: Vec<(u64, &str)> = Vec::new();
        for span in &self.spans {
            let service = span.resource.service();
            match services.iter_mut().find(|(_, name)| *name == service) {
                Some((start, _)) => *start = span.start.min(*start),
                None => services.push((span.start, service)),
            }
        }
        services.sort_unstable();
        Summary {
            root_service: top.map_or_else(String::new, |top| top.resource.service().to_owned()),
            root_name: top.map_or_else(String::new, |top| top.name.as_str().to_owned()),
            root_kind: view.map_or(SpanKind::Unspecified, |view| view.kind()),
            root_received: self.root_received(),
            services: services.into_iter().map(|(_, name)| name.to_owned()).collect(),
            start: self.start(),
            duration: self.duration(),
            span_count: self.spans.len(),
            error_count: self.error_count(),
        }
    }

    /// The spans as a tree laid out in a line: parents before their children, siblings by their start.
    ///
    /// Spans whose parent is not here stand where roots stand. Where parents go round in a circle, the earliest span of
    /// the circle stands as a root, so that every span appears exactly once.
    pub(in crate::server) fn in_tree_order(&self) -> Vec<&StoredSpan> {
        let mut by_start: Vec<&StoredSpan> = self.spans.iter().map(AsRef::as_ref).collect();
        by_start.sort_by_key(|span| span.start);
        let place: std::collections::HashMap<SpanId, usize> =
            by_start.iter().enumerate().map(|(index, span)| (span.span_id, index)).collect();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); by_start.len()];
        let mut tops = Vec::new();
        for (index, span) in by_start.iter().enumerate() {
            match span.parent_span_id.and_then(|parent| place.get(&parent)) {
                Some(&parent) => children[parent].push(index),
                None => tops.push(index),
            }
        }
        let mut placed = vec![false; by_start.len()];
        let mut order = Vec::with_capacity(by_start.len());
        // Whatever no top leads to is part of a circle or hangs from one.
        for top in tops.into_iter().chain(0..by_start.len()) {
            let mut waiting = vec![top];
            while let Some(index) = waiting.pop() {
                if std::mem::replace(&mut placed[index], true) {
                    continue;
                }
                order.push(by_start[index]);
                waiting.extend(children[index].iter().rev());
            }
        }
        order
    }
}
