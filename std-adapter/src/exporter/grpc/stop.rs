//! What ends a call early: its deadline, or the shutdown of the program.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time::sleep_until;

/// Ends calls from another thread, for good.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_stopped: AtomicBool,
    notify: Notify,
}

impl Stop {
    /// Ends the current call, and every later one at its start.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Waits for `call`, for `deadline` or for [`stop`](Self::stop), whatever comes first; an error says which.
    pub(super) async fn or_until<T>(
        &self,
        deadline: Option<Instant>,
        call: impl Future<Output = T>,
    ) -> Result<T, &'static str> {
        // Made before the look at the flag, so that no stop in between is missed.
        let stopped = self.notify.notified();
        if self.is_stopped.load(Ordering::Acquire) {
            return Err("the attempt was cut short");
        }
        let passed = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let (mut stopped, mut passed, mut call) = (pin!(stopped), pin!(passed), pin!(call));
        poll_fn(|context| {
            if let Poll::Ready(result) = call.as_mut().poll(context) {
                return Poll::Ready(Ok(result));
            }
            if stopped.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err("the attempt was cut short"));
            }
            passed.as_mut().poll(context).map(|()| Err("no answer within the time limit"))
        })
        .await
    }
}
