//! Drives a future to its end on a thread without an async runtime, within a time limit.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Ends the wait for a future from another thread, for good.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    is_interrupted: AtomicBool,
    /// The thread that waits.
    thread: Mutex<Option<Thread>>,
}

impl Interrupt {
    pub(super) fn interrupt(&self) {
        self.is_interrupted.store(true, Ordering::Relaxed);
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls `future`, each time inside of `step`, until it is ready; `None` if it is not by `deadline`, or interrupted.
pub(super) fn drive<F: Future>(
    future: F,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
    mut step: impl FnMut(&mut dyn FnMut()),
) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    *interrupt.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
    let mut output = None;
    loop {
        step(&mut || {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(&mut context)
            {
                output = Some(ready);
            }
        });
        if output.is_some() || interrupt.is_interrupted.load(Ordering::Relaxed) {
            return output;
        }
        // A wake-up that came since the poll is not lost: it lets the next call return at once.
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(rest) if rest.is_zero() => return None,
            Some(rest) => thread::park_timeout(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_future_that_is_woken_from_elsewhere_is_polled_again() {
        let mut polls = 0;
        let future = poll_fn(|context| {
            polls += 1;
            if polls == 3 {
                return Poll::Ready(polls);
            }
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        });
        let mut steps = 0;
        let result = drive(future, None, &Interrupt::default(), |work| {
            steps += 1;
            work();
            work();
        });
        assert_eq!(result, Some(3));
        assert!((2..=3).contains(&steps), "a step that works twice polls twice: {steps}");
    }

    #[test]
    fn the_deadline_and_an_interrupt_end_the_wait() {
        let soon = Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(drive(pending::<()>(), soon, &Interrupt::default(), |work| work()), None);
        let interrupt = Interrupt::default();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| drive(pending::<()>(), None, &interrupt, |work| work()));
            while interrupt.thread.lock().unwrap().is_none() {
                thread::yield_now();
            }
            interrupt.interrupt();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(drive(ready(7), None, &interrupt, |work| work()), Some(7), "what is ready is still taken");
    }
}
