//! The ring of a chip: nothing is lost uncounted, order is kept, and the rule of what stays is followed.

use std::collections::VecDeque;
use std::thread;

use clewline_core::shared::{Keep, LongTicks, SharedContext, SharedIds, SpanRing};
use clewline_core::{
    AlwaysOff, AlwaysOn, Compact, CompactSpans, Form, IdSource, InlineSpan, NoClock, Otlp, SpanContext, SpanId,
    SpanKind, SpanLimits, SpanStart, TickSource, TraceFlags, TraceId, Tracer,
};
// Names the implementation of critical sections for this program.
use critical_section as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

const CAPACITY: usize = 700;
/// No span in here is longer than this in the ring, and none is taken to be: the ring's own estimate is below it.
const LONGEST: usize = 250;

type Ring<F> = SpanRing<128, CAPACITY, F>;

/// A span whose start says which one it is, with a body of about `size` bytes.
fn span<F: Form>(number: u64, size: usize) -> InlineSpan<128, F> {
    let ids = (TraceId::from_bytes([7; 16]), SpanId::from_bytes([9; 8]));
    let (Some(trace_id), Some(span_id)) = ids else { panic!("not zero") };
    let mut span = InlineSpan::new(
        heapless::Vec::new(),
        &SpanStart {
            context: SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED),
            parent: None,
            name: "n",
            kind: SpanKind::Internal,
            start_time: number + 1,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        },
    );
    span.set("size", &[0x5a_u8; 128][..size]);
    span
}

/// The numbers of the spans in a record.
fn numbers(record: &[u8]) -> Vec<u64> {
    CompactSpans::new(record).map(|span| span.expect("whole").start_ticks() - 1).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Pop,
    Fill(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..100_usize).prop_map(Step::Push),
        1 => Just(Step::Pop),
        1 => (0..400_usize).prop_map(Step::Fill),
    ]
}

fn config() -> Config {
    let seed = RngSeed::Fixed(0x0af7_6519_16cd_43dd);
    Config { cases: 1000, rng_seed: seed, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_span_is_inside_taken_or_counted(
        steps in proptest::collection::vec(step(), 0..120),
        keep in prop_oneof![Just(Keep::Newest), Just(Keep::Oldest)],
    ) {
        let ring = Ring::<Compact>::new(keep);
        // What must be inside, oldest first; what the ring dropped is taken out by its own count.
        let mut inside = VecDeque::new();
        let mut bytes_inside = VecDeque::new();
        let (mut pushed, mut dropped) = (0, 0);
        for step in steps {
            match step {
                Step::Push(size) => {
                    let span = span::<Compact>(pushed, size);
                    ring.push(&span, pushed + 1);
                    let mut record = heapless::Vec::<u8, LONGEST>::new();
                    prop_assert!(span.write_to(pushed + 1, record.as_mut_view()).is_ok());
                    let newly = ring.counts().dropped - dropped;
                    match keep {
                        Keep::Oldest => {
                            prop_assert!(newly <= 1);
                            if newly == 0 {
                                inside.push_back(pushed);
                                bytes_inside.push_back(record.len());
                            }
                        }
                        Keep::Newest => {
                            inside.push_back(pushed);
                            bytes_inside.push_back(record.len());
                            for _ in 0..newly {
                                inside.pop_front();
                                bytes_inside.pop_front();
                            }
                            prop_assert_eq!(inside.back(), Some(&pushed), "the newest is always inside");
                        }
                    }
                    // It drops only when it must: two records and an estimate apart from being full at most.
                    let used: usize = bytes_inside.iter().map(|length| length + 2).sum();
                    prop_assert!(newly == 0 || used + 2 * LONGEST > CAPACITY, "{} of {}", used, CAPACITY);
                    dropped += newly;
                    pushed += 1;
                }
                Step::Pop => {
                    let mut out = [0; LONGEST];
                    let popped = ring.pop(&mut out).map(|length| numbers(&out[..length]));
                    bytes_inside.pop_front();
                    prop_assert_eq!(popped, inside.pop_front().map(|number| vec![number]));
                }
                Step::Fill(room) => {
                    let mut out = vec![0; room];
                    let length = ring.fill(&mut out);
                    let taken = numbers(&out[..length]);
                    // Records longer than all the room are dropped, so that they do not stay in the way.
                    while bytes_inside.front().is_some_and(|&length| length > room) {
                        bytes_inside.pop_front();
                        inside.pop_front();
                        dropped += 1;
                    }
                    for number in &taken {
                        bytes_inside.pop_front();
                        prop_assert_eq!(inside.pop_front(), Some(*number));
                    }
                    prop_assert!(bytes_inside.front().is_none_or(|&next| length + next > room), "it fills what fits");
                }
            }
            prop_assert_eq!(usize::from(ring.counts().spans), inside.len());
            prop_assert_eq!(ring.counts().dropped, dropped);
        }
    }
}

#[test]
fn the_rule_decides_what_stays() {
    for (keep, expected) in [(Keep::Newest, 90..100), (Keep::Oldest, 0..10)] {
        let ring = SpanRing::<128, 1024, Compact>::new(keep);
        for number in 0..100 {
            ring.push(&span(number, 60), number + 1);
        }
        let mut out = [0; 1024];
        let length = ring.fill(&mut out);
        let stayed = numbers(&out[..length]);
        assert!(stayed.len() > 5 && stayed.iter().all(|number| expected.contains(number)), "{keep:?}: {stayed:?}");
        assert_eq!(stayed.len() + ring.counts().dropped as usize, 100);
    }
}

#[test]
fn a_span_larger_than_the_ring_pushes_nothing_out() {
    let ring = SpanRing::<128, 120, Compact>::new(Keep::Newest);
    ring.push(&span(0, 1), 1);
    ring.push(&span(1, 100), 2);
    assert_eq!((ring.counts().spans, ring.counts().dropped), (1, 1));
    let mut out = [0; 120];
    let length = ring.pop(&mut out).unwrap();
    assert_eq!(numbers(&out[..length]), [0]);
}

#[test]
fn the_otlp_form_goes_through_the_same_ring() {
    let ring = Ring::<Otlp>::new(Keep::Newest);
    let (first, second) = (span::<Otlp>(0, 10), span::<Otlp>(1, 20));
    ring.push(&first, 5);
    ring.push(&second, 6);
    let mut out = [0; 400];
    let length = ring.fill(&mut out);
    let mut expected = heapless::Vec::<u8, 400>::new();
    first.write_to(5, expected.as_mut_view()).unwrap();
    second.write_to(6, expected.as_mut_view()).unwrap();
    assert_eq!(out[..length], expected);
}

type ThreadTracer = Tracer<NoClock, SharedIds, AlwaysOn, SpanRing<64, 4096>>;
static TRACER: ThreadTracer = Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOn, SpanRing::new(Keep::Newest));

/// Threads stand for interrupts: both find each other between any two steps.
#[test]
fn a_static_tracer_is_shared() {
    const EACH: u32 = 500;
    let workers: Vec<_> = (0..3)
        .map(|_| {
            thread::spawn(|| {
                for number in 0..EACH {
                    TRACER.span("work").start().set("number", number);
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    let mut drain = || {
        let mut out = [0; 300];
        let length = TRACER.sink().fill(&mut out);
        let before = taken.len();
        taken.extend(CompactSpans::new(&out[..length]).map(|span| span.expect("whole").context().span_id()));
        taken.len() > before
    };
    while workers.iter().any(|worker| !worker.is_finished()) {
        drain();
    }
    for worker in workers {
        worker.join().unwrap();
    }
    while drain() {}
    assert_eq!(taken.len() + TRACER.sink().counts().dropped as usize, 3 * EACH as usize);
    let count = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), count, "no id was given twice");
}

#[test]
fn what_is_not_sampled_is_neither_kept_nor_counted() {
    let tracer = Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOff, SpanRing::<64, 400>::new(Keep::Newest));
    tracer.span("idle").start().end();
    assert_eq!(tracer.sink().counts(), clewline_core::shared::RingCounts::default());
}

#[test]
fn seeds_make_devices_and_boots_differ() {
    let first = |device, boot| {
        let ids = SharedIds::new([1, 2]);
        ids.seed_from(device, boot);
        ids.trace_id()
    };
    let all = [first(1, 0), first(2, 0), first(1, 1), first(0, 1), first(2, 1)];
    for (index, id) in all.iter().enumerate() {
        assert!(!all[..index].contains(id), "{index}");
    }
    assert_eq!(first(1, 1), first(1, 1));
}

#[test]
fn a_context_is_there_until_it_is_replaced() {
    let shared = SharedContext::new();
    assert_eq!(shared.get(), None);
    let context = span::<Compact>(0, 0).context();
    shared.set(Some(context));
    assert_eq!(shared.get(), Some(context));
}

#[test]
fn a_short_counter_counts_on() {
    use std::cell::Cell;
    let counter = Cell::new(5);
    let ticks = LongTicks::new(|| counter.get(), 10);
    let mut seen = Vec::new();
    for value in [5, u32::MAX, 0, 7, 6] {
        counter.set(value);
        seen.push(ticks.ticks());
    }
    let round = 1 << 32;
    assert_eq!(seen, [5, u64::from(u32::MAX), round, round + 7, 2 * round + 6]);
    assert_eq!(ticks.ticks_per_second(), 10);
}
