//! Samplers that decide by time, by name, and by what became of a trace.

use std::collections::HashSet;
use std::time::Duration;

use clewline_core::{
    AlwaysOff, AlwaysOn, Clock, CountingIds, IdSource, InlineBatch, InlineSpan, InlineTailBuffer, LocalSink,
    ManualClock, NoClock, ParentBased, RateLimited, RecordOnly, Rules, Sampler, SamplingDecision, SamplingParameters,
    SamplingRule, SpanContext, SpanKind, SpanLimits, SpanProcessor, SpanStart, SpanView, Status, TailCounts, TailRule,
    TraceFlags, TraceId, Tracer, Verdict,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// Runs are reproducible: a fixed seed, unless the environment asks otherwise.
fn config() -> Config {
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x0af7_6519_16cd_43dd);
    }
    config.failure_persistence = None;
    config
}

fn decide(sampler: &dyn Sampler, name: &str, kind: SpanKind) -> SamplingDecision {
    let trace_id = TraceId::from_bytes([7; 16]).unwrap();
    let parameters =
        SamplingParameters { parent: None, trace_state: "", trace_id, name, kind, attributes: &[], links: &[] };
    sampler.should_sample(&parameters).decision
}

fn samples(sampler: &dyn Sampler) -> bool {
    decide(sampler, "n", SpanKind::Internal) == SamplingDecision::RecordAndSample
}

/// OpenTelemetry trace SDK, "Sampling": RECORD_ONLY is recorded, seen by processors, and not exported.
#[test]
fn record_only_is_seen_and_not_exported() {
    struct Seen<'a>(&'a std::cell::Cell<u32>);
    impl SpanProcessor for Seen<'_> {
        fn on_end(&self, _: &SpanView<'_>) -> Verdict {
            self.0.set(self.0.get() + 1);
            Verdict::Keep
        }
    }
    let seen = std::cell::Cell::new(0);
    let sink = LocalSink::<128, 512, _>::with_processor(Seen(&seen));
    let tracer = Tracer::new(NoClock, CountingIds::new(), RecordOnly, sink);
    let mut span = tracer.span("n").start();
    assert!(span.is_recording() && !span.context().is_sampled());
    span.end();
    assert_eq!(seen.get(), 1);
    assert_eq!(tracer.sink().with_batch(|batch| batch.len()), Some(0));
}

#[test]
fn a_bucket_starts_full_and_fills_evenly() {
    let clock = ManualClock::new(1_000);
    let limited = RateLimited::new(&clock, 3, Duration::from_secs(1));
    assert_eq!([(); 5].map(|()| samples(&limited)), [true, true, true, false, false]);
    clock.advance(333_333_333);
    assert!(!samples(&limited), "a third of a second is not quite over");
    clock.advance(1);
    assert_eq!([(); 2].map(|()| samples(&limited)), [true, false]);
    clock.advance(3_600_000_000_000);
    assert_eq!([(); 4].map(|()| samples(&limited)), [true, true, true, false], "never more than full");
    assert_eq!(limited.refused(), 5);
}

#[test]
fn extremes_of_rate_and_time() {
    assert!(!samples(&RateLimited::new(ManualClock::new(0), 0, Duration::from_secs(1))));
    let without_clock = RateLimited::new(NoClock, 2, Duration::from_secs(1));
    assert_eq!([(); 3].map(|()| samples(&without_clock)), [true, true, false]);
    let clock = ManualClock::new(0);
    let rare = RateLimited::new(&clock, 1, Duration::MAX);
    assert!(samples(&rare));
    clock.advance(u64::MAX);
    assert!(samples(&rare), "585 years are as long as it counts");
    let often = RateLimited::new(ManualClock::new(0), u32::MAX, Duration::ZERO);
    assert!((0..100).all(|_| samples(&often)));
}

/// A clock that is set back must neither fill the bucket nor stop it.
#[test]
fn a_clock_set_back_does_not_stop_the_bucket() {
    struct Backwards(std::cell::Cell<u64>);
    impl Clock for Backwards {
        fn unix_nanos(&self) -> Option<u64> {
            Some(self.0.get())
        }
    }
    let clock = Backwards(std::cell::Cell::new(10_000));
    let limited = RateLimited::new(&clock, 1, Duration::from_nanos(10));
    assert!(samples(&limited));
    clock.0.set(5);
    assert!(!samples(&limited));
    clock.0.set(15);
    assert!(samples(&limited));
}

proptest! {
    #![proptest_config(config())]

    /// However the spans come, no window holds more than the bucket and what it gained.
    #[test]
    fn no_window_holds_more_than_its_share(spans in 1..50_u32, gaps in vec(0..200_000_000_u64, 1..200)) {
        let clock = ManualClock::new(0);
        let limited = RateLimited::new(&clock, spans, Duration::from_secs(1));
        let mut kept = Vec::new();
        for gap in gaps {
            clock.advance(gap);
            if samples(&limited) {
                kept.push(clock.unix_nanos().unwrap());
            }
        }
        for (first, start) in kept.iter().enumerate() {
            for (last, end) in kept.iter().enumerate().skip(first) {
                let allowed = u128::from(spans) + u128::from(end - start) * u128::from(spans) / 1_000_000_000;
                prop_assert!(u128::try_from(last - first + 1).unwrap() <= allowed);
            }
        }
    }

    /// Against the obvious definition: a star is any text.
    #[test]
    fn patterns_fit_as_defined(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
        fn fits(pattern: &[u8], name: &[u8]) -> bool {
            match pattern.split_first() {
                None => name.is_empty(),
                Some((b'*', rest)) => (0..=name.len()).any(|start| fits(rest, &name[start..])),
                Some((first, rest)) => name.split_first().is_some_and(|(byte, tail)| byte == first && fits(rest, tail)),
            }
        }
        let table = [SamplingRule { name: &pattern, kind: None, sampler: AlwaysOn }];
        let expected = if fits(pattern.as_bytes(), name.as_bytes()) { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        prop_assert_eq!(decide(&Rules::new(&table, AlwaysOff), &name, SpanKind::Internal), expected);
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    use SamplingDecision::{Drop, RecordAndSample, RecordOnly as Record};
    let table = [
        SamplingRule { name: "GET /health", kind: Some(SpanKind::Server), sampler: &AlwaysOff as &dyn Sampler },
        SamplingRule { name: "GET *", kind: None, sampler: &RecordOnly },
        SamplingRule { name: "*", kind: Some(SpanKind::Client), sampler: &AlwaysOff },
    ];
    let rules = ParentBased::new(Rules::new(&table, AlwaysOn));
    for (name, kind, expected) in [
        ("GET /health", SpanKind::Server, Drop),
        ("GET /health", SpanKind::Client, Record),
        ("GET /healthy", SpanKind::Server, Record),
        ("get /health", SpanKind::Server, RecordAndSample),
        ("POST /cart", SpanKind::Client, Drop),
        ("POST /cart", SpanKind::Server, RecordAndSample),
        ("", SpanKind::Internal, RecordAndSample),
    ] {
        assert_eq!(decide(&rules, name, kind), expected, "{name} {kind:?}");
    }
}

const RULE: TailRule = TailRule { longer_than_nanos: 100, failed: true };

struct Traces {
    ids: CountingIds,
    batch: InlineBatch<8192>,
}

impl Traces {
    fn new() -> Self {
        Self { ids: CountingIds::new(), batch: InlineBatch::default() }
    }

    fn context(&self) -> SpanContext {
        SpanContext::new(self.ids.trace_id(), self.ids.span_id(), TraceFlags::SAMPLED)
    }

    /// A span that takes so many nanoseconds, into the buffer.
    fn end<const N: usize>(
        &mut self,
        tail: &mut InlineTailBuffer<N>,
        context: SpanContext,
        parent: Option<SpanContext>,
        nanos: u64,
        status: Status<'_>,
    ) {
        let start = SpanStart {
            context,
            parent,
            name: "n",
            kind: SpanKind::Internal,
            start_time: 1_000,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        let mut span = InlineSpan::<256>::new(heapless::Vec::new(), &start);
        span.set_status(status);
        tail.push(&span, 1_000 + nanos, &mut self.batch);
    }

    fn child(&self, parent: &SpanContext) -> SpanContext {
        SpanContext::new(parent.trace_id(), self.ids.span_id(), TraceFlags::SAMPLED)
    }

    fn kept(&self) -> Vec<SpanContext> {
        self.batch.iter().map(|span| SpanContext::new(span.trace_id(), span.span_id(), TraceFlags::SAMPLED)).collect()
    }
}

#[test]
fn a_trace_is_kept_whole_if_one_span_failed_or_was_slow() {
    for (nanos, status, is_kept) in [
        (100, Status::default(), false),
        (101, Status::default(), true),
        (1, Status::error(""), true),
        (1, Status::OK, false),
    ] {
        let mut traces = Traces::new();
        let mut tail = InlineTailBuffer::<2048>::new(heapless::Vec::new(), RULE);
        let root = traces.context();
        let (first, second) = (traces.child(&root), traces.child(&root));
        let other = traces.child(&traces.context());
        traces.end(&mut tail, first, Some(root), 1, Status::default());
        traces.end(&mut tail, other, Some(traces.context()), 1, Status::error("of another trace"));
        traces.end(&mut tail, second, Some(root), nanos, status);
        assert!(traces.batch.is_empty(), "not before the root ends");
        traces.end(&mut tail, root, Some(traces.child(&root).into_remote()), 1, Status::default());
        assert_eq!(traces.kept(), if is_kept { vec![first, second, root] } else { vec![] }, "{nanos} {status:?}");
        let (kept, discarded) = if is_kept { (3, 0) } else { (0, 3) };
        assert_eq!(tail.counts(), TailCounts { kept, discarded, dropped: 0, judged_early: 0 });
        assert!(!tail.is_empty(), "the other trace waits");
        tail.flush(&mut traces.batch);
        assert!(tail.is_empty() && traces.kept().last() == Some(&other));
    }
}

#[test]
fn a_full_buffer_judges_the_oldest_trace_early_and_counts_it() {
    let mut traces = Traces::new();
    // Room for two spans of 69 bytes; a root takes 59.
    let mut tail = InlineTailBuffer::<138>::new(heapless::Vec::new(), RULE);
    let roots = [(); 3].map(|()| traces.context());
    let children = roots.map(|root| traces.child(&root));
    traces.end(&mut tail, children[0], Some(roots[0]), 101, Status::default());
    traces.end(&mut tail, children[1], Some(roots[1]), 1, Status::default());
    assert_eq!(tail.counts().judged_early, 0);
    traces.end(&mut tail, children[2], Some(roots[2]), 1, Status::default());
    assert_eq!(tail.counts(), TailCounts { kept: 1, discarded: 0, dropped: 0, judged_early: 1 });
    assert_eq!(traces.kept(), [children[0]]);
    let mut tiny = InlineTailBuffer::<58>::new(heapless::Vec::new(), RULE);
    traces.end(&mut tiny, roots[0], None, 101, Status::default());
    assert_eq!(tiny.counts(), TailCounts { kept: 0, discarded: 0, dropped: 1, judged_early: 0 });
}

proptest! {
    #![proptest_config(config())]

    /// Every span is accounted for, and with room enough a trace is kept or not as a whole.
    #[test]
    fn nothing_is_lost_uncounted(spans in vec((0..4_usize, 0..200_u64, any::<bool>(), any::<bool>()), 0..40)) {
        let mut traces = Traces::new();
        let mut wide = InlineTailBuffer::<8192>::new(heapless::Vec::new(), RULE);
        let mut narrow = InlineTailBuffer::<300>::new(heapless::Vec::new(), RULE);
        let roots = [(); 4].map(|()| traces.context());
        let mut worthy = HashSet::new();
        for (trace, nanos, failed, _) in &spans {
            let context = traces.child(&roots[*trace]);
            let status = if *failed { Status::error("") } else { Status::default() };
            traces.end(&mut wide, context, Some(roots[*trace]), *nanos, status);
            if *failed || *nanos > 100 {
                worthy.insert(roots[*trace].trace_id());
            }
        }
        wide.flush(&mut traces.batch);
        let expected = spans.iter().filter(|(trace, ..)| worthy.contains(&roots[*trace].trace_id())).count();
        prop_assert_eq!(usize::try_from(traces.batch.len()).unwrap(), expected);
        prop_assert_eq!(wide.counts().kept + wide.counts().discarded, u32::try_from(spans.len()).unwrap());

        let mut traces = Traces::new();
        for (trace, nanos, failed, is_root) in &spans {
            let parent = (!is_root).then_some(roots[*trace]);
            let status = if *failed { Status::error("") } else { Status::default() };
            let context = traces.child(&roots[*trace]);
            traces.end(&mut narrow, context, parent, *nanos, status);
        }
        narrow.flush(&mut traces.batch);
        let counts = narrow.counts();
        prop_assert_eq!(counts.kept + counts.discarded + counts.dropped, u32::try_from(spans.len()).unwrap());
        prop_assert_eq!(traces.batch.len() + traces.batch.dropped(), counts.kept);
    }
}
