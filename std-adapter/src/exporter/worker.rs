//! `Worker`: the handle to an exporter thread, for application threads: hand over, flush, shut down, read the ledger.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::chunk::Chunk;
use super::destination::Destination;
#[cfg(feature = "spool")]
use super::disk::Disk;
use super::envelope::Envelope;
use super::exporting::{End, Exporting, shielded};
use super::outbox::{Outbox, OutboxLimits};
use super::queue::{Queue, QueueLimits};
use super::report::Reporter;
use super::retry::{Retry, random_numbers};
use super::settings::after;
use super::stats::{Counters, DropReason, Stats};
#[cfg(feature = "spool")]
use crate::spool::{Spool, SpoolError};
use crate::time::Instant;

/// What is left of a shutdown's time limit after the last attempt, to note the outcome.
const SHUTDOWN_MARGIN: Duration = Duration::from_millis(200);
/// Spans of one request in bytes: what OTLP allows, less room for resource and scopes.
const BATCH_BYTES: usize = 63 << 20;

/// Where finished spans wait for the exporter thread: the buffers of the application's threads.
pub trait Source: Send + Sync {
    /// Hands over what is ready, and may leave some of it for later once `enough` spans were handed over. Called on the exporter
    /// thread, before spans are exported; with a disk spool, on its thread too.
    fn drain(&self, enough: usize, sink: &mut dyn FnMut(Chunk));
}

impl<T: Source + ?Sized> Source for Arc<T> {
    fn drain(&self, enough: usize, sink: &mut dyn FnMut(Chunk)) {
        (**self).drain(enough, sink);
    }
}

/// No buffers: everything comes through [`Worker::submit`].
impl Source for () {
    fn drain(&self, _: usize, _: &mut dyn FnMut(Chunk)) {}
}

/// Why a pipeline, or one of its destinations, could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The operating system refused a thread.
    #[error("the exporter thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// The disk spool cannot be used.
    #[cfg(feature = "spool")]
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A flush or a shutdown did not end within its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    /// Spans whose fate was not known at that time.
    pub pending: u64,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time limit was reached while {} spans were on their way", self.pending)
    }
}

impl std::error::Error for TimedOut {}

/// The handle to the exporter thread, for any number of threads.
///
/// [`Worker::shutdown`] ends it in good order. A handle dropped without it gives waiting spans no time to leave; they
/// are counted as dropped.
pub struct Worker {
    name: String,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    interrupter: Option<Box<dyn Fn() + Send + Sync>>,
    /// The process that the thread runs in. A fork of it has the connection too, but not the thread.
    process: Option<u32>,
}

impl Worker {
    /// Starts the exporter thread, and one more where there is a disk spool.
    ///
    /// # Errors
    /// The operating system's, if it cannot start a thread, or what keeps the disk spool from being used.
    pub fn spawn(
        destination: Destination,
        envelope: Arc<Envelope>,
        source: Box<dyn Source>,
    ) -> Result<Self, StartError> {
        let Destination { name, exporter, settings, .. } = destination;
        let source: Arc<dyn Source> = source.into();
        // A delay of zero would keep the thread busy while there is nothing to do.
        let schedule_delay = settings.schedule_delay.max(Duration::from_millis(1));
        let limits = QueueLimits {
            queue_spans: settings.max_queue_spans.max(1),
            queue_bytes: settings.max_queue_bytes,
            batch_spans: settings.batch_spans(),
            batch_bytes: BATCH_BYTES,
        };
        let counters = Arc::new(Counters::default());
        #[cfg(feature = "spool")]
        let (queue, disk) = match &destination.spool {
            Some(options) => {
                let spool = Spool::open(options, &name, Arc::clone(&counters), Arc::clone(&envelope))?;
                let queue = Arc::new(Queue::new(limits, counters, spool.first_number()));
                let disk = Disk::spawn(spool, &queue, Arc::clone(&source), schedule_delay)?;
                (queue, Some(Arc::new(disk)))
            }
            None => (Arc::new(Queue::new(limits, counters, 0)), None),
        };
        #[cfg(not(feature = "spool"))]
        let (queue, disk) = (Arc::new(Queue::new(limits, counters, 0)), None);
        let interrupter = exporter.interrupter();
        let exporting = Exporting {
            queue: Arc::clone(&queue),
            schedule_delay,
            export_timeout: settings.export_timeout,
            retry: Retry::new(settings.backoff),
            random: Box::new(random_numbers()),
            reporter: Reporter::new(&name, settings.report, settings.loss_quiet_time),
            envelope,
            exporter,
            source,
            disk,
            throttled_until: None,
            framing: Vec::new(),
        };
        let run = move || {
            // Exporters whose clients are traced would otherwise have their own requests to export, for ever.
            let _suppressed = crate::current::suppress();
            // Gone after the exporter is: what that does at its end is part of the thread's, for which a shutdown waits so long
            // and no longer.
            let _end = End(Arc::clone(&exporting.queue));
            exporting.run();
        };
        let thread = thread::Builder::new().name("clewline-exporter".to_owned()).spawn(run)?;
        Ok(Self { name, queue, thread: Mutex::new(Some(thread)), interrupter, process: Some(std::process::id()) })
    }

    /// A worker without a thread: whoever has its [`Outbox`] does the work.
    pub(crate) fn without_thread(
        limits: &OutboxLimits,
        envelope: Arc<Envelope>,
        source: Box<dyn Source>,
    ) -> (Self, Outbox) {
        let queue = Arc::new(Queue::new(limits.of_queue(), Arc::default(), 0));
        let worker = Self {
            name: String::new(),
            queue: Arc::clone(&queue),
            thread: Mutex::default(),
            interrupter: None,
            process: None,
        };
        (worker, Outbox::new(queue, envelope, source))
    }

    /// Hands over a full chunk. Never blocks on the network; drops and counts the chunk if the queue is full.
    pub fn submit(&self, chunk: Chunk) {
        if chunk.count() > 0 {
            self.queue.submit(chunk);
        }
    }

    /// The destination's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands over a chunk that was fetched for several exporters; see [`Queue::pass`].
    pub(crate) fn pass(&self, chunk: Chunk, had_room: bool) {
        self.queue.pass(chunk, had_room);
    }

    /// Whether more spans may wait.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.room() > 0
    }

    /// Has the exporter thread drain its [`Source`] at once: threads are about to run out of memory.
    pub(crate) fn press(&self) {
        if !self.is_in_a_fork() {
            self.queue.press();
        }
    }

    /// Has the exporter thread drain its [`Source`] soon. Cheap enough to be called often.
    pub fn wake(&self) {
        if !self.is_in_a_fork() {
            self.queue.wake();
        }
    }

    /// Counts spans that the caller had to drop before they could be handed over.
    pub fn record_dropped(&self, reason: DropReason, spans: usize) {
        self.queue.counters.received(spans);
        self.queue.counters.dropped(reason, spans as u64);
    }

    /// Sends everything that was handed over, or is ready in the source, and waits for the outcome.
    ///
    /// Blocks the calling thread; in async code call it where blocking is allowed.
    ///
    /// # Errors
    /// The outcome was not known within `timeout`; sending goes on. In a fork of the process, at once: the thread is not there.
    pub fn flush(&self, timeout: Duration) -> Result<(), TimedOut> {
        Self::flush_all(std::slice::from_ref(self), timeout)
    }

    /// Flushes several at the same time; see [`Worker::flush`].
    pub(crate) fn flush_all(workers: &[Self], timeout: Duration) -> Result<(), TimedOut> {
        if workers.iter().any(Self::is_in_a_fork) {
            return Err(Self::timed_out(workers));
        }
        let deadline = after(timeout);
        let begun: Vec<u64> = workers.iter().map(|worker| worker.queue.begin_flush()).collect();
        let mut late =
            workers.iter().zip(begun).filter(|(worker, flush)| !worker.queue.wait_for_flush(*flush, deadline));
        let is_done = late.by_ref().count() == 0;
        if is_done { Ok(()) } else { Err(Self::timed_out(workers)) }
    }

    /// Sends everything that is left and ends the exporter thread, within `timeout` whatever the collector does.
    ///
    /// Spans handed over from now on are dropped and counted. Spans that could not be delivered in time are too.
    /// Calling it again is harmless.
    ///
    /// # Errors
    /// The thread did not end in time: looking up a host and connecting to it cannot be cut short, and may take four seconds each.
    /// In a fork of the process, at once.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), TimedOut> {
        Self::shutdown_all(std::slice::from_ref(self), timeout)
    }

    /// Shuts several down at the same time; see [`Worker::shutdown`].
    pub(crate) fn shutdown_all(workers: &[Self], timeout: Duration) -> Result<(), TimedOut> {
        if workers.iter().any(Self::is_in_a_fork) {
            return Err(Self::timed_out(workers));
        }
        let deadline = after(timeout);
        // Attempts end a little earlier, so that there is time left to note what became of them.
        let last_attempt = deadline.checked_sub(SHUTDOWN_MARGIN.min(timeout / 5)).unwrap_or(deadline);
        workers.iter().for_each(|worker| worker.queue.shut_down(last_attempt));
        for worker in workers {
            if !worker.queue.wait_until_finished(last_attempt)
                && let Some(interrupt) = &worker.interrupter
            {
                shielded(interrupt);
            }
        }
        let ended = workers.iter().filter(|worker| worker.queue.wait_until_finished(deadline));
        let ended = ended.map(Self::join).count();
        if ended == workers.len() { Ok(()) } else { Err(Self::timed_out(workers)) }
    }

    /// Waits for a thread that has announced its end; a panic after that has nothing to tell.
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(JoinHandle::join);
    }

    /// Whether a shutdown was asked for: spans handed over now are dropped.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.queue.is_shut_down()
    }

    /// Whether the exporter thread has ended: it looks into its [`Source`] no more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.queue.is_finished()
    }

    /// The ledger at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.queue.counters.read()
    }

    /// Whether this process was forked from the one that started the thread. Nobody would ever answer here, locks may be held by
    /// threads that are not there, and to interrupt an attempt would be to close the other process's connection.
    fn is_in_a_fork(&self) -> bool {
        self.process.is_some_and(|process| process != std::process::id())
    }

    fn timed_out(workers: &[Self]) -> TimedOut {
        TimedOut { pending: workers.iter().map(|worker| worker.stats().pending).max().unwrap_or_default() }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_in_a_fork() && !self.queue.is_shut_down() {
            self.queue.shut_down(Instant::now());
            if let Some(interrupt) = &self.interrupter {
                shielded(interrupt);
            }
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::exporter::{ExportOutcome, Request, SpanExporter};

    /// Does not come back until it is told to.
    struct Hangs(Receiver<()>, Arc<AtomicBool>);

    impl SpanExporter for Hangs {
        fn export(&mut self, _: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
            let _ = self.0.recv();
            ExportOutcome::Delivered
        }

        fn interrupter(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
            let interrupted = Arc::clone(&self.1);
            Some(Box::new(move || interrupted.store(true, Ordering::Relaxed)))
        }
    }

    /// Takes its time when it is let go.
    struct Lingers(Receiver<()>);

    impl SpanExporter for Lingers {
        fn export(&mut self, _: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
            ExportOutcome::Delivered
        }
    }

    impl Drop for Lingers {
        fn drop(&mut self) {
            let _ = self.0.recv_timeout(Duration::from_secs(60));
        }
    }

    #[test]
    fn a_shutdown_waits_for_the_end_of_an_exporter_no_longer_than_its_limit() {
        let (let_go, told) = channel();
        let destination = Destination::new("lingers", Box::new(Lingers(told)));
        let envelope = Arc::new(Envelope::new(&clewline_core::Resource::default()));
        let worker = Worker::spawn(destination, envelope, Box::new(())).unwrap();
        assert_eq!(worker.shutdown(Duration::from_millis(50)), Err(TimedOut { pending: 0 }));
        assert!(!worker.has_ended());
        drop(let_go);
        assert_eq!(worker.shutdown(Duration::from_secs(3600)), Ok(()));
    }

    #[test]
    fn a_fork_neither_waits_for_the_thread_nor_touches_its_connection() {
        let ((go_on, told), interrupted) = (channel(), Arc::new(AtomicBool::new(false)));
        let destination = Destination::new("hangs", Box::new(Hangs(told, Arc::clone(&interrupted))));
        let envelope = Arc::new(Envelope::new(&clewline_core::Resource::default()));
        let mut worker = Worker::spawn(destination, envelope, Box::new(())).unwrap();
        // As the worker looks to a fork.
        worker.process = Some(std::process::id() + 1);
        let long = Duration::from_secs(3600);
        assert_eq!(worker.flush(long), Err(TimedOut { pending: 0 }));
        assert_eq!(worker.shutdown(long), Err(TimedOut { pending: 0 }));
        assert!(!worker.is_shut_down() && !interrupted.load(Ordering::Relaxed));
        worker.process = Some(std::process::id());
        drop(go_on);
        assert_eq!(worker.shutdown(long), Ok(()));
    }
}
