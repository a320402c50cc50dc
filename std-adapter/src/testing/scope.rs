//! Which recorder a thread, and a trace, belongs to.

use std::cell::Cell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use clewline_core::{ReadWriteSpan, SpanContext, SpanProcessor, SpanView, TraceId, Verdict};

use crate::current::Place;
use crate::pipeline::Pipeline;

/// How many recorders there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OF_THREAD: Cell<Option<&'static Pipeline>> = const { Cell::new(None) };
}

#[derive(Default)]
struct Registry {
    recorders: Vec<Member>,
    /// The recorder that a trace was last seen in, by the id of its pipeline.
    traces: HashMap<TraceId, u64>,
}

struct Member {
    pipeline: &'static Pipeline,
    #[cfg(feature = "tracing")]
    dispatch: tracing_core::Dispatch,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is a recorder, so that spans must look whose they are.
#[inline]
pub(crate) fn is_active() -> bool {
    COUNT.load(Ordering::Relaxed) != 0
}

/// The pipeline for a span with this parent: the thread's, or that of the trace.
pub(crate) fn pipeline(parent: Option<&SpanContext>) -> Option<&'static Pipeline> {
    OF_THREAD.get().or_else(|| of_trace(parent?.trace_id()))
}

fn of_trace(trace_id: TraceId) -> Option<&'static Pipeline> {
    let registry = registry();
    let id = *registry.traces.get(&trace_id)?;
    Some(registry.recorders.iter().find(|member| member.pipeline.id() == id)?.pipeline)
}

/// Makes a recorder known.
pub(super) fn add(pipeline: &'static Pipeline, #[cfg(feature = "tracing")] dispatch: tracing_core::Dispatch) {
    registry().recorders.push(Member {
        pipeline,
        #[cfg(feature = "tracing")]
        dispatch,
    });
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Forgets a recorder.
pub(super) fn remove(pipeline: &Pipeline) {
    COUNT.fetch_sub(1, Ordering::Relaxed);
    // A subscriber's end is foreign code, and so comes after the lock.
    let _member = {
        let mut registry = registry();
        registry.traces.retain(|_, id| *id != pipeline.id());
        let at = registry.recorders.iter().position(|member| member.pipeline.id() == pipeline.id());
        at.map(|at| registry.recorders.remove(at))
    };
}

/// Notes which traces a recorder sees.
#[derive(Clone, Default)]
pub(super) struct NoteTraces {
    /// The id of the recorder's pipeline, which is known only after the processor.
    pipeline: Arc<AtomicU64>,
}

impl NoteTraces {
    pub(super) fn of(&self, pipeline: &Pipeline) {
        self.pipeline.store(pipeline.id(), Ordering::Relaxed);
    }
}

impl SpanProcessor for NoteTraces {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        registry().traces.insert(span.context().trace_id(), self.pipeline.load(Ordering::Relaxed));
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Keep
    }

    fn sees_ends(&self) -> bool {
        false
    }
}

/// Keeps a thread with a recorder until dropped.
#[derive(Debug)]
pub(crate) struct ThreadScope {
    before: Option<&'static Pipeline>,
    #[cfg(feature = "tracing")]
    _subscriber: Option<tracing_core::dispatcher::DefaultGuard>,
    /// It belongs to this thread.
    not_send: PhantomData<*const ()>,
}

/// Makes this thread record with `pipeline`.
pub(super) fn enter(pipeline: &'static Pipeline) -> ThreadScope {
    #[cfg(feature = "tracing")]
    let dispatch = {
        let registry = registry();
        let member = registry.recorders.iter().find(|member| member.pipeline.id() == pipeline.id());
        member.map(|member| member.dispatch.clone())
    };
    ThreadScope {
        before: OF_THREAD.replace(Some(pipeline)),
        #[cfg(feature = "tracing")]
        _subscriber: dispatch.map(|dispatch| tracing_core::dispatcher::set_default(&dispatch)),
        not_send: PhantomData,
    }
}

impl Drop for ThreadScope {
    fn drop(&mut self) {
        OF_THREAD.set(self.before);
    }
}

/// Makes a thread without a recorder, which enters a place of one, record with that.
#[cold]
pub(crate) fn inherit(place: &Place) -> Option<ThreadScope> {
    if OF_THREAD.get().is_some() {
        return None;
    }
    let trace_id = place.context()?.span_context()?.trace_id();
    of_trace(trace_id).map(enter)
}
