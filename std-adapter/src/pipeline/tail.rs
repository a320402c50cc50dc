//! The tail rule: holds finished spans until it is known whether their trace is worth keeping.
//!
//! A trace is kept from the moment on at which one of its spans gives a reason (it failed, or ran longer than a bound): what is
//! held of it leaves at once, and what comes later with it. A trace whose local root ends without a reason is not kept.
//!
//! Spans come from one thread after the other, so a root may come before spans that ended earlier on other threads. It is judged
//! when all threads have been looked at once more.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use clewline_core::{SpanView, TailRule, TraceId};

use crate::exporter::framed_spans;
use crate::time::Instant;

/// Which traces are exported, decided once they have ended (see [`PipelineBuilder::tail`](super::PipelineBuilder::tail)).
///
/// A trace is complete when its local root ends: the span without a parent, or with one in another process. The local root of
/// a trace that has none here, because it came through a message, say, never ends; such traces are judged when their time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailSampling {
    /// What a trace is kept for.
    pub rule: TailRule,
    /// Bytes in which spans wait for the decision. When they are full, the trace that waits longest is given up: its spans are
    /// counted as [undecided](crate::Ledger::dropped_undecided).
    pub max_bytes: usize,
    /// How long a trace may wait for its local root before it is given up.
    pub longest_wait: Duration,
}

impl TailSampling {
    /// The bytes in which spans wait, where nothing else is said: 32 MiB.
    pub const DEFAULT_MAX_BYTES: usize = 32 << 20;
    /// How long a trace may wait, where nothing else is said: 30 seconds.
    pub const DEFAULT_LONGEST_WAIT: Duration = Duration::from_secs(30);

    /// Keeps the traces that `rule` names.
    #[must_use]
    pub const fn new(rule: TailRule) -> Self {
        Self { rule, max_bytes: Self::DEFAULT_MAX_BYTES, longest_wait: Self::DEFAULT_LONGEST_WAIT }
    }
}

/// Traces that were decided are remembered, so that spans which end after their root follow them; this many of them.
const REMEMBERED: usize = 16 * 1024;
/// How many entries the order may have that stand for nothing any more, besides as many as there are traces.
const STALE: usize = 1024;
/// What a span that is held takes besides its bytes, about.
const BESIDES: usize = 64;

/// The spans that wait, and what is known of their traces.
#[derive(Debug)]
pub(super) struct Tail {
    settings: TailSampling,
    held: HashMap<TraceId, Held>,
    /// The traces that are held, by when their first span came; some may have been decided since.
    order: VecDeque<(Instant, TraceId)>,
    bytes: usize,
    /// The traces whose local root has come, to be judged after the next look at all threads.
    complete: Vec<TraceId>,
    /// Whether traces that were decided are kept.
    decided: HashMap<TraceId, bool>,
    decided_order: VecDeque<TraceId>,
    counts: TailCounts,
}

/// What became of spans that were not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TailCounts {
    /// Their trace gave no reason to be kept.
    pub(super) discarded: u64,
    /// Their trace was given up before it was complete.
    pub(super) undecided: u64,
}

/// The spans of one trace.
#[derive(Debug, Default)]
struct Held {
    since: Option<Instant>,
    runs: Vec<Run>,
}

/// Spans of one scope.
#[derive(Debug)]
struct Run {
    scope: u16,
    spans: usize,
    bytes: Vec<u8>,
}

/// What a tail rule does with spans. Pipelines have it through this trait, so that a program without such a rule has not its code
/// either: to a page, that is 3 KB.
pub(super) trait Hold: Send {
    /// Takes finished spans of one scope. Hands out what is to be exported: scope, number of spans, bytes.
    fn push(&mut self, now: Instant, scope: u16, spans: &[u8], keep: &mut dyn FnMut(u16, usize, &[u8]));
    /// The traces that are complete: nothing more of them can come but what ends from now on.
    fn take_complete(&mut self) -> Vec<TraceId>;
    /// Judges traces, once all threads have been looked at again since they were [complete](Self::take_complete).
    fn judge(&mut self, complete: Vec<TraceId>);
    /// Gives up traces that have waited too long.
    fn expire(&mut self, now: Instant);
    /// Gives up every trace, at the end.
    fn end(&mut self);
    /// What became of spans that were not kept.
    fn counts(&self) -> TailCounts;
}

impl Tail {
    pub(super) fn new(settings: TailSampling) -> Self {
        Self {
            settings,
            held: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            complete: Vec::new(),
            decided: HashMap::new(),
            decided_order: VecDeque::new(),
            counts: TailCounts::default(),
        }
    }
}

impl Hold for Tail {
    fn push(&mut self, now: Instant, scope: u16, spans: &[u8], keep: &mut dyn FnMut(u16, usize, &[u8])) {
        for (field, message) in framed_spans(spans) {
            // What this process wrote can be read; should it not, it is exported as it is, for others to see.
            let Ok(view) = SpanView::parse(message) else {
                keep(scope, 1, field);
                continue;
            };
            let trace_id = view.trace_id();
            if self.decided.get(&trace_id) == Some(&true) {
                keep(scope, 1, field);
            } else if self.settings.rule.keeps(&view) {
                self.decide(trace_id, true);
                for run in self.take(trace_id) {
                    keep(run.scope, run.spans, &run.bytes);
                }
                keep(scope, 1, field);
            } else {
                self.hold(now, trace_id, scope, field);
                if is_local_root(&view) {
                    self.complete.push(trace_id);
                }
            }
        }
    }

    fn take_complete(&mut self) -> Vec<TraceId> {
        std::mem::take(&mut self.complete)
    }

    fn judge(&mut self, complete: Vec<TraceId>) {
        for trace_id in complete {
            // A reason that came meanwhile has released it.
            let spans: usize = self.take(trace_id).iter().map(|run| run.spans).sum();
            if spans > 0 {
                self.counts.discarded += spans as u64;
                self.decide(trace_id, false);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(since, trace_id)) = self.order.front() {
            if now.saturating_duration_since(since) < self.settings.longest_wait {
                return;
            }
            self.order.pop_front();
            self.give_up(since, trace_id);
        }
    }

    fn end(&mut self) {
        for (since, trace_id) in std::mem::take(&mut self.order) {
            self.give_up(since, trace_id);
        }
    }

    fn counts(&self) -> TailCounts {
        self.counts
    }
}

impl Tail {
    fn hold(&mut self, now: Instant, trace_id: TraceId, scope: u16, field: &[u8]) {
        let held = self.held.entry(trace_id).or_default();
        if held.since.is_none() {
            held.since = Some(now);
            self.order.push_back((now, trace_id));
            self.forget_stale();
        }
        let held = self.held.entry(trace_id).or_default();
        match held.runs.iter_mut().find(|run| run.scope == scope) {
            Some(run) => {
                run.spans += 1;
                run.bytes.extend_from_slice(field);
            }
            None => held.runs.push(Run { scope, spans: 1, bytes: field.to_vec() }),
        }
        self.bytes += field.len() + BESIDES;
        while self.bytes > self.settings.max_bytes
            && let Some((since, oldest)) = self.order.pop_front()
        {
            self.give_up(since, oldest);
        }
    }

    fn take(&mut self, trace_id: TraceId) -> Vec<Run> {
        let runs = self.held.remove(&trace_id).unwrap_or_default().runs;
        self.bytes -= runs.iter().map(|run| run.bytes.len() + run.spans * BESIDES).sum::<usize>();
        runs
    }

    /// Gives up a trace, if it still is the one that has been held since then.
    fn give_up(&mut self, since: Instant, trace_id: TraceId) {
        if self.held.get(&trace_id).is_some_and(|held| held.since == Some(since)) {
            let spans: usize = self.take(trace_id).iter().map(|run| run.spans).sum();
            // Spans that ended after their root, whose trace was not kept, follow it.
            let is_decided = self.decided.contains_key(&trace_id);
            let count = if is_decided { &mut self.counts.discarded } else { &mut self.counts.undecided };
            *count += spans as u64;
        }
    }

    /// Shortens the order when most of it stands for traces that were decided.
    fn forget_stale(&mut self) {
        if self.order.len() > 2 * self.held.len() + STALE {
            let held = &self.held;
            self.order.retain(|(since, trace_id)| held.get(trace_id).is_some_and(|held| held.since == Some(*since)));
        }
    }

    fn decide(&mut self, trace_id: TraceId, is_kept: bool) {
        if self.decided.insert(trace_id, is_kept).is_some() {
            return;
        }
        self.decided_order.push_back(trace_id);
        if self.decided_order.len() > REMEMBERED
            && let Some(oldest) = self.decided_order.pop_front()
        {
            self.decided.remove(&oldest);
        }
    }
}

/// Whether the span has no parent in this process (OTLP, `Span.flags`: bits 8 and 9 say that the parent is remote).
fn is_local_root(span: &SpanView<'_>) -> bool {
    const REMOTE_PARENT: u32 = 0x300;
    span.parent_span_id().is_none() || span.flags() & REMOTE_PARENT == REMOTE_PARENT
}

#[cfg(test)]
mod tests {
    use clewline_core::{
        InlineBatch, InlineSpan, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, Status, TraceFlags,
    };

    use super::*;

    const RULE: TailRule = TailRule { longer_than_nanos: 100, failed: true };

    /// A finished span of a trace, with or without a parent here, that ran so long.
    fn span(trace: u8, parent: Option<bool>, duration: u64, failed: bool) -> Vec<u8> {
        let trace_id = TraceId::from_bytes([trace; 16]).unwrap();
        let context = |id: u8| SpanContext::new(trace_id, SpanId::from_bytes([id; 8]).unwrap(), TraceFlags::SAMPLED);
        let parent = parent.map(|is_remote| if is_remote { context(9).into_remote() } else { context(9) });
        let start = SpanStart {
            context: context(1),
            parent,
            name: "work",
            kind: SpanKind::Internal,
            start_time: 1000,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        let mut span = InlineSpan::<128>::new(heapless::Vec::new(), &start);
        if failed {
            span.set_status(Status::error("failed"));
        }
        let mut batch = InlineBatch::<512>::default();
        batch.push(&span, 1000 + duration).unwrap();
        batch.as_bytes().to_vec()
    }

    /// Pushes spans of one scope, judges what is complete, and answers how many leave.
    fn push(tail: &mut Tail, now: Instant, spans: &[Vec<u8>]) -> usize {
        let mut kept = 0;
        tail.push(now, 3, &spans.concat(), &mut |scope, spans, bytes| {
            assert_eq!((scope, framed_spans(bytes).count()), (3, spans));
            kept += spans;
        });
        let complete = tail.take_complete();
        tail.judge(complete);
        kept
    }

    #[test]
    fn a_trace_leaves_whole_as_soon_as_there_is_a_reason_and_otherwise_never() {
        let (child, slow, failed) = (Some(false), 101, 0);
        // The spans of a trace in the order of their ends; how many leave.
        let table: [(&[Vec<u8>], usize); 8] = [
            (&[span(1, child, 100, false), span(1, None, 100, false)], 0),
            (&[span(1, child, slow, false), span(1, None, 0, false)], 2),
            (&[span(1, child, 0, false), span(1, None, slow, false)], 2),
            (&[span(1, child, 0, false), span(1, child, failed, true), span(1, child, 0, false)], 3),
            (&[span(1, child, 0, false), span(1, Some(true), 0, false)], 0),
            (&[span(1, child, 0, false), span(1, Some(true), 0, true)], 2),
            (&[span(1, child, 0, false), span(2, None, slow, false)], 1),
            // What ended before the root on another thread may come after it.
            (&[span(1, None, 0, false), span(1, child, slow, false)], 2),
        ];
        for (number, (spans, kept)) in table.into_iter().enumerate() {
            let mut tail = Tail::new(TailSampling::new(RULE));
            assert_eq!(push(&mut tail, Instant::now(), spans), kept, "case {number}");
            tail.end();
            let counts = tail.counts;
            assert_eq!(kept as u64 + counts.discarded + counts.undecided, spans.len() as u64, "case {number}");
            assert_eq!((tail.bytes, tail.held.len()), (0, 0), "case {number}");
        }
    }

    #[test]
    fn spans_that_end_after_their_root_follow_its_trace() {
        let now = Instant::now();
        let mut tail = Tail::new(TailSampling::new(RULE));
        assert_eq!(push(&mut tail, now, &[span(1, None, 101, false), span(2, None, 0, false)]), 1);
        assert_eq!(push(&mut tail, now, &[span(1, Some(false), 0, false), span(2, Some(false), 0, false)]), 1);
        assert_eq!(push(&mut tail, now, &[span(2, Some(false), 0, true), span(2, Some(false), 0, false)]), 3);
        assert_eq!((tail.counts.discarded, tail.counts.undecided), (1, 0));
    }

    #[test]
    fn a_trace_without_a_root_is_given_up_in_time_and_when_memory_is_short() {
        let now = Instant::now();
        let settings = TailSampling { max_bytes: 1000, ..TailSampling::new(RULE) };
        let mut tail = Tail::new(settings);
        for trace in 1..=50 {
            assert_eq!(push(&mut tail, now, &[span(trace, Some(false), 0, false)]), 0);
            assert!(tail.bytes <= 1000);
        }
        let early = tail.counts.undecided;
        assert!(early > 35, "{early}");
        tail.expire(now + settings.longest_wait - Duration::from_nanos(1));
        assert_eq!(tail.counts.undecided, early);
        tail.expire(now + settings.longest_wait);
        assert_eq!((tail.counts.undecided, tail.counts.discarded, tail.bytes), (50, 0, 0));
    }

    #[test]
    fn what_is_known_of_decided_traces_stays_bounded() {
        let now = Instant::now();
        let mut tail = Tail::new(TailSampling::new(RULE));
        for number in 1..=50_000_u64 {
            let trace_id = TraceId::from_bytes(u128::from(number).to_be_bytes()).unwrap();
            tail.hold(now, trace_id, 0, b"span");
            tail.judge(vec![trace_id]);
        }
        assert_eq!((tail.counts.discarded, tail.held.len(), tail.bytes), (50_000, 0, 0));
        assert!(tail.order.len() <= STALE + 2 && tail.decided.len() <= REMEMBERED, "{}", tail.order.len());
    }
}
