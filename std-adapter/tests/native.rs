//! The native door, from `Pipeline::tracer` to the bytes that leave.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use clewline::exporter::{ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::{
    Link, Pipeline, PipelineOptions, ReadWriteSpan, Sampler, Scope, SpanContext, SpanId, SpanProcessor, SpanView,
    TraceFlags, TraceId, Tracer, Value, Verdict,
};
use clewline_core::{AlwaysOff, AlwaysOn, CompositeSampler, ParentThreshold, ProbabilitySampler};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use prost::Message as _;

struct Keep(Arc<Mutex<Vec<ScopeSpans>>>);

impl SpanExporter for Keep {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let request = ExportTraceServiceRequest::decode(request.parts().concat().as_slice()).expect("OTLP");
        self.0.lock().expect("no panic").extend(request.resource_spans.into_iter().flat_map(|group| group.scope_spans));
        ExportOutcome::Delivered
    }
}

struct Tenant;

impl SpanProcessor for Tenant {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        span.set("tenant.id", "acme");
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Keep
    }
}

fn pipeline(sampler: impl Sampler + Send + Sync + 'static) -> (&'static Pipeline, Arc<Mutex<Vec<ScopeSpans>>>) {
    let exported = Arc::default();
    let exporter = Box::new(Keep(Arc::clone(&exported)));
    let options = PipelineOptions::default();
    let settings = WorkerSettings::default();
    let processors: Vec<Box<dyn SpanProcessor + Send + Sync>> = vec![Box::new(Tenant)];
    let pipeline = Pipeline::start(&[], Box::new(sampler), processors, options, settings, exporter).expect("a thread");
    (pipeline, exported)
}

fn context() -> SpanContext {
    let (trace_id, span_id) = (TraceId::from_bytes([7; 16]), SpanId::from_bytes([9; 8]));
    SpanContext::new(trace_id.expect("not zero"), span_id.expect("not zero"), TraceFlags::SAMPLED)
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn what_is_recorded_natively_is_what_leaves() {
    let (pipeline, exported) = pipeline(AlwaysOn);
    let scope = Scope { name: "shop", version: "1.2", schema_url: "https://example.com/s", ..Scope::default() };
    let reason = [("reason", Value::from("retry"))];
    let links = [Link { context: context(), trace_state: "a=1", attributes: &reason }];
    let mut span = pipeline.tracer(&scope).span("charge").links(&links).start_time(5).start();
    span.set_with("db.query.text", || ["SELECT", "1"].join(" "));
    span.set_all(&[("a", Value::from("b"))]);
    span.add_link(&Link { trace_state: "b=2", ..context().into() });
    span.event_at("charged", 6, &reason);
    span.record_exception("Declined", "no funds", "", &[("exception.message", Value::from("redacted"))]);
    span.end_at(8);
    pipeline.flush(Duration::from_secs(300)).expect("in time");

    let exported = exported.lock().expect("no panic");
    let [group] = exported.as_slice() else { panic!("one scope: {exported:?}") };
    let scope = group.scope.as_ref().expect("a scope");
    assert_eq!((&*scope.name, &*scope.version, &*group.schema_url), ("shop", "1.2", "https://example.com/s"));
    let [span] = group.spans.as_slice() else { panic!("one span") };
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (5, 8));
    assert_eq!(text(&span.attributes, "tenant.id"), Some("acme"), "the processor's");
    assert_eq!(text(&span.attributes, "db.query.text"), Some("SELECT 1"));
    assert_eq!(text(&span.attributes, "a"), Some("b"));
    let links: Vec<_> = span.links.iter().map(|link| (&*link.trace_state, text(&link.attributes, "reason"))).collect();
    assert_eq!(links, [("a=1", Some("retry")), ("b=2", None)]);
    assert_eq!((&*span.events[0].name, span.events[0].time_unix_nano), ("charged", 6));
    let exception = &span.events[1];
    assert_eq!(exception.name, "exception");
    assert_eq!(text(&exception.attributes, "exception.type"), Some("Declined"));
    assert_eq!(text(&exception.attributes, "exception.message"), Some("redacted"));
}

#[test]
fn a_span_that_is_not_recorded_computes_nothing() {
    let (pipeline, _) = pipeline(AlwaysOff);
    let mut span = pipeline.tracer(&Scope::default()).span("dropped").start();
    assert!(!span.is_recording());
    span.set_with("never", || -> u32 { panic!("the sampler dropped the span") });
}

/// The threshold by which spans are sampled is in what they record and in what they hand on, children included.
#[test]
fn thresholds_are_recorded_and_handed_on() {
    let half = ProbabilitySampler::new(0.5).expect("a probability");
    let (pipeline, exported) = pipeline(CompositeSampler::new(ParentThreshold::new(half)));
    let tracer = pipeline.tracer(&Scope { name: "shop", ..Scope::default() });
    let parent = |text: &str| clewline::traceparent::parse(text.as_bytes()).expect("valid");
    let sampled = "00-0af7651916cd43dd84c0000000000000-b7ad6b7169203331-03";
    // The parent and its list; the list that is handed on.
    let table = [
        (Some(sampled), "a=1,ot=th:8", "a=1,ot=th:8"),
        (Some(sampled), "a=1,ot=th:d;rv:cfffffffffffff", "ot=rv:cfffffffffffff,a=1"),
        (Some(sampled), "a=1", "a=1"),
        (Some("00-0af7651916cd43dd8440000000000000-b7ad6b7169203331-02"), "a=1,ot=th:8", "a=1"),
        (Some("00-0af7651916cd43dd8440000000000000-b7ad6b7169203331-02"), "ot=th:8", ""),
        (None, "ot=rv:80000000000000", "ot=th:8;rv:80000000000000"),
        (None, "ot=rv:7fffffffffffff", "ot=rv:7fffffffffffff"),
    ];
    let mut recorded = Vec::new();
    for (parent_text, list, handed_on) in table {
        let span = tracer.span("request").child_of(parent_text.map(parent)).trace_state(list).start();
        let child = tracer.span("query").child_of(&span).start();
        for span in [child, span] {
            assert_eq!(span.hand_on().trace_state(), handed_on, "{parent_text:?} {list}");
            assert_eq!(span.is_recording(), span.context().expect("a context").is_sampled());
            if span.is_recording() {
                recorded.push(handed_on);
            }
        }
    }
    // Of roots without a list a half is sampled, and those say so.
    for _ in 0..64 {
        let span = tracer.span("root").root().start();
        assert_eq!(span.hand_on().trace_state(), if span.is_recording() { "ot=th:8" } else { "" });
        recorded.extend(span.is_recording().then_some("ot=th:8"));
    }
    pipeline.flush(Duration::from_secs(300)).expect("in time");
    let exported = exported.lock().expect("no panic");
    let spans = exported.iter().flat_map(|group| &group.spans);
    assert_eq!(spans.map(|span| span.trace_state.as_str()).collect::<Vec<_>>(), recorded);
}

/// An exporter whose client is itself traced.
struct Traced(Arc<OnceLock<Tracer>>);

impl SpanExporter for Traced {
    fn export(&mut self, _: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let tracer = self.0.get().expect("set before the first span");
        let request = tracer.span("request").start();
        if request.is_recording() {
            return ExportOutcome::Rejected { reason: "the request would be exported in turn".to_owned() };
        }
        ExportOutcome::Delivered
    }
}

#[test]
fn what_an_exporter_does_is_not_recorded() {
    let own = Arc::new(OnceLock::new());
    let exporter = Box::new(Traced(Arc::clone(&own)));
    let (options, settings) = (PipelineOptions::default(), WorkerSettings::default());
    let pipeline = Pipeline::start(&[], Box::new(AlwaysOn), Vec::new(), options, settings, exporter).expect("a thread");
    let tracer = *own.get_or_init(|| pipeline.tracer(&Scope { name: "test", ..Scope::default() }));
    tracer.span("work").start().end();
    pipeline.flush(Duration::from_secs(300)).expect("in time");
    let ledger = pipeline.ledger();
    assert_eq!((ledger.started, ledger.delivered), (1, 1), "{ledger:?}");
}
