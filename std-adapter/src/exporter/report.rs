//! Tells the operator when spans begin to wait or to be lost and when that ends: one line each, never one per batch.

use std::time::Duration;

use super::exporting::shielded;
use super::stats::Stats;
use crate::time::Instant;

/// How long the collector must be away before a line says so: one that fails now and then is no news.
const ABSENCE_WORTH_TELLING: Duration = Duration::from_secs(5);

/// Where lines go.
pub(super) type Sink = Box<dyn FnMut(&str) + Send>;

/// Watches the ledger for losses.
pub(super) struct Reporter {
    /// What every line begins with.
    prefix: String,
    sink: Sink,
    /// A loss has ended when this long nothing was lost and something was delivered.
    quiet: Duration,
    /// Losses accounted for so far.
    lost: u64,
    loss: Option<Loss>,
    last_error: Option<String>,
    last_warning: Option<String>,
    waiting: Option<Waiting>,
    #[cfg(feature = "spool")]
    away: Option<Away>,
}

/// Attempts that failed, one after the other, at batches that stay in memory.
struct Waiting {
    since: Instant,
    latest: Instant,
    is_told: bool,
}

/// An absence of the collector during which spans are kept on disk.
#[cfg(feature = "spool")]
struct Away {
    since: Instant,
    is_told: bool,
}

/// A loss that has been reported and has not ended.
struct Loss {
    since: Instant,
    latest: Instant,
    lost_before: u64,
    delivered_at_latest: u64,
}

impl Reporter {
    /// A reporter for the destination called `name`, which may be empty.
    pub(super) fn new(name: &str, sink: Sink, quiet: Duration) -> Self {
        let prefix = if name.is_empty() { "clewline: ".to_owned() } else { format!("clewline: {name}: ") };
        Self {
            prefix,
            sink,
            quiet,
            lost: 0,
            loss: None,
            last_error: None,
            last_warning: None,
            waiting: None,
            #[cfg(feature = "spool")]
            away: None,
        }
    }

    /// Writes a line. Where it goes is the program's own code, whose panic must not end the exporter thread.
    fn line(&mut self, text: &str) {
        let line = format!("{}{text}", self.prefix);
        shielded(|| (self.sink)(&line));
    }

    /// Remembers what went wrong last, for the line that reports a loss.
    pub(super) fn note_error(&mut self, error: String) {
        self.last_error = Some(error);
    }

    /// An attempt failed, after which its batch waits in memory for the next one.
    pub(super) fn waits(&mut self, now: Instant) {
        self.waiting.get_or_insert(Waiting { since: now, latest: now, is_told: false }).latest = now;
    }

    /// The collector has answered an attempt for good. A line says so where one said that it did not, unless spans have been lost
    /// since: then another will say when they arrive again.
    pub(super) fn answers(&mut self, now: Instant) {
        if let Some(Waiting { since, is_told: true, .. }) = self.waiting.take()
            && self.loss.is_none()
        {
            self.line(&format!("the collector takes spans again, after {:.1} s", (now - since).as_secs_f64()));
        }
    }

    /// Judges by the attempts, not by the clock: a thread that was held up has not heard from the collector meanwhile.
    fn observe_waiting(&mut self, stats: &Stats) {
        if let Some(waiting) = &mut self.waiting
            && !waiting.is_told
            && self.loss.is_none()
            && waiting.latest.saturating_duration_since(waiting.since) >= ABSENCE_WORTH_TELLING
        {
            waiting.is_told = true;
            let error = self.error();
            self.line(&format!("the collector takes nothing; spans wait in memory: {} so far{error}", stats.pending));
        }
    }

    /// Passes on a warning of the collector, unless it is the same as the one before.
    pub(super) fn warn(&mut self, warning: String) {
        if self.last_warning.as_ref() != Some(&warning) {
            self.line(&format!("the collector took spans with a warning: {warning}"));
            self.last_warning = Some(warning);
        }
    }

    /// Tells the operator something.
    #[cfg(feature = "spool")]
    pub(super) fn say(&mut self, text: &str) {
        self.line(text);
    }

    /// Spans are kept on disk from now on. A line says so if that lasts.
    #[cfg(feature = "spool")]
    pub(super) fn away(&mut self, now: Instant) {
        self.away.get_or_insert(Away { since: now, is_told: false });
    }

    /// What was kept on disk has left.
    #[cfg(feature = "spool")]
    pub(super) fn back(&mut self, now: Instant) {
        if let Some(Away { since, is_told: true }) = self.away.take() {
            let seconds = (now - since).as_secs_f64();
            self.line(&format!("the collector is back; what was kept on disk for {seconds:.1} s has been sent"));
        }
    }

    #[cfg(feature = "spool")]
    fn observe_absence(&mut self, now: Instant, stats: &Stats) {
        if let Some(away) = &mut self.away
            && !away.is_told
            && now.saturating_duration_since(away.since) >= ABSENCE_WORTH_TELLING
        {
            away.is_told = true;
            let kept = stats.spooled + stats.inherited.waiting;
            let error = self.error();
            self.line(&format!("the collector is away; spans are kept on disk: {kept} so far{error}"));
        }
    }

    /// What went wrong last, to end a line with.
    fn error(&self) -> String {
        self.last_error.as_ref().map_or_else(String::new, |error| format!("; last error: {error}"))
    }

    /// Looks at the ledger and writes a line if a loss began or ended.
    pub(super) fn observe(&mut self, now: Instant, stats: &Stats) {
        #[cfg(feature = "spool")]
        self.observe_absence(now, stats);
        let lost = stats.lost();
        if lost > self.lost {
            let lost_before = self.lost;
            self.lost = lost;
            match &mut self.loss {
                Some(loss) => {
                    loss.latest = now;
                    loss.delivered_at_latest = stats.delivered;
                }
                None => self.begin(now, lost_before, stats),
            }
        } else if let Some(loss) = &self.loss
            && stats.delivered > loss.delivered_at_latest
            && now.saturating_duration_since(loss.latest) >= self.quiet
        {
            let (count, seconds) = (lost - loss.lost_before, (loss.latest - loss.since).as_secs_f64());
            self.line(&format!("spans arrive again; {count} were lost within {seconds:.1} s"));
            self.loss = None;
        }
        self.observe_waiting(stats);
    }

    /// The last look, after which nothing more can be lost: a loss that is still going on ends here.
    pub(super) fn finish(&mut self, now: Instant, stats: &Stats) {
        let was_losing = self.loss.is_some();
        self.observe(now, stats);
        if was_losing && self.loss.take().is_some() {
            self.line(&format!("{} spans were lost in all ({stats})", stats.lost()));
        }
    }

    fn begin(&mut self, now: Instant, lost_before: u64, stats: &Stats) {
        let count = self.lost - lost_before;
        let error = self.error();
        self.line(&format!("spans are being lost: {count} so far ({stats}){error}"));
        self.loss = Some(Loss { since: now, latest: now, lost_before, delivered_at_latest: stats.delivered });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use super::super::stats::{Counters, DropReason};
    use super::Reporter;

    /// A reporter with a quiet time of 30 s, and the lines it wrote.
    fn reporter() -> (Reporter, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let sink = Box::new(move |line: &str| sink.lock().expect("no panic").push(line.to_owned()));
        (Reporter::new("", sink, Duration::from_secs(30)), lines)
    }

    #[test]
    fn a_loss_is_one_line_when_it_begins_and_one_when_it_ends() {
        let (mut reporter, lines) = reporter();
        let counters = Counters::default();
        let start = Instant::now();
        let mut at = |second, counters: &Counters| {
            reporter.observe(start + Duration::from_secs(second), &counters.read());
            lines.lock().expect("no panic").len()
        };
        assert_eq!(at(0, &counters), 0);
        for second in 1..10 {
            counters.dropped(DropReason::QueueFull, 10);
            assert_eq!(at(second, &counters), 1, "one line, however often spans are lost");
        }
        assert_eq!(at(60, &counters), 1, "quiet, but nothing was delivered");
        counters.delivered(5);
        assert_eq!(at(61, &counters), 2);
        counters.dropped(DropReason::QueueFull, 1);
        assert_eq!(at(62, &counters), 3, "a new loss");
        counters.delivered(5);
        assert_eq!(at(63, &counters), 3, "delivered, but not quiet for long enough");
        let lines = lines.lock().expect("no panic");
        assert_eq!(lines[0], "clewline: spans are being lost: 10 so far (queue full 10)");
        assert_eq!(lines[1], "clewline: spans arrive again; 90 were lost within 8.0 s");
    }

    #[test]
    fn the_end_closes_an_open_loss_and_says_nothing_twice() {
        let now = Instant::now();
        let counters = Counters::default();
        let (mut calm, lines) = reporter();
        calm.finish(now, &counters.read());
        assert!(lines.lock().expect("no panic").is_empty());

        counters.dropped(DropReason::Undeliverable, 3);
        let (mut short, lines) = reporter();
        short.note_error("refused".to_owned());
        short.finish(now, &counters.read());
        let expected = "clewline: spans are being lost: 3 so far (not delivered in time 3); last error: refused";
        assert_eq!(*lines.lock().expect("no panic"), [expected]);

        let (mut long, lines) = reporter();
        long.observe(now, &counters.read());
        counters.rejected(2);
        long.finish(now, &counters.read());
        let lines = lines.lock().expect("no panic");
        assert_eq!(lines.len(), 2);
        let expected = "clewline: 5 spans were lost in all (not delivered in time 3, refused by the collector 2)";
        assert_eq!(lines[1], expected);
    }

    #[test]
    fn a_collector_that_stays_away_is_one_line_before_anything_is_lost() {
        let (mut reporter, lines) = reporter();
        let counters = Counters::default();
        counters.received(7);
        let start = Instant::now();
        let second = |second| start + Duration::from_secs(second);
        let told = || lines.lock().expect("no panic").clone();
        for time in 0..5 {
            reporter.note_error("refused".to_owned());
            reporter.waits(second(time));
            // However late it is: only attempts tell.
            reporter.observe(second(100), &counters.read());
        }
        assert!(told().is_empty(), "{:?}", told());
        for time in 5..9 {
            reporter.waits(second(time));
            reporter.observe(second(time), &counters.read());
        }
        let away = "clewline: the collector takes nothing; spans wait in memory: 7 so far; last error: refused";
        assert_eq!(told(), [away]);
        reporter.answers(second(9));
        reporter.answers(second(10));
        assert_eq!(told()[1..], ["clewline: the collector takes spans again, after 9.0 s"]);

        // Short absences are no news, and where spans are lost there is a line already.
        reporter.waits(second(20));
        reporter.answers(second(21));
        counters.dropped(DropReason::Undeliverable, 7);
        reporter.waits(second(30));
        reporter.waits(second(60));
        reporter.observe(second(60), &counters.read());
        reporter.answers(second(61));
        assert_eq!(told().len(), 3, "{:?}", told());
        assert!(told()[2].contains("spans are being lost: 7 so far"), "{:?}", told());
    }

    #[test]
    fn a_warning_is_passed_on_once() {
        let (mut reporter, lines) = reporter();
        for warning in ["a", "a", "b"] {
            reporter.warn(warning.to_owned());
        }
        assert_eq!(lines.lock().expect("no panic").len(), 2);
    }
}
