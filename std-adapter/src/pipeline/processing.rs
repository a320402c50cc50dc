//! Runs the program's processors: their panics cost no span, and they are not shown the spans that they start themselves.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// The processors that this thread is running, each by its pipeline and its place there.
    static RUNNING: RefCell<Vec<(u64, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Runs a processor's code. `None` if it panicked, in which case the panic hook has said so, or if it is running already: a span
/// that it starts or ends itself is recorded like any other, and shown to the other processors only.
pub(super) fn run<R>(pipeline: u64, index: usize, work: impl FnOnce() -> R) -> Option<R> {
    let this = (pipeline, index);
    let has_begun = RUNNING.try_with(|running| {
        let mut running = running.borrow_mut();
        let is_new = !running.contains(&this);
        if is_new {
            running.push(this);
        }
        is_new
    });
    // While its thread is being torn down there is no telling, and a span costs less than a loop without an end.
    if has_begun != Ok(true) {
        return None;
    }
    // Whatever a processor leaves behind is its own; the span it sees is valid after every single operation.
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    // Those that began later have ended.
    let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
    result
}
