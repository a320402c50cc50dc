//! Every call of the API, and what is exported for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clewline_core::{AlwaysOff, ParentBased, RecordOnly, SamplingDecision, SamplingParameters, SamplingResult};
use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};

use crate::support::{Recorder, named};

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

fn remote(flags: u8, trace_state: &str) -> SpanContext {
    let (trace_id, span_id) = (TraceId::from_bytes([7; 16]), SpanId::from_bytes([9; 8]));
    SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, trace_state.parse().unwrap())
}

/// Values of every type that the API has.
fn values() -> Vec<KeyValue> {
    vec![
        KeyValue::new("bool", true),
        KeyValue::new("i64", i64::MIN),
        KeyValue::new("f64", 0.25),
        KeyValue::new("text", "ü"),
        KeyValue::new("owned", String::from("owned")),
        KeyValue::new("bools", Value::Array(vec![true, false].into())),
        KeyValue::new("i64s", Value::Array(vec![1_i64, i64::MAX].into())),
        KeyValue::new("f64s", Value::Array(vec![1.5, -1.5].into())),
        KeyValue::new("texts", Value::Array(Array::String(vec!["a".into(), String::from("b").into()]))),
        KeyValue::new("none", Value::Array(Array::String(Vec::new()))),
    ]
}

#[test]
fn a_builder_with_every_field() {
    let recorder = Recorder::new();
    let link = Link::new(remote(1, "rojo=00f067aa0ba902b7"), vec![KeyValue::new("why", "retry")], 0);
    let event = Event::new("before", at(5), vec![KeyValue::new("n", 1_i64)], 0);
    let mut span = recorder
        .tracer()
        .span_builder("charge")
        .with_kind(SpanKind::Producer)
        .with_start_time(at(10))
        .with_attributes(values())
        .with_links(vec![link.clone(), Link::with_context(SpanContext::NONE)])
        .with_events(vec![event.clone()])
        .start(&recorder.tracer());
    assert!(span.is_recording());
    let context = span.span_context().clone();
    assert!(context.is_valid() && context.is_sampled() && !context.is_remote());
    span.end_with_timestamp(at(20));
    let spans = recorder.spans();
    let span = named(&spans, "charge");
    assert_eq!((span.span_kind.clone(), span.start_time, span.end_time), (SpanKind::Producer, at(10), at(20)));
    assert_eq!(span.attributes, values());
    assert_eq!(span.links.links, [link]);
    assert_eq!(span.events.events, [event]);
    assert_eq!(span.span_context, context);
    assert_eq!(span.instrumentation_scope.name(), "test");
}

#[test]
fn a_span_takes_everything_while_it_goes_on() {
    let recorder = Recorder::new();
    let mut span = recorder.tracer().start("draft");
    span.update_name(String::from("final"));
    span.set_attribute(KeyValue::new("twice", 1_i64));
    span.set_attribute(KeyValue::new("twice", 2_i64));
    span.set_attributes(values());
    span.add_event_with_timestamp("timed", at(7), values());
    span.add_event("now", vec![KeyValue::new("a", "b")]);
    span.record_error(&std::io::Error::other("disk full"));
    span.add_link(remote(0, ""), vec![KeyValue::new("c", "d")]);
    span.add_link(SpanContext::NONE, Vec::new());
    span.set_status(Status::error("first"));
    span.set_status(Status::error("second"));
    span.set_status(Status::Unset);
    let before = SystemTime::now();
    span.end();
    assert!(!span.is_recording());
    span.set_attribute(KeyValue::new("late", true));
    span.end();
    let spans = recorder.spans();
    let span = named(&spans, "final");
    let mut expected = vec![KeyValue::new("twice", 2_i64)];
    expected.extend(values());
    assert_eq!(span.attributes, expected);
    let events: Vec<_> = span.events.iter().map(|event| (event.name.as_ref(), event.attributes.len())).collect();
    assert_eq!(events, [("timed", values().len()), ("now", 1), ("exception", 1)]);
    assert_eq!(span.events[0].timestamp, at(7));
    assert_eq!(span.events[2].attributes, [KeyValue::new("exception.message", "disk full")]);
    assert_eq!(span.links.links, [Link::new(remote(0, ""), vec![KeyValue::new("c", "d")], 0)]);
    assert_eq!(span.links.dropped_count, 1, "the one to no context");
    assert_eq!(span.status, Status::error("second"));
    assert!(span.start_time <= span.end_time);
    let skew = Duration::from_millis(100);
    assert!(span.end_time > before - skew && span.events[1].timestamp > before - skew, "by the clock");
}

#[test]
fn ok_is_final_and_its_description_is_none() {
    let recorder = Recorder::new();
    let mut span = recorder.tracer().start("judged");
    span.set_status(Status::Ok);
    span.set_status(Status::error("too late"));
    drop(span);
    assert_eq!(named(&recorder.spans(), "judged").status, Status::Ok);
}

#[test]
fn a_parent_from_elsewhere_hands_on_trace_flags_and_list() {
    let recorder = Recorder::new();
    let parent = remote(0x03, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    let cx = Context::new().with_remote_span_context(parent.clone());
    let span = recorder.tracer().start_with_context("child", &cx);
    let context = span.span_context().clone();
    drop(span);
    assert_eq!(context.trace_id(), parent.trace_id());
    assert_eq!(context.trace_flags(), TraceFlags::new(0x03), "sampled, and a random trace id");
    assert_eq!(context.trace_state(), parent.trace_state());
    let spans = recorder.spans();
    let span = named(&spans, "child");
    assert_eq!((span.parent_span_id, span.parent_span_is_remote), (parent.span_id(), true));
    assert_eq!(span.span_context, context);
}

#[test]
fn an_invalid_parent_starts_a_new_trace() {
    let recorder = Recorder::new();
    for parent in [
        SpanContext::NONE,
        SpanContext::new(TraceId::INVALID, SpanId::from(7), TraceFlags::SAMPLED, true, TraceState::NONE),
        SpanContext::new(TraceId::from(7), SpanId::INVALID, TraceFlags::SAMPLED, true, TraceState::NONE),
    ] {
        let cx = Context::new().with_remote_span_context(parent.clone());
        let span = recorder.tracer().start_with_context("root", &cx);
        assert!(span.span_context().is_valid());
        assert_ne!(span.span_context().trace_id(), parent.trace_id());
    }
    assert!(recorder.spans().iter().all(|span| span.parent_span_id == SpanId::INVALID));
}

#[test]
fn links_of_a_builder_that_lead_nowhere_are_counted() {
    let recorder = Recorder::new();
    let mut builder = recorder.tracer().span_builder("span");
    // The builder's own method leaves them out; its field takes anything.
    builder.links = Some(vec![Link::with_context(SpanContext::NONE), Link::with_context(remote(1, ""))]);
    builder.start(&recorder.tracer()).end();
    let spans = recorder.spans();
    let links = &named(&spans, "span").links;
    assert_eq!((links.links.len(), links.dropped_count), (1, 1));
}

/// Notes what it is asked about.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<String>>>);

impl clewline::Sampler for Noting {
    fn should_sample(&self, asked: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let links: Vec<_> = asked.links.iter().map(|link| (link.trace_state, link.attributes)).collect();
        let parent = asked.parent.map(clewline::SpanContext::is_remote);
        self.0
            .lock()
            .unwrap()
            .push(format!("{} {:?} {parent:?} {:?} {links:?}", asked.name, asked.kind, asked.attributes));
        SamplingDecision::RecordAndSample.into()
    }
}

#[test]
fn the_sampler_sees_what_the_builder_says() {
    let noting = Noting::default();
    let recorder = Recorder::with_sampler(noting.clone());
    let texts = Value::Array(Array::String(vec!["a".into()]));
    let builder = recorder.tracer().span_builder("span").with_kind(SpanKind::Server);
    let builder = builder.with_attributes([KeyValue::new("n", 1_i64), KeyValue::new("texts", texts)]);
    let builder = builder.with_links(vec![Link::new(remote(1, "b=2"), vec![KeyValue::new("why", true)], 0)]);
    let cx = Context::new().with_remote_span_context(remote(1, "a=1"));
    builder.start_with_context(&recorder.tracer(), &cx).end();
    let expected = r#"span Server Some(true) [("n", I64(1)), ("texts", Strs(["a"]))] [("b=2", [("why", Bool(true))])]"#;
    assert_eq!(*noting.0.lock().unwrap(), [expected]);
}

#[test]
fn the_sampler_decides() {
    let off = Recorder::with_sampler(AlwaysOff);
    let mut span = off.tracer().start("dropped");
    assert!(!span.is_recording() && span.span_context().is_valid() && !span.span_context().is_sampled());
    span.set_attribute(KeyValue::new("a", 1_i64));
    span.end();
    assert_eq!(off.spans(), []);
    let parent_based = Recorder::with_sampler(ParentBased::new(AlwaysOff));
    let cx = Context::new().with_remote_span_context(remote(1, ""));
    assert!(parent_based.tracer().start_with_context("kept", &cx).is_recording());
    let record_only = Recorder::with_sampler(RecordOnly);
    let span = record_only.tracer().start("local");
    assert!(span.is_recording() && !span.span_context().is_sampled());
    drop(span);
    assert_eq!(record_only.spans(), []);
}

#[test]
fn a_scope_with_everything_arrives() {
    let recorder = Recorder::new();
    let scope = InstrumentationScope::builder("lib")
        .with_version("1.2.3")
        .with_schema_url("https://opentelemetry.io/schemas/1.30.0")
        .with_attributes([KeyValue::new("k", Value::Array(Array::String(vec!["v".into()])))])
        .build();
    recorder.provider().tracer_with_scope(scope.clone()).start("a").end();
    recorder.provider().tracer("other").start("b").end();
    let spans = recorder.spans();
    assert_eq!(named(&spans, "a").instrumentation_scope, scope);
    assert_eq!(named(&spans, "b").instrumentation_scope, InstrumentationScope::builder("other").build());
}

#[test]
fn without_a_pipeline_the_parent_is_passed_on() {
    let tracer = clewline::opentelemetry::TracerProvider::new().tracer("early");
    let cx = Context::new().with_remote_span_context(remote(1, "a=1"));
    let span = tracer.start_with_context("nobody records", &cx);
    assert!(!span.is_recording());
    assert_eq!(span.span_context(), &remote(1, "a=1"));
    assert_eq!(tracer.start_with_context("root", &Context::new()).span_context(), &SpanContext::NONE);
}

#[test]
fn nothing_is_recorded_where_telemetry_is_suppressed() {
    let recorder = Recorder::new();
    let suppressed = Context::current().with_telemetry_suppressed();
    assert_eq!(recorder.tracer().start_with_context("explicit", &suppressed).span_context(), &SpanContext::NONE);
    {
        let _guard = suppressed.attach();
        recorder.tracer().start("implicit").end();
        recorder.native().span("native").start().end();
    }
    recorder.tracer().start("recorded").end();
    let names: Vec<_> = recorder.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["recorded"]);
}
