//! A door as the process's default subscriber: it does not allocate in the steady state, and formatting may trace.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use clewline::exporter::{ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::{Pipeline, PipelineOptions, Sampler, SpanContext, SpanExt as _, current_context};
use clewline_core::{AlwaysOn, RequestView, SamplingDecision, SamplingParameters, SamplingResult};
use tracing::field::Empty;
use tracing::{info, info_span, instrument};

use crate::counting;
use crate::door::{self, Door};

/// What was exported: the name, attributes and events of each span, with the id of its parent.
static EXPORTED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
static KEEPS: Mutex<bool> = Mutex::new(false);
/// Nothing leaves while it is locked.
static GATE: Mutex<()> = Mutex::new(());
static COUNT: AtomicU64 = AtomicU64::new(0);

struct Keep;

impl SpanExporter for Keep {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let _is_open = GATE.lock().unwrap();
        COUNT.fetch_add(request.spans() as u64, Ordering::Relaxed);
        if *KEEPS.lock().unwrap() {
            let bytes = request.parts().concat();
            for resource in RequestView::parse(&bytes).unwrap().resource_spans() {
                for span in resource.scope_spans().flat_map(|scope| scope.spans().collect::<Vec<_>>()) {
                    let (_, span) = span.unwrap();
                    let events: Vec<&str> = span.events().map(|event| event.name()).collect();
                    EXPORTED.lock().unwrap().push((span.name().to_owned(), events.join(", ")));
                }
            }
        }
        ExportOutcome::Delivered
    }
}

/// Drops spans of one name.
struct ByName;

impl Sampler for ByName {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let decision = match parameters.name {
            "unsampled" => SamplingDecision::Drop,
            _ => AlwaysOn.should_sample(parameters).decision,
        };
        SamplingResult::from(decision)
    }
}

fn pipeline() -> &'static Pipeline {
    static PIPELINE: OnceLock<&Pipeline> = OnceLock::new();
    PIPELINE.get_or_init(|| {
        let (mut options, settings) = (PipelineOptions::default(), WorkerSettings::default());
        // What outruns the exporter borrows memory, which may be new; here it is dropped.
        options.burst_bytes = 0;
        let pipeline = Pipeline::start(&[], Box::new(ByName), Vec::new(), options, settings, Box::new(Keep)).unwrap();
        tracing::dispatcher::set_global_default(door::dispatch(Door::new(pipeline))).unwrap();
        pipeline
    })
}

fn native() -> clewline::Tracer {
    static TRACER: OnceLock<clewline::Tracer> = OnceLock::new();
    *TRACER.get_or_init(|| pipeline().tracer(&clewline::Scope { name: "native", ..Default::default() }))
}

fn flush() {
    pipeline().flush(Duration::from_secs(300)).unwrap();
}

#[instrument(fields(rows = Empty))]
fn instrumented(number: i64, text: &str) -> i64 {
    tracing::Span::current().record("rows", number);
    number
}

fn remote() -> SpanContext {
    clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap()
}

/// The cases of the benchmark and some more.
fn cases() -> [(&'static str, fn()); 11] {
    [
        ("filtered", || {
            let _root = info_span!("root").entered();
            let _hidden = tracing::trace_span!("hidden", a = "text", debugged = ?Some(1)).entered();
            tracing::trace!(number = 1, "hidden event");
            drop(info_span!("child of root").entered());
        }),
        ("a: root", || drop(info_span!("root").entered())),
        ("b: root and child with attributes", || {
            let _root = info_span!("root").entered();
            let _child = info_span!("child", a = "text", b = 1, c = true, d = 1.5).entered();
        }),
        ("c: many children", || {
            let _root = info_span!("root").entered();
            for _ in 0..100 {
                drop(info_span!("child").entered());
            }
        }),
        ("d: sampled out", || drop(info_span!("unsampled", a = "text").entered())),
        ("e: events", || {
            let _root = info_span!("root").entered();
            for number in 0..20 {
                info!(number, text = %"shown", "event {number}");
            }
        }),
        ("formatted fields", || {
            drop(info_span!("root", debugged = ?Some(1), displayed = %"shown", otel.kind = "client"));
        }),
        ("instrumented", || {
            instrumented(7, "text");
        }),
        ("remote parent and extension", || {
            let span = info_span!("request", otel.name = Empty);
            span.set_parent(remote());
            span.record("otel.name", "GET /");
            span.set_attribute("key", "value");
            span.add_link(&remote());
            assert!(span.in_scope(current_context).is_some());
        }),
        ("error", || info_span!("root").record_error(&fmt::Error)),
        ("native spans that are current", || {
            native().span("root").start().in_scope(|| {
                clewline::current_span().set("key", "value").event("event");
                let _child = native().span("child").start().enter();
                info!("event of the child");
            });
        }),
    ]
}

#[test]
fn nothing_is_allocated_in_the_steady_state() {
    pipeline();
    const ROUNDS: u64 = 500;
    for (name, case) in cases() {
        // The thread's blocks, the pool and the exporter's buffers grow once: here, as nothing leaves meanwhile.
        let closed = GATE.lock().unwrap();
        for _ in 0..10 * ROUNDS {
            case();
        }
        drop(closed);
        flush();
        let before = counting::allocations();
        for round in 0..ROUNDS {
            case();
            if round % 8 == 7 {
                std::thread::yield_now();
            }
        }
        let allocated = counting::allocations() - before;
        assert_eq!(allocated, 0, "{name}: {allocated} allocations in {ROUNDS} rounds");
        flush();
    }
    assert!(COUNT.load(Ordering::Relaxed) > 0);
}

/// Traces while it is formatted, in the span that it is a field of.
struct Traces(tracing::Span);

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _nested = info_span!("nested", inner = ?Some(1)).entered();
        info!(parent: &self.0, detail = ?Some("from Debug"), "nested event");
        formatter.write_str("traced")
    }
}

#[test]
fn formatting_may_trace_in_the_same_span() {
    pipeline();
    *KEEPS.lock().unwrap() = true;
    {
        let span = info_span!("outer", later = Empty).entered();
        info!(value = ?Traces(span.clone()), again = ?Traces(span.clone()), "outer event");
        span.record("later", tracing::field::debug(Traces(span.clone())));
        drop(info_span!("inner", value = ?Traces(span.clone())));
    }
    flush();
    let exported = EXPORTED.lock().unwrap();
    let events = |name: &str| {
        exported.iter().filter(|(span, _)| span == name).map(|(_, events)| events.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(events("outer"), ["nested event, nested event, outer event, nested event, nested event"]);
    assert_eq!(events("inner"), [""]);
    assert_eq!(events("nested"), ["", "", "", ""]);
}

/// Cannot be formatted.
struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("as intended");
    }
}

#[test]
fn a_panic_while_a_child_is_made_leaves_its_parent_free_to_close() {
    pipeline();
    *KEEPS.lock().unwrap() = true;
    let parent = info_span!("parent of the unborn");
    let child = std::panic::AssertUnwindSafe(|| info_span!(parent: &parent, "unborn", bad = ?Panics));
    assert!(std::panic::catch_unwind(child).is_err());
    drop(parent);
    flush();
    let exported = EXPORTED.lock().unwrap();
    assert_eq!(exported.iter().filter(|(span, _)| span == "parent of the unborn").count(), 1);
}
