//! Keeps finished spans in memory, for tests and for programs that show their own spans.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::finished::{FinishedResource, FinishedScope, FinishedSpan};
use super::joined::Joined;
use super::{ExportOutcome, Request, SpanExporter};
use crate::time::Instant;

/// Keeps the last finished spans, up to a number. Clones share what they keep: give one to the pipeline and read from another.
///
/// When it is full, the oldest spans make room for new ones, and [`evicted`](Self::evicted) counts them.
///
/// ```
/// use std::time::Duration;
///
/// use clewline::exporter::{MemoryExporter, WorkerSettings};
/// use clewline::{Pipeline, PipelineOptions, Scope};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let memory = MemoryExporter::new(1000);
/// let (exporter, settings) = (Box::new(memory.clone()), WorkerSettings::default());
/// let sampler = Box::new(clewline_core::AlwaysOn);
/// let pipeline = Pipeline::start(&[], sampler, Vec::new(), PipelineOptions::default(), settings, exporter)?;
///
/// let tracer = pipeline.tracer(&Scope { name: "shop", ..Scope::default() });
/// tracer.span("charge").start().set("order.total", 42).end();
/// pipeline.flush(Duration::from_secs(30))?;
///
/// let spans = memory.take();
/// assert_eq!((spans.len(), spans[0].name.as_str()), (1, "charge"));
/// assert_eq!(spans[0].attribute("order.total"), Some(&42.into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryExporter {
    kept: Arc<Mutex<Kept>>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Kept {
    spans: VecDeque<FinishedSpan>,
    evicted: u64,
    joined: Joined,
}

impl MemoryExporter {
    /// An exporter that keeps `capacity` spans at most.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Arc::default(), capacity }
    }

    /// Copies of the spans that are kept, in the order in which they ended, as far as one thread ended them.
    #[must_use]
    pub fn spans(&self) -> Vec<FinishedSpan> {
        self.kept().spans.iter().cloned().collect()
    }

    /// Takes the spans out.
    #[must_use = "the spans are kept no longer"]
    pub fn take(&self) -> Vec<FinishedSpan> {
        std::mem::take(&mut self.kept().spans).into()
    }

    /// How many spans are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().spans.len()
    }

    /// Whether no span is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many spans had to make room for newer ones so far.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.kept().evicted
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanExporter for MemoryExporter {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let mut kept = self.kept();
        let Kept { spans, evicted, joined } = &mut *kept;
        let view = match joined.parse(request) {
            Ok(view) => view,
            Err(outcome) => return outcome,
        };
        let mut rejected = 0;
        for resource_spans in view.resource_spans() {
            let resource = Arc::new(FinishedResource::from(&resource_spans));
            for scope_spans in resource_spans.scope_spans() {
                let scope = Arc::new(FinishedScope::from(&scope_spans));
                for span in scope_spans.spans() {
                    match span {
                        Ok((_, span)) => spans.push_back(FinishedSpan::new(&span, &resource, &scope)),
                        Err(_) => rejected += 1,
                    }
                }
            }
        }
        let surplus = spans.len().saturating_sub(self.capacity);
        drop(spans.drain(..surplus));
        *evicted += surplus as u64;
        super::all_but(rejected)
    }
}
