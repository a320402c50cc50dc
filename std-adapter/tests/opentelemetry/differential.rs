//! The same programs through `opentelemetry_sdk` and through Clewline: the exported spans are equal.
//!
//! Programs are made at random, of all that the API can say, with times of their own. Left out is what the two do
//! differently on purpose: a key that is set again (the SDK keeps both), a second error status (the SDK keeps the one that
//! sorts last), links to invalid contexts (the SDK keeps those that are added late), invalid parents (the SDK's parent-based sampler
//! takes them for unsampled ones), and the flag of random trace ids (the SDK has none).

use std::collections::HashMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clewline_core::{AlwaysOn, ParentBased};
use opentelemetry::trace::{
    Event, Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider, mark_span_as_active,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

use crate::support::Recorder;

const PROGRAMS: u64 = 300;

/// A small generator: the same programs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn text(&mut self) -> String {
        let length = self.below(12);
        (0..length)
            .map(|_| ['a', 'Z', '0', ' ', '"', '\\', 'é', '€', '𝄞', '\n'][usize::try_from(self.below(10)).unwrap()])
            .collect()
    }

    fn time(&mut self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.next() >> 8)
    }

    fn value(&mut self) -> Value {
        let count = self.below(4);
        match self.below(9) {
            0 => Value::Bool(self.below(2) == 0),
            1 => Value::I64(self.next().cast_signed()),
            2 => Value::F64(self.next().cast_signed() as f64 / 1e6),
            3 => self.text().into(),
            4 => "literal".into(),
            5 => Value::Array(Array::Bool((0..=count).map(|_| self.below(2) == 0).collect())),
            6 => Value::Array(Array::I64((0..=count).map(|_| self.next().cast_signed()).collect())),
            7 => Value::Array(Array::F64((0..=count).map(|_| self.below(1000) as f64).collect())),
            _ => Value::Array(Array::String((0..count).map(|_| self.text().into()).collect())),
        }
    }

    /// Attributes with keys of their own. Sometimes there are more than a span may have.
    fn attributes(&mut self, prefix: &str) -> Vec<KeyValue> {
        let count = if self.below(40) == 0 { 120 + self.below(30) } else { self.below(5) };
        (0..count).map(|index| KeyValue::new(format!("{prefix}.{index}"), self.value())).collect()
    }

    fn context(&mut self) -> SpanContext {
        let list =
            if self.below(2) == 0 { TraceState::NONE } else { "rojo=00f067aa0ba902b7,congo=t61".parse().unwrap() };
        let flags = TraceFlags::SAMPLED.with_sampled(self.below(2) == 0);
        let trace_id = TraceId::from(u128::from(self.next()) << 64 | u128::from(self.next() | 1));
        SpanContext::new(trace_id, SpanId::from(self.next() | 1), flags, self.below(2) == 0, list)
    }

    fn link(&mut self) -> Link {
        Link::new(self.context(), self.attributes("link"), 0)
    }
}

/// Runs one program: a tree of spans, each of which takes random calls and starts random children.
struct Program {
    random: Random,
    spans: usize,
    keys: usize,
}

impl Program {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), spans: 0, keys: 0 }
    }

    fn run<T: Tracer<Span: Send + Sync + 'static>>(&mut self, tracer: &T) {
        for _ in 0..=self.random.below(2) {
            let parent = match self.random.below(2) {
                0 => Context::new().with_remote_span_context(self.random.context()),
                _ => Context::new(),
            };
            self.span(tracer, &parent, 0);
        }
    }

    fn builder<T: Tracer>(&mut self, tracer: &T) -> opentelemetry::trace::SpanBuilder {
        self.spans += 1;
        let random = &mut self.random;
        let mut builder = tracer.span_builder(format!("span {}", self.spans)).with_start_time(random.time());
        if random.below(2) == 0 {
            let kinds =
                [SpanKind::Client, SpanKind::Server, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal];
            builder = builder.with_kind(kinds[usize::try_from(random.below(5)).unwrap()].clone());
        }
        if random.below(2) == 0 {
            builder = builder.with_attributes(random.attributes("start"));
        }
        if random.below(3) == 0 {
            let count = if random.below(10) == 0 { 130 } else { random.below(3) };
            builder = builder.with_links((0..count).map(|_| random.link()).collect());
        }
        if random.below(3) == 0 {
            let count = if random.below(10) == 0 { 130 } else { random.below(3) };
            let event = |random: &mut Random| Event::new(random.text(), random.time(), random.attributes("event"), 0);
            builder = builder.with_events((0..count).map(|_| event(random)).collect());
        }
        builder
    }

    fn span<T: Tracer<Span: Send + Sync + 'static>>(&mut self, tracer: &T, parent: &Context, depth: usize) {
        let builder = self.builder(tracer);
        let mut span = builder.start_with_context(tracer, parent);
        for _ in 0..self.random.below(6) {
            self.call(&mut span);
        }
        match if depth < 3 { self.random.below(4) } else { 3 } {
            // Children by an explicit context; the parent is used through it meanwhile.
            0 => {
                let cx = parent.with_span(span);
                for _ in 0..self.random.below(3) {
                    self.span(tracer, &cx, depth + 1);
                }
                cx.span().set_attribute(KeyValue::new("through the context", true));
                cx.span().record_error(&io::Error::other("through the context"));
                let end = self.random.time();
                cx.span().end_with_timestamp(end);
            }
            // Children of the current context.
            1 => {
                let guard = mark_span_as_active(span);
                for _ in 0..self.random.below(3) {
                    let builder = self.builder(tracer);
                    let mut child = builder.start(tracer);
                    self.call(&mut child);
                    let end = self.random.time();
                    child.end_with_timestamp(end);
                }
                let end = self.random.time();
                Context::map_current(|cx| cx.span().end_with_timestamp(end));
                drop(guard);
            }
            _ => {
                let end = self.random.time();
                span.end_with_timestamp(end);
                // After its end it takes nothing.
                span.set_attribute(KeyValue::new("late", 1_i64));
                span.end_with_timestamp(UNIX_EPOCH);
            }
        }
    }

    fn call<S: Span>(&mut self, span: &mut S) {
        self.keys += 1;
        let prefix = format!("call {}", self.keys);
        let random = &mut self.random;
        match random.below(8) {
            0 => span.set_attribute(KeyValue::new(prefix, random.value())),
            1 => span.set_attributes(random.attributes(&prefix)),
            2 => {
                let (name, time) = (random.text(), random.time());
                span.add_event_with_timestamp(name, time, random.attributes(&prefix));
            }
            3 => span.add_event("now", random.attributes(&prefix)),
            4 => span.record_error(&io::Error::other(random.text())),
            5 => span.set_status(
                [Status::Unset, Status::Ok, Status::error("it failed")][usize::try_from(random.below(3)).unwrap()]
                    .clone(),
            ),
            6 => span.update_name(format!("{prefix} renamed")),
            _ => {
                let context = random.context();
                span.add_link(context, random.attributes(&prefix));
            }
        }
    }
}

/// Makes spans comparable: generated ids become numbers in the order of the ends, and times by the clock become the epoch.
fn comparable(mut spans: Vec<SpanData>, generated: &HashMap<SpanId, u64>) -> Vec<SpanData> {
    let mut traces: HashMap<TraceId, u128> = HashMap::new();
    let parents: Vec<(SpanId, TraceId)> =
        spans.iter().map(|span| (span.parent_span_id, span.span_context.trace_id())).collect();
    // Trace ids that came from elsewhere stay as they are.
    let is_remote =
        |span: &SpanData| span.parent_span_id != SpanId::INVALID && !generated.contains_key(&span.parent_span_id);
    let kept: Vec<TraceId> =
        spans.iter().filter(|span| is_remote(span)).map(|span| span.span_context.trace_id()).collect();
    for (span, (parent, trace)) in spans.iter_mut().zip(parents) {
        let count = traces.len() as u128 + 1;
        let trace = if kept.contains(&trace) { trace } else { TraceId::from(*traces.entry(trace).or_insert(count)) };
        let context = &span.span_context;
        let flags = TraceFlags::new(context.trace_flags().to_u8() & 1);
        let id = SpanId::from(generated[&context.span_id()]);
        span.span_context = SpanContext::new(trace, id, flags, context.is_remote(), context.trace_state().clone());
        span.parent_span_id = generated.get(&parent).map_or(parent, |number| SpanId::from(*number));
        for event in &mut span.events.events {
            if event.name == "now" || event.name == "exception" {
                event.timestamp = UNIX_EPOCH;
            }
        }
    }
    spans
}

fn numbered(spans: Vec<SpanData>) -> Vec<SpanData> {
    let generated = spans.iter().zip(1..).map(|(span, number)| (span.span_context.span_id(), number)).collect();
    comparable(spans, &generated)
}

#[test]
fn the_same_programs_make_equal_spans() {
    let scope = || {
        InstrumentationScope::builder("differential")
            .with_version("1")
            .with_attributes([KeyValue::new("scope", "attribute")])
            .build()
    };
    let exporter = InMemorySpanExporter::default();
    let sdk = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let theirs = sdk.tracer_with_scope(scope());
    let recorder = Recorder::with_sampler(ParentBased::new(AlwaysOn));
    let ours = recorder.provider().tracer_with_scope(scope());
    let mut spans = 0;
    for seed in 1..=PROGRAMS {
        Program::new(seed).run(&theirs);
        Program::new(seed).run(&ours);
        let expected = numbered(exporter.get_finished_spans().unwrap());
        let found = numbered(recorder.spans());
        assert_eq!(found.len(), expected.len(), "program {seed}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "program {seed}, span `{}`", expected.name);
        }
        spans += found.len();
        exporter.reset();
        recorder.exported.reset();
    }
    assert!(spans > 500, "{spans} spans compared");
    let ledger = recorder.pipeline.ledger();
    assert_eq!((ledger.started, ledger.dropped()), (ledger.delivered, 0), "{ledger:?}");
}

/// The boxed tracers that `opentelemetry::global` hands out go other ways through the API.
#[test]
fn boxed_tracers_make_equal_spans_too() {
    use opentelemetry::global::{BoxedTracer, ObjectSafeTracerProvider as _};
    let scope = || InstrumentationScope::builder("boxed").build();
    let exporter = InMemorySpanExporter::default();
    let sdk = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let recorder = Recorder::with_sampler(ParentBased::new(AlwaysOn));
    let theirs = BoxedTracer::new(sdk.boxed_tracer(scope()));
    let ours = BoxedTracer::new(recorder.provider().boxed_tracer(scope()));
    for seed in 1..=40 {
        Program::new(seed).run(&theirs);
        Program::new(seed).run(&ours);
    }
    let (found, expected) = (numbered(recorder.spans()), numbered(exporter.get_finished_spans().unwrap()));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}
