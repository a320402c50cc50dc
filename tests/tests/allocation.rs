//! Nothing in core touches the heap: counted, on every path that runs while an application works.
#![expect(unsafe_code, reason = "a global allocator can only be watched by being one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use clewline_core::traceparent::{Traceparent, extract, parse};
use clewline_core::{
    Attributes, Envelope, InlineBatch, InlineSpan, LocalSink, ManualClock, ParentBased, RandomIds, RequestView, Scope,
    SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, SpanView, Status, TraceFlags, TraceId, TraceIdRatio, Tracer,
    Value, ValueView,
};

struct Counting;

thread_local! {
    /// By thread, so that the test harness's own threads do not count.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call is handed to the system's allocator unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and fails if it allocated.
#[track_caller]
fn without_allocation<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let before = ALLOCATIONS.get();
    let result = work();
    let allocations = ALLOCATIONS.get() - before;
    assert_eq!(allocations, 0, "{what} allocated {allocations} times");
    result
}

const NESTED: &[(&str, Value<'_>)] = &[
    ("list", Value::List(&[Value::I64(1), Value::Strs(&["a", "ß"]), Value::Empty])),
    ("map", Value::Map(&[("bytes", Value::Bytes(&[1, 2, 3])), ("number", Value::F64(0.5))])),
];

fn context() -> SpanContext {
    let (trace_id, span_id) = (TraceId::from_bytes([1; 16]).unwrap(), SpanId::from_bytes([2; 8]).unwrap());
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED)
}

fn start() -> SpanStart<'static> {
    SpanStart {
        context: context(),
        parent: Some(context().into_remote()),
        name: "GET /cart/{id}",
        kind: SpanKind::Server,
        start_time: 1,
        trace_state: "vendor=1",
        limits: SpanLimits { value_length: 10, ..SpanLimits::DEFAULT },
    }
}

/// Everything a span can be told, replacement, cutting and refusal included.
fn record<const N: usize>(span: &mut InlineSpan<N>) {
    span.set("http.request.method", "GET").set("http.response.status_code", 200).set("ratio", 0.25).set("ok", true);
    span.set_all(NESTED).set("http.request.method", "a value over the limit").set("", "refused");
    span.event("cache.miss", 2).set("key", "cart").set("key", "again").set_all(NESTED);
    span.link(&context(), "vendor=2").set("reason", "retry");
    span.record_exception("E", "message", "at main", 3);
    span.set_name("GET /cart/{cart_id}").set_kind(SpanKind::Client).set_start_time(4);
    span.set_status(Status::error("gone")).set_status(Status::OK);
}

fn walk(span: &SpanView<'_>) {
    let count = |attributes: Attributes<'_>| attributes.map(|(_, value)| walk_value(value)).sum::<usize>();
    let mut seen = count(span.attributes()) + span.name().len() + span.trace_state().len();
    seen += span.events().map(|event| event.name().len() + count(event.attributes())).sum::<usize>();
    seen += span.links().map(|link| link.trace_state().len() + count(link.attributes())).sum::<usize>();
    assert!(seen > 0);
    black_box((span.status(), span.trace_id().to_hex(), span.attributes().get("ratio")));
}

fn walk_value(value: ValueView<'_>) -> usize {
    match value {
        ValueView::List(list) => list.iter().map(walk_value).sum(),
        ValueView::Map(map) => map.map(|(_, value)| walk_value(value)).sum(),
        _ => 1,
    }
}

#[test]
fn the_counter_sees_an_allocation() {
    let before = ALLOCATIONS.get();
    drop(black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn a_span_records_ends_and_leaves() {
    let mut batch = InlineBatch::<4096>::new(heapless::Vec::new());
    let mut request = heapless::Vec::<u8, 5000>::new();
    let mut span = without_allocation("start", || InlineSpan::<1024>::new(heapless::Vec::new(), &start()));
    without_allocation("record", || record(&mut span));
    without_allocation("view of a live span", || walk(&span.view(9)));
    without_allocation("end into a batch", || batch.push(&span, 9)).unwrap();
    without_allocation("restart", || span.restart(&start()));
    without_allocation("record again", || record(&mut span));
    without_allocation("end into a batch again", || batch.push(&span, 9)).unwrap();
    assert_eq!((batch.len(), batch.dropped()), (2, 0));
    without_allocation("record without room", || {
        let mut span = InlineSpan::<70>::new(heapless::Vec::new(), &start());
        record(&mut span);
        assert!(span.counts().dropped_attributes > 0 && span.counts().dropped_events > 0);
    });
    without_allocation("views of a batch", || batch.iter().for_each(|span| walk(&span)));
    let envelope = without_allocation("envelope", || {
        let scope = Scope { name: "shop", version: "1", attributes: NESTED, schema_url: "s" };
        Envelope::new(heapless::Vec::<u8, 256>::new(), NESTED, &scope)
    });
    without_allocation("request", || envelope.unwrap().write_request(batch.as_bytes(), &mut request)).unwrap();
    let spans = without_allocation("views of a request", || {
        let view = RequestView::parse(&request).unwrap();
        let groups = view.resource_spans().flat_map(|group| {
            group.resource().attributes().for_each(|(_, value)| assert!(walk_value(value) > 0));
            group.scope_spans()
        });
        groups.flat_map(|group| group.spans()).map(|span| walk(&span.unwrap().1)).count()
    });
    assert_eq!(spans, 2);
    without_allocation("split and clear", || {
        batch.remove_oldest(batch.prefix(batch.as_bytes().len() - 1).0);
        assert_eq!(batch.len(), 1);
        batch.clear();
    });
}

#[test]
fn a_tracer_runs() {
    let sampler = ParentBased::new(TraceIdRatio::new(1.0).unwrap());
    let tracer = without_allocation("tracer", || {
        Tracer::new(ManualClock::new(1), RandomIds::from_seed([1, 2]), sampler, LocalSink::<512, 2048>::new())
    });
    without_allocation("spans", || {
        let mut parent =
            tracer.span("GET").kind(SpanKind::Server).attributes(NESTED).links(&[context().into()]).start();
        let mut child = tracer.span("SELECT").child_of(parent.context()).start();
        child.set("db.system", "sqlite").event("row").event_with("row", NESTED);
        child.set_status(Status::error("locked")).end();
        parent.end_at(9);
        drop(tracer.span("dropped").child_of(child.context()).start());
        let unsampled = SpanContext::new(context().trace_id(), context().span_id(), TraceFlags::NONE);
        assert!(!tracer.span("not sampled").child_of(unsampled).start().is_recording());
    });
    let spans = without_allocation("batch", || tracer.sink().with_batch(|batch| batch.len()));
    assert_eq!(spans, Some(3));
}

#[test]
fn a_context_travels() {
    let written = without_allocation("format", || Traceparent::new(context()));
    let read = without_allocation("parse", || parse(black_box(written.as_bytes())));
    assert_eq!(read, Ok(context().into_remote()));
    let errors = without_allocation("bad headers", || {
        let bad = [&b""[..], b"ff-0", &written.as_bytes()[1..], &[0xff; 55]];
        bad.iter().filter(|header| extract([**header]).is_err()).count()
    });
    assert_eq!(errors, 4);
}

#[test]
fn damaged_bytes_are_refused() {
    let mut batch = InlineBatch::<2048>::new(heapless::Vec::new());
    let mut span = InlineSpan::<1024>::new(heapless::Vec::new(), &start());
    record(&mut span);
    batch.push(&span, 9).unwrap();
    let mut bytes = [0; 2048];
    let bytes = &mut bytes[..batch.as_bytes().len()];
    without_allocation("damaged bytes", || {
        for place in 0..bytes.len() {
            bytes.copy_from_slice(batch.as_bytes());
            bytes[place] ^= 0x55;
            let _ = black_box((SpanView::parse(bytes).map(|span| walk(&span)), RequestView::parse(bytes).is_ok()));
        }
    });
}
