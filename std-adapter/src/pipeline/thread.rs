//! What one thread keeps for itself: its lane, the sampler, and spans to reuse.

use std::cell::RefCell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clewline_core::Sampler;

use super::lane::{News, Producer, add, lane};
use super::{Pipeline, Recording};

/// How many spans a thread keeps for reuse.
const POOL: usize = 64;

/// The state of one thread for one pipeline.
#[derive(Debug)]
pub(crate) struct Local {
    pipeline: u64,
    pub(super) sampler: LocalSampler,
    pub(super) pool: Pool,
    pub(super) producer: Producer,
}

/// Memory of spans, for reuse. They leave the pool as boxes, so that moving one moves a pointer.
pub(super) type Pool = Vec<Box<Recording>>;

/// The pipeline's sampler, at hand.
pub(super) struct LocalSampler {
    version: u64,
    /// Points into `owner`, where a shared pointer would first have to find out how far inside.
    sampler: NonNull<dyn Sampler + Send + Sync>,
    owner: Arc<dyn Sampler + Send + Sync>,
}

impl LocalSampler {
    fn new(pipeline: &Pipeline) -> Self {
        // Read first: should the sampler be changed meanwhile, it is fetched once more.
        let version = pipeline.sampler_version.load(Ordering::Acquire);
        let owner = pipeline.sampler();
        Self { version, sampler: NonNull::from(&*owner), owner }
    }

    #[inline]
    pub(super) fn current(&mut self, pipeline: &Pipeline) -> &(dyn Sampler + Send + Sync) {
        if self.version != pipeline.sampler_version.load(Ordering::Acquire) {
            self.renew(pipeline);
        }
        // SAFETY: it points to what `owner` holds, of which there are only shared references, and `owner` is replaced together
        // with it, for which `self` must not be borrowed as it is by the result.
        #[expect(unsafe_code, reason = "saves a load and an addition for every span")]
        unsafe {
            self.sampler.as_ref()
        }
    }

    #[cold]
    #[inline(never)]
    fn renew(&mut self, pipeline: &Pipeline) {
        *self = Self::new(pipeline);
    }
}

impl fmt::Debug for LocalSampler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = Arc::strong_count(&self.owner);
        formatter
            .debug_struct("LocalSampler")
            .field("version", &self.version)
            .field("shared", &shared)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The pipeline used last comes first; a process has one, tests have more.
    static LOCALS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with this thread's state; false, and it does not run, while the thread is being torn down.
///
/// `work` leaves its result in its surroundings: returned, it would be copied once for every layer of this function.
#[inline(always)]
pub(crate) fn with_local(pipeline: &'static Pipeline, work: impl FnOnce(&mut Local)) -> bool {
    LOCALS
        .try_with(|locals| {
            let Ok(mut locals) = locals.try_borrow_mut() else { return false };
            let is_first = locals.first().is_some_and(|local| local.pipeline == pipeline.id);
            if !is_first {
                find_or_make(&mut locals, pipeline);
            }
            let Some(local) = locals.first_mut() else { return false };
            work(local);
            true
        })
        .unwrap_or(false)
}

/// Moves the state for `pipeline` to the front.
#[cold]
#[inline(never)]
fn find_or_make(locals: &mut Vec<Local>, pipeline: &'static Pipeline) {
    let index = locals.iter().position(|local| local.pipeline == pipeline.id).unwrap_or_else(|| {
        let (producer, consumer) = lane(pipeline.sizes.clone(), pipeline.told_every);
        pipeline.register(consumer);
        locals.push(Local {
            pipeline: pipeline.id,
            sampler: LocalSampler::new(pipeline),
            pool: Vec::with_capacity(POOL),
            producer,
        });
        locals.len() - 1
    });
    locals.swap(0, index);
}

impl Local {
    /// Writes a finished span behind the others and keeps its memory. Answers what the exporter threads should know.
    #[inline]
    pub(crate) fn finish(&mut self, recording: Box<Recording>, end_time: u64, is_exported: bool) -> Option<News> {
        let span = &recording.span;
        let content = span.counts();
        let dropped =
            content.dropped_attributes + content.dropped_events + content.dropped_links + content.truncated_values;
        if dropped > 0 {
            add(&self.producer.counters().dropped_content, dropped.into());
        }
        if is_exported {
            self.producer.set_scope(recording.scope);
            if span.write_to(end_time, &mut self.producer).is_err() {
                add(&self.producer.counters().dropped_full, 1);
            }
        } else {
            add(&self.producer.counters().not_exported, 1);
        }
        self.keep(recording);
        self.producer.has_news()
    }

    /// Lends memory without counting a span.
    #[cfg(feature = "tracing")]
    pub(super) fn lend(&mut self) -> Option<Box<Recording>> {
        self.pool.pop()
    }

    /// Counts a recorded span that began without it.
    #[cfg(feature = "tracing")]
    pub(super) fn count_started(&mut self) {
        self.producer.count_started();
    }

    /// Counts an attribute, event or link that was refused while its span went on.
    #[cfg(feature = "tracing")]
    pub(super) fn count_lost_content(&mut self) {
        add(&self.producer.counters().dropped_content, 1);
    }

    /// Keeps the memory of a span for reuse.
    #[inline]
    pub(super) fn keep(&mut self, mut recording: Box<Recording>) {
        if self.pool.len() < POOL {
            recording.span.clear();
            self.pool.push(recording);
        } else {
            recording.pipeline.put_by(&mut self.pool, recording);
        }
    }
}

impl Pipeline {
    /// Counts a span that ended while its thread was being torn down and has no lane any more.
    #[cold]
    pub(crate) fn count_late(&self) {
        self.dropped_late.fetch_add(1, Ordering::Relaxed);
    }
}
