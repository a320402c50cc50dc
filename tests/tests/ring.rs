//! The ring of a chip: nothing is lost uncounted, order is kept, and the rule of what stays is followed.

use std::collections::{BTreeSet, VecDeque};
use std::thread;

use clewline_core::frame::{FrameDecoder, FrameEncoder, Message};
use clewline_core::shared::{Keep, LongTicks, SharedContext, SharedIds, SpanRing};
use clewline_core::{
    ActiveSpan, AlwaysOff, AlwaysOn, Compact, CompactSpans, Form, IdSource, NoClock, Otlp, SpanContext, SpanId, Status,
    TickSource, TraceFlags, TraceId, Tracer,
};
// Names the implementation of critical sections for this program.
use critical_section as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// How many places the ring under test has.
const PLACES: usize = 5;
/// No span in here is longer than this.
const LONGEST: usize = 250;

type Ring<F> = SpanRing<128, PLACES, F>;
type RingTracer<'r, const SPANS: usize, F> = Tracer<NoClock, SharedIds, AlwaysOn, &'r SpanRing<128, SPANS, F>>;
type RingSpan<'t, 'r, const SPANS: usize, F> = ActiveSpan<'t, NoClock, &'r SpanRing<128, SPANS, F>>;

fn tracer<const SPANS: usize, F: Form>(ring: &SpanRing<128, SPANS, F>) -> RingTracer<'_, SPANS, F> {
    Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOn, ring)
}

/// A span whose start says which one it is, with a body of about `size` bytes.
fn start<'t, 'r, const SPANS: usize, F: Form>(
    tracer: &'t RingTracer<'r, SPANS, F>,
    number: u64,
    size: usize,
) -> RingSpan<'t, 'r, SPANS, F> {
    let mut span = tracer.span("n").start_time(number + 1).start();
    span.set("size", &[0x5a_u8; 128][..size]);
    span
}

/// The numbers of the spans in a record.
fn numbers(record: &[u8]) -> Vec<u64> {
    CompactSpans::new(record).map(|span| span.expect("whole").start_ticks() - 1).collect()
}

/// Takes everything out of a ring that has lost so many of the records which were inside, only it knows which.
fn empty(ring: &Ring<Compact>, inside: &mut BTreeSet<u64>, lost: u32) -> Result<(), TestCaseError> {
    let mut out = [0; PLACES * LONGEST];
    let length = ring.fill(&mut out);
    let rest = numbers(&out[..length]);
    prop_assert_eq!(rest.len() + lost as usize, inside.len());
    prop_assert!(rest.iter().all(|number| inside.contains(number)));
    inside.clear();
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    /// A span that ends at once.
    Push(usize),
    /// A span that ends later.
    Open(usize),
    /// One of those ends.
    Close(usize),
    Pop,
    Fill(usize),
    /// A frame straight from the ring.
    Frame(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..100_usize).prop_map(Step::Push),
        1 => (0..100_usize).prop_map(Step::Open),
        1 => (0..PLACES).prop_map(Step::Close),
        1 => Just(Step::Pop),
        1 => (0..400_usize).prop_map(Step::Fill),
        1 => prop_oneof![0..LONGEST, Just(2 * LONGEST)].prop_map(Step::Frame),
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
        let tracer = tracer(&ring);
        // What must be inside.
        let mut inside = BTreeSet::new();
        let mut open = Vec::new();
        // Spans that end late mix the order, which only the ring knows from then on.
        let mut is_mixed = false;
        let (mut started, mut dropped) = (0, 0);
        let (mut encoder, mut sequence) = (FrameEncoder::new(7, 1), 0);
        for step in steps {
            match step {
                Step::Push(size) | Step::Open(size) => {
                    let is_full = inside.len() + open.len() == PLACES;
                    let span = start(&tracer, started, size);
                    let newly = ring.counts().dropped - dropped;
                    dropped += newly;
                    // It drops only when it must, and by its rule.
                    prop_assert_eq!(newly, u32::from(is_full));
                    let has_place = !is_full || (keep == Keep::Newest && !inside.is_empty());
                    prop_assert_eq!(span.is_recording(), has_place);
                    if is_full && has_place && !is_mixed {
                        inside.pop_first();
                    } else if is_full && has_place {
                        empty(&ring, &mut inside, newly)?;
                    }
                    if has_place && matches!(step, Step::Open(_)) {
                        is_mixed = true;
                        open.push((started, span));
                    } else if has_place {
                        drop(span);
                        inside.insert(started);
                    }
                    started += 1;
                }
                Step::Close(which) => {
                    if which < open.len() {
                        let (number, span) = open.remove(which);
                        drop(span);
                        inside.insert(number);
                    }
                }
                Step::Pop => {
                    let mut out = [0; LONGEST];
                    let popped = ring.pop(&mut out).map(|length| numbers(&out[..length]));
                    match popped {
                        Some(popped) => {
                            prop_assert_eq!(popped.len(), 1);
                            prop_assert!(inside.remove(&popped[0]));
                        }
                        None => prop_assert!(inside.is_empty()),
                    }
                }
                Step::Frame(room) => {
                    let mut out = vec![0; room];
                    let read = encoder.encode_oldest(&ring, &mut out).map(|frame| {
                        let mut decoder = FrameDecoder::<{ 2 * LONGEST }>::new();
                        let header_and_numbers = frame.iter().find_map(|&byte| {
                            decoder.push(byte).map(|frame| {
                                let frame = frame.expect("whole");
                                (*frame.header(), numbers(frame.content()))
                            })
                        });
                        header_and_numbers.expect("an end")
                    });
                    let newly = ring.counts().dropped - dropped;
                    dropped += newly;
                    prop_assert!(newly == 0 || room < 2 * LONGEST);
                    if let Some((header, taken)) = read {
                        prop_assert_eq!((header.sequence, header.dropped_spans), (sequence, dropped));
                        sequence += 1;
                        prop_assert_eq!(taken.len(), 1);
                        prop_assert!(inside.remove(&taken[0]));
                    } else {
                        prop_assert_eq!(newly as usize, inside.len());
                    }
                    if newly > 0 {
                        empty(&ring, &mut inside, newly)?;
                    }
                }
                Step::Fill(room) => {
                    let mut out = vec![0; room];
                    let length = ring.fill(&mut out);
                    for number in numbers(&out[..length]) {
                        prop_assert!(inside.remove(&number), "{} twice, or from nowhere", number);
                    }
                    // Records longer than all the room are dropped, so that they do not stay in the way.
                    let newly = ring.counts().dropped - dropped;
                    dropped += newly;
                    prop_assert!(newly == 0 || room < LONGEST);
                    if newly > 0 {
                        empty(&ring, &mut inside, newly)?;
                    }
                    prop_assert!(inside.is_empty() || room < length + LONGEST, "it fills what fits");
                }
            }
            prop_assert_eq!(usize::from(ring.counts().spans), inside.len());
            prop_assert_eq!(ring.counts().dropped, dropped);
        }
    }
}

#[test]
fn spans_leave_in_the_order_in_which_they_came() {
    let ring = Ring::<Compact>::new(Keep::Newest);
    let tracer = tracer(&ring);
    let mut expected = VecDeque::new();
    for number in 0..40 {
        drop(start(&tracer, number, 40));
        expected.push_back(number);
        // Sometimes one more waits, and now and then all the places are full.
        if number % 7 != 0 || expected.len() == PLACES {
            let mut out = [0; LONGEST];
            let length = ring.pop(&mut out).unwrap();
            assert_eq!(numbers(&out[..length]), [expected.pop_front().unwrap()]);
        }
    }
    // Room for two of the three that are left: the third stays the next.
    let mut out = [0; 180];
    let length = ring.fill(&mut out);
    let taken = numbers(&out[..length]);
    assert!(!taken.is_empty() && taken.len() < expected.len(), "{taken:?} of {expected:?}");
    let mut rest = [0; PLACES * LONGEST];
    let length = ring.fill(&mut rest);
    assert_eq!([taken, numbers(&rest[..length])].concat(), Vec::from(expected));
    assert_eq!(ring.counts(), clewline_core::shared::RingCounts::default());
}

#[test]
fn the_rule_decides_what_stays() {
    for (keep, expected) in [(Keep::Newest, [95, 96, 97, 98, 99]), (Keep::Oldest, [0, 1, 2, 3, 4])] {
        let ring = Ring::<Compact>::new(keep);
        for number in 0..100 {
            drop(start(&tracer(&ring), number, 60));
        }
        let mut out = [0; 1024];
        let length = ring.fill(&mut out);
        assert_eq!(numbers(&out[..length]), expected, "{keep:?}");
        assert_eq!(ring.counts().dropped, 95);
    }
}

#[test]
fn what_is_going_on_keeps_its_place() {
    let ring = SpanRing::<128, 2, Compact>::new(Keep::Newest);
    let tracer = tracer(&ring);
    let outer = start(&tracer, 0, 1);
    for number in 1..10 {
        drop(start(&tracer, number, 1));
    }
    let inner = start(&tracer, 10, 1);
    assert!(!start(&tracer, 11, 1).is_recording(), "both places are taken by spans that go on");
    assert_eq!((ring.counts().spans, ring.counts().dropped), (0, 10));
    drop((inner, outer));
    let mut out = [0; 300];
    let length = ring.fill(&mut out);
    let mut stayed = numbers(&out[..length]);
    stayed.sort_unstable();
    assert_eq!(stayed, [0, 10]);
}

#[test]
fn a_span_longer_than_the_room_is_dropped_and_counted() {
    let ring = Ring::<Compact>::new(Keep::Newest);
    drop(start(&tracer(&ring), 0, 100));
    assert_eq!(ring.pop(&mut [0; 60]), None);
    assert_eq!((ring.counts().spans, ring.counts().dropped), (0, 1));
    drop(start(&tracer(&ring), 1, 100));
    assert_eq!(ring.fill(&mut [0; 60]), 0);
    assert_eq!((ring.counts().spans, ring.counts().dropped), (0, 2));
}

/// The next frame of `ring`, made by popping a record first.
fn next_frame<F: Form>(ring: &Ring<F>, encoder: &mut FrameEncoder, is_otlp: bool) -> Vec<u8> {
    let mut record = [0; 400];
    let length = ring.pop(&mut record).expect("a span");
    let record = &record[..length];
    let message = if is_otlp { Message::OtlpSpans(record) } else { Message::Spans(record) };
    encoder.encode(&message, ring.counts().dropped, &mut [0; 500]).expect("room").to_vec()
}

fn frames_are_the_same_either_way<F: Form>(is_otlp: bool) {
    let [one, other] = [(); 2].map(|()| Ring::<F>::new(Keep::Newest));
    let parent = SpanContext::new(
        TraceId::from_bytes([3; 16]).expect("not zero"),
        SpanId::from_bytes([4; 8]).expect("not zero"),
        TraceFlags::SAMPLED,
    );
    for ring in [&one, &other] {
        let tracer = tracer(ring);
        for (number, parent) in [None, Some(parent), Some(parent.into_remote())].into_iter().enumerate() {
            let mut span = tracer.span("n").child_of(parent).start_time(1 + number as u64).start();
            span.set("size", &[0x5a_u8; 100][..]).event("e").event("too long for what is left of it, and so dropped");
            span.set_status([Status::OK, Status::error("no"), Status::error("")][number]).end_at(u64::MAX);
        }
        drop(start(&tracer, 9, 0));
    }
    let mut encoders = [(); 2].map(|()| FrameEncoder::new(7, 300));
    for _ in 0..4 {
        let mut out = [0; 500];
        let frame = encoders[0].encode_oldest(&one, &mut out).expect("a span");
        assert_eq!(frame, next_frame(&other, &mut encoders[1], is_otlp));
    }
    assert_eq!(encoders[0].encode_oldest(&one, &mut [0; 500]), None);
    assert_eq!(one.counts(), other.counts());
}

#[test]
fn a_frame_straight_from_the_ring_is_that_of_the_record() {
    frames_are_the_same_either_way::<Compact>(false);
    frames_are_the_same_either_way::<Otlp>(true);
}

#[test]
fn a_span_that_no_frame_has_room_for_is_dropped_and_the_next_one_sent() {
    let ring = Ring::<Compact>::new(Keep::Newest);
    for (number, size) in [(0, 100), (1, 5), (2, 100)] {
        drop(start(&tracer(&ring), number, size));
    }
    let mut encoder = FrameEncoder::new(7, 1);
    let mut decoder = FrameDecoder::<80>::new();
    let mut out = [0; 70];
    let frame = encoder.encode_oldest(&ring, &mut out).expect("the second one").to_vec();
    let read = frame.iter().find_map(|&byte| {
        let frame = decoder.push(byte)?.expect("whole");
        Some((*frame.header(), numbers(frame.content())))
    });
    let (header, numbers) = read.expect("a frame");
    assert_eq!((header.sequence, header.dropped_spans, numbers), (0, 1, vec![1]), "what was lost before it is in it");
    assert_eq!(encoder.encode_oldest(&ring, &mut out), None);
    assert_eq!((ring.counts().spans, ring.counts().dropped), (0, 2));
}

#[test]
fn the_otlp_form_goes_through_the_same_ring() {
    let ring = Ring::<Otlp>::new(Keep::Newest);
    let tracer = tracer(&ring);
    let mut expected = heapless::Vec::<u8, 400>::new();
    for (size, end_time) in [(10, 5), (20, 6)] {
        let mut span = start(&tracer, 0, size);
        span.recording().unwrap().write_to(end_time, expected.as_mut_view()).unwrap();
        span.end_at(end_time);
    }
    let mut out = [0; 400];
    let length = ring.fill(&mut out);
    assert_eq!(out[..length], expected);
}

type ThreadTracer = Tracer<NoClock, SharedIds, AlwaysOn, SpanRing<64, 64>>;
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
    let tracer = Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOff, SpanRing::<64, 4>::new(Keep::Newest));
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
    let ids = (TraceId::from_bytes([7; 16]), SpanId::from_bytes([9; 8]));
    let (Some(trace_id), Some(span_id)) = ids else { panic!("not zero") };
    let context = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED);
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
