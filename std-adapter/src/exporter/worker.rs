//! The exporter thread: collects finished spans, sends them in batches, retries, and ends within its time limit.

use std::fmt;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::chunk::Chunk;
use super::destination::Destination;
use super::envelope::Envelope;
use super::fate::Fate;
use super::queue::{Call, Queue, QueueLimits};
use super::report::Reporter;
use super::retry::{Backoff, Decision, Retry, random_numbers};
use super::stats::{DropReason, Stats};
use super::{ExportOutcome, Request, SpanExporter};
use crate::config::TracingConfig;

/// The longest a collector can keep us from sending, whatever its `Retry-After` says: a clock that is wrong by a year
/// must not end tracing.
const LONGEST_THROTTLE: Duration = Duration::from_secs(300);
/// What is left of a shutdown's time limit after the last attempt, to note the outcome.
const SHUTDOWN_MARGIN: Duration = Duration::from_millis(200);
/// How often the ledger is looked at while waiting for the collector.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Spans of one request in bytes: what OTLP allows, less room for resource and scopes.
const BATCH_BYTES: usize = 63 << 20;

/// Where finished spans wait for the exporter thread: the buffers of the application's threads.
pub trait Source: Send {
    /// Hands over what is ready, and may leave some of it for later once `enough` spans were handed over. Called on the exporter
    /// thread, before spans are exported.
    fn drain(&self, enough: usize, sink: &mut dyn FnMut(Chunk));
}

impl<T: Source + Sync + ?Sized> Source for Arc<T> {
    fn drain(&self, enough: usize, sink: &mut dyn FnMut(Chunk)) {
        (**self).drain(enough, sink);
    }
}

/// No buffers: everything comes through [`Worker::submit`].
impl Source for () {
    fn drain(&self, _: usize, _: &mut dyn FnMut(Chunk)) {}
}

/// How the exporter thread works.
pub struct WorkerSettings {
    /// The longest a finished span waits for more before it is exported.
    pub schedule_delay: Duration,
    /// The longest that delivering one batch may take, retries included; `None` is no limit.
    pub export_timeout: Option<Duration>,
    /// Spans that may wait; those of application threads' own buffers are not counted.
    pub max_queue_spans: usize,
    /// Bytes that may wait.
    pub max_queue_bytes: usize,
    /// Spans in one request at most.
    pub max_batch_spans: usize,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// A loss is reported as ended when this long no span was lost and some were delivered.
    pub loss_quiet_time: Duration,
    /// Where the lines about losses go; stderr by default.
    pub report: Box<dyn FnMut(&str) + Send>,
}

impl WorkerSettings {
    /// The settings that `config` asks for.
    #[must_use]
    pub fn new(config: &TracingConfig) -> Self {
        Self {
            schedule_delay: *config.batch.schedule_delay.get(),
            export_timeout: config.export_timeout(),
            max_queue_spans: *config.batch.max_queue_size.get(),
            max_queue_bytes: 64 << 20,
            max_batch_spans: *config.batch.max_export_batch_size.get(),
            backoff: Backoff::default(),
            loss_quiet_time: Duration::from_secs(30),
            report: Box::new(|line| {
                // Without a stderr there is nowhere left to say so.
                let _ = writeln!(io::stderr().lock(), "{line}");
            }),
        }
    }
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self::new(&TracingConfig::default())
    }
}

impl fmt::Debug for WorkerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSettings")
            .field("schedule_delay", &self.schedule_delay)
            .field("export_timeout", &self.export_timeout)
            .field("max_queue_spans", &self.max_queue_spans)
            .field("max_queue_bytes", &self.max_queue_bytes)
            .field("max_batch_spans", &self.max_batch_spans)
            .finish_non_exhaustive()
    }
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
}

impl Worker {
    /// Starts the exporter thread.
    ///
    /// # Errors
    /// The operating system's, if it cannot start a thread.
    pub fn spawn(destination: Destination, envelope: Arc<Envelope>, source: Box<dyn Source>) -> io::Result<Self> {
        let Destination { name, exporter, settings } = destination;
        let queue = Arc::new(Queue::new(QueueLimits {
            queue_spans: settings.max_queue_spans.max(1),
            queue_bytes: settings.max_queue_bytes,
            batch_spans: settings.max_batch_spans.max(1).min(settings.max_queue_spans.max(1)),
            batch_bytes: BATCH_BYTES,
        }));
        let interrupter = exporter.interrupter();
        let exporting = Exporting {
            queue: Arc::clone(&queue),
            // A delay of zero would keep the thread busy while there is nothing to do.
            schedule_delay: settings.schedule_delay.max(Duration::from_millis(1)),
            export_timeout: settings.export_timeout,
            retry: Retry::new(settings.backoff),
            random: Box::new(random_numbers()),
            reporter: Reporter::new(&name, settings.report, settings.loss_quiet_time),
            envelope,
            exporter,
            source,
            throttled_until: None,
            framing: Vec::new(),
        };
        let thread = thread::Builder::new().name("clewline-exporter".to_owned()).spawn(move || exporting.run())?;
        Ok(Self { name, queue, thread: Mutex::new(Some(thread)), interrupter })
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

    /// Has the exporter thread drain its [`Source`] soon. Cheap enough to be called often.
    pub fn wake(&self) {
        self.queue.wake();
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
    /// The outcome was not known within `timeout`; sending goes on.
    pub fn flush(&self, timeout: Duration) -> Result<(), TimedOut> {
        Self::flush_all(std::slice::from_ref(self), timeout)
    }

    /// Flushes several at the same time; see [`Worker::flush`].
    pub(crate) fn flush_all(workers: &[Self], timeout: Duration) -> Result<(), TimedOut> {
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
    /// The thread did not end in time, because connecting or resolving a name could not be cut short.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), TimedOut> {
        Self::shutdown_all(std::slice::from_ref(self), timeout)
    }

    /// Shuts several down at the same time; see [`Worker::shutdown`].
    pub(crate) fn shutdown_all(workers: &[Self], timeout: Duration) -> Result<(), TimedOut> {
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

    fn timed_out(workers: &[Self]) -> TimedOut {
        TimedOut { pending: workers.iter().map(|worker| worker.stats().pending).max().unwrap_or_default() }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.queue.is_shut_down() {
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

/// A deadline; a timeout too long for the clock is a day.
fn after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400))
}

/// Everything the exporter thread owns.
struct Exporting {
    queue: Arc<Queue>,
    schedule_delay: Duration,
    export_timeout: Option<Duration>,
    retry: Retry,
    random: Box<dyn FnMut() -> f64 + Send>,
    reporter: Reporter,
    envelope: Arc<Envelope>,
    exporter: Box<dyn SpanExporter>,
    source: Box<dyn Source>,
    /// The collector asked for silence until then.
    throttled_until: Option<Instant>,
    framing: Vec<u8>,
}

/// Announces the end of the exporter thread even if it ends by a panic, so that nobody waits for it in vain.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.finish();
        self.0.announce_end();
    }
}

impl Exporting {
    fn run(mut self) {
        let _end = End(Arc::clone(&self.queue));
        let mut due_at = after(self.schedule_delay);
        loop {
            let call = self.queue.wait_for_work(due_at);
            self.export_queue(call);
            if call.is_due {
                due_at = after(self.schedule_delay);
            }
            if call.is_shutdown {
                break;
            }
            observe(&mut self.reporter, &self.queue);
        }
        // Spans that ended after the last look are counted too.
        self.collect(usize::MAX);
        self.queue.finish();
        shielded(|| self.exporter.shutdown());
        self.reporter.finish(Instant::now(), &self.queue.counters.read());
    }

    /// Sends what is in the queue now: all of it where it is due, else only whole batches.
    fn export_queue(&mut self, call: Call) {
        let room = self.queue.room();
        let may_collect = call.is_shutdown || room > 0;
        if may_collect {
            // What is due is fetched whole, so that a flush reaches all that ended before it.
            self.collect(if call.is_due { usize::MAX } else { room });
        }
        self.send(call.is_due);
        if call.is_due && !may_collect {
            // Now there is room for what had to stay in the buffers, and it is due as well.
            self.collect(usize::MAX);
            self.send(true);
        }
        self.queue.flushed(call.flush);
    }

    /// Sends all that waits, or only whole batches.
    fn send(&mut self, is_due: bool) {
        let mut owed = self.queue.owed(is_due);
        let mut batch = Vec::new();
        while owed > 0 && self.wait_for_permission() {
            let spans = self.queue.take_batch(&mut batch);
            if spans == 0 {
                break;
            }
            self.deliver(&batch, spans);
            batch.clear();
            observe(&mut self.reporter, &self.queue);
            owed = owed.saturating_sub(spans);
            // There is room now for what had to stay in the buffers while there was none.
            self.queue.wake();
        }
    }

    /// Moves what the application's threads have ready into the queue, or as much as is `enough`.
    fn collect(&self, enough: usize) {
        drain(self.source.as_ref(), &self.queue, enough);
    }

    /// Waits out a throttle. Returns false where a shutdown comes first.
    fn wait_for_permission(&mut self) -> bool {
        let until = self.throttled_until.take().unwrap_or_else(Instant::now);
        if until <= Instant::now() {
            return self.queue.shutdown_deadline().is_none_or(|deadline| Instant::now() < deadline);
        }
        let may_send = pause(&self.queue, self.source.as_ref(), &mut self.reporter, until);
        if !may_send {
            self.throttled_until = Some(until);
        }
        may_send
    }

    /// Delivers one batch, with as many attempts as its time limit allows, and enters the outcome in the ledger.
    fn deliver(&mut self, batch: &[Chunk], spans: usize) {
        let limit = self.export_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let parts = self.envelope.assemble(batch, &mut self.framing);
        let request = Request::new(&parts, spans);
        let mut is_repeated = false;
        loop {
            self.queue.counters.attempt(is_repeated);
            is_repeated = true;
            let deadline = limit.into_iter().chain(self.queue.shutdown_deadline()).min();
            let outcome = attempt(self.exporter.as_mut(), &request, deadline);
            let ExportOutcome::Retryable { after: asked, reason } = outcome else {
                self.retry.settle();
                return settle(outcome, batch, spans, &self.queue, &mut self.reporter);
            };
            self.reporter.note_error(reason);
            let now = Instant::now();
            // The shutdown may have begun during the attempt.
            let closing = self.queue.shutdown_deadline();
            let deadline = limit.into_iter().chain(closing).min();
            let reason = match self.retry.decide(now, asked, deadline, (self.random)()) {
                Decision::RetryAt(at) if pause(&self.queue, self.source.as_ref(), &mut self.reporter, at) => continue,
                Decision::RetryAt(_) => DropReason::Shutdown,
                Decision::GiveUp { not_before } => {
                    let longest = now + LONGEST_THROTTLE;
                    self.throttled_until = Some(not_before.map_or(longest, |at| at.min(longest)));
                    // The limit of this batch would have allowed for another attempt, had there been no shutdown.
                    let is_cut_short = closing.is_some() && deadline == closing;
                    if is_cut_short { DropReason::Shutdown } else { DropReason::Undeliverable }
                }
            };
            return self.queue.settle(batch, spans, Fate::Dropped(reason), Fate::Dropped(reason));
        }
    }
}

/// Enters an outcome that is not to be retried.
fn settle(outcome: ExportOutcome, batch: &[Chunk], spans: usize, queue: &Queue, reporter: &mut Reporter) {
    let fate = match outcome {
        ExportOutcome::Delivered => Fate::Delivered,
        ExportOutcome::PartiallyRejected { rejected, message } => {
            if rejected > 0 {
                reporter.note_error(message);
            } else {
                reporter.warn(message);
            }
            // The collector says how many it refused, not which: the last ones stand for them.
            let taken = spans.saturating_sub(usize::try_from(rejected).unwrap_or(usize::MAX));
            return queue.settle(batch, taken, Fate::Delivered, Fate::Rejected);
        }
        ExportOutcome::Rejected { reason } => {
            reporter.note_error(reason);
            Fate::Rejected
        }
        ExportOutcome::TooLarge { bytes, limit } => {
            reporter.note_error(format!("a request of {bytes} bytes is over the limit of {limit}"));
            Fate::Dropped(DropReason::TooLarge)
        }
        ExportOutcome::Retryable { reason, .. } => {
            reporter.note_error(reason);
            Fate::Dropped(DropReason::Undeliverable)
        }
    };
    queue.settle(batch, spans, fate, fate);
}

/// One attempt; a panic of the exporter costs this batch, not the thread.
fn attempt(exporter: &mut dyn SpanExporter, request: &Request<'_>, deadline: Option<Instant>) -> ExportOutcome {
    shielded(|| exporter.export(request, deadline))
        .unwrap_or_else(|| ExportOutcome::Rejected { reason: "the exporter panicked".to_owned() })
}

/// Runs the program's own code. The panic hook has reported a panic; nothing of ours is in the middle of a change meanwhile.
pub(super) fn shielded<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Waits for the next attempt; meanwhile relieves threads whose buffers fill up, while there is room, and reports
/// losses. Returns false where a shutdown leaves no time for that attempt.
fn pause(queue: &Queue, source: &dyn Source, reporter: &mut Reporter, until: Instant) -> bool {
    queue.pause(until, REPORT_EVERY, || {
        let room = queue.room();
        if room > 0 {
            drain(source, queue, room);
        }
        observe(reporter, queue);
    })
}

/// Reports losses that begin or end; during a shutdown they are summed up in one line at its end.
fn observe(reporter: &mut Reporter, queue: &Queue) {
    if !queue.is_shut_down() {
        reporter.observe(Instant::now(), &queue.counters.read());
    }
}

fn drain(source: &dyn Source, queue: &Queue, enough: usize) {
    source.drain(enough, &mut |chunk| {
        if chunk.count() > 0 {
            queue.accept(chunk);
        }
    });
}
