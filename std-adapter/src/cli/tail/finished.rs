//! When a trace counts as finished: its root is here and nothing more came for a moment.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// How long a trace whose root is here has to be quiet. Exporters of one trace send within about a second of each other.
const QUIET: Duration = Duration::from_millis(1200);

/// How long a trace without a root has to be quiet: its root may never come, when the caller does not trace.
const QUIET_WITHOUT_ROOT: Duration = Duration::from_secs(6);

/// How many printed traces are remembered, to tell when one is printed again.
const REMEMBERED: usize = 1000;

/// How often a server is asked for a trace that it does not answer for in time.
const ATTEMPTS: u8 = 5;

/// The traces that changed and are not yet printed, and those that were.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: HashMap<String, Waiting>,
    unanswered: HashMap<String, u8>,
    printed: HashMap<String, usize>,
    printed_order: VecDeque<String>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    root_received: bool,
}

impl Pending {
    /// Whether no trace is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A trace changed.
    pub(super) fn changed(&mut self, trace_id: String, root_received: bool, now: Instant) {
        self.waiting.insert(trace_id, Waiting { since: now, root_received });
    }

    /// Takes the traces that have been quiet for long enough, the longest quiet first.
    pub(super) fn finished(&mut self, now: Instant) -> Vec<String> {
        let mut finished: Vec<(Instant, String)> = self
            .waiting
            .extract_if(|_, waiting| {
                let quiet = if waiting.root_received { QUIET } else { QUIET_WITHOUT_ROOT };
                now.duration_since(waiting.since) >= quiet
            })
            .map(|(trace_id, waiting)| (waiting.since, trace_id))
            .collect();
        finished.sort_unstable();
        finished.into_iter().map(|(_, trace_id)| trace_id).collect()
    }

    /// Lets a trace that the server did not answer for wait for another attempt; answers whether there is one.
    pub(super) fn unanswered(&mut self, trace_id: &str, now: Instant) -> bool {
        let attempts = self.unanswered.entry(trace_id.to_owned()).or_default();
        *attempts += 1;
        let is_last = *attempts == ATTEMPTS;
        if is_last {
            self.unanswered.remove(trace_id);
        } else {
            self.changed(trace_id.to_owned(), true, now);
        }
        !is_last
    }

    /// Notes that a trace is printed with this many spans, and answers with how many it was printed before.
    pub(super) fn printed(&mut self, trace_id: &str, spans: usize) -> Option<usize> {
        self.unanswered.remove(trace_id);
        let before = self.printed.insert(trace_id.to_owned(), spans);
        if before.is_none() {
            self.printed_order.push_back(trace_id.to_owned());
            if self.printed_order.len() > REMEMBERED
                && let Some(forgotten) = self.printed_order.pop_front()
            {
                self.printed.remove(&forgotten);
            }
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_nobody_answers_for_is_given_up_after_a_while() {
        let now = Instant::now();
        let mut pending = Pending::default();
        for _ in 1..ATTEMPTS {
            assert!(pending.unanswered("silent", now));
            assert_eq!(pending.finished(now + QUIET), ["silent"]);
        }
        assert!(!pending.unanswered("silent", now));
        assert!(pending.is_empty());
        assert!(pending.unanswered("silent", now), "it has changed since, and begins anew");
        pending.printed("silent", 1);
        assert!(pending.unanswered.is_empty());
    }

    #[test]
    fn a_trace_is_finished_when_it_is_quiet() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pending = Pending::default();
        pending.changed("rootless".to_owned(), false, at(0));
        pending.changed("b".to_owned(), false, at(0));
        pending.changed("a".to_owned(), true, at(100));
        pending.changed("b".to_owned(), true, at(1000));
        assert_eq!(pending.finished(at(1250)), Vec::<String>::new());
        assert_eq!(pending.finished(at(1300)), ["a"]);
        assert_eq!(pending.finished(at(1300)), Vec::<String>::new());
        assert_eq!(pending.finished(at(2200)), ["b"]);
        assert_eq!(pending.finished(at(6000)), ["rootless"]);
        assert!(pending.is_empty());
    }

    #[test]
    fn only_so_many_printed_traces_are_remembered() {
        let mut pending = Pending::default();
        assert_eq!(pending.printed("first", 3), None);
        assert_eq!(pending.printed("first", 5), Some(3));
        for other in 0..REMEMBERED {
            assert_eq!(pending.printed(&other.to_string(), 1), None);
        }
        assert_eq!(pending.printed("first", 6), None);
        assert!(pending.printed.len() <= REMEMBERED + 1);
    }
}
