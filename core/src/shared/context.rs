//! `SharedContext`: the context that the host sent, for whoever starts work next.

use core::cell::Cell;

use critical_section::Mutex;

use crate::SpanContext;

/// Holds one context; written where frames arrive, read where spans start.
#[derive(Debug)]
pub struct SharedContext {
    context: Mutex<Cell<Option<SpanContext>>>,
}

impl SharedContext {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { context: Mutex::new(Cell::new(None)) }
    }

    /// What was set last.
    #[must_use]
    pub fn get(&self) -> Option<SpanContext> {
        critical_section::with(|section| self.context.borrow(section).get())
    }

    /// Replaces it.
    pub fn set(&self, context: Option<SpanContext>) {
        critical_section::with(|section| self.context.borrow(section).set(context));
    }
}

impl Default for SharedContext {
    fn default() -> Self {
        Self::new()
    }
}
