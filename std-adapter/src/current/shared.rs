//! `SharedSpan`: a native span that is current somewhere, so that others than its owner can add to it.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use clewline_core::{Status, StatusCode};

use super::Context;
use crate::Span;
use crate::pipeline::Recording;

/// How many a thread keeps for reuse.
const POOL: usize = 32;

thread_local! {
    static FREE: RefCell<Vec<Arc<Shared>>> = const { RefCell::new(Vec::new()) };
}

/// A span that several hold. It ends when told to, or with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct SharedSpan(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Beside the span, so that it is read without the lock.
    context: Context,
    span: Mutex<Span>,
}

impl SharedSpan {
    pub(crate) fn new(span: Span) -> Self {
        let free = FREE.try_with(|free| free.try_borrow_mut().ok()?.pop()).ok().flatten();
        // Nobody else holds what is free.
        if let Some(mut shared) = free
            && let Some(free) = Arc::get_mut(&mut shared)
        {
            free.context = span.hand_on();
            *free.span.get_mut().unwrap_or_else(PoisonError::into_inner) = span;
            return Self(shared);
        }
        Self(Arc::new(Shared { context: span.hand_on(), span: Mutex::new(span) }))
    }

    pub(crate) fn context(&self) -> &Context {
        &self.0.context
    }

    /// Works on what is being recorded, or does nothing. No foreign code may run inside `work`: it could come back here.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        self.0.span.lock().unwrap_or_else(PoisonError::into_inner).recording().map(work)
    }

    /// Notes that what happened in the span has panicked, and ends it.
    pub(crate) fn panicked(&self) {
        self.with(|recording| {
            recording.span.set("error.type", "panic");
            if recording.span.status_code() == StatusCode::Unset {
                recording.span.set_status(Status::error("panicked"));
            }
        });
        self.end();
    }

    /// Ends the span now, whoever else holds it.
    pub(crate) fn end(&self) {
        // Taken out first: processors run at the end of a span, and may look at the span that is current.
        let span = self.0.span.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(span);
    }
}

impl Drop for SharedSpan {
    fn drop(&mut self) {
        let Some(shared) = Arc::get_mut(&mut self.0) else { return };
        let span = shared.span.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        shared.context = Context::default();
        // Ends here, if nobody has ended it.
        drop(span);
        let _ = FREE.try_with(|free| {
            if let Ok(mut free) = free.try_borrow_mut()
                && free.len() < POOL
            {
                free.push(Arc::clone(&self.0));
            }
        });
    }
}
