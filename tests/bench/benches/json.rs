//! OTLP/JSON and samplers in core: the quickest of many rounds, in nanoseconds. `cargo bench -p clewline-bench --bench json`.
//!
//! JSON is measured per span of eight attributes, 512 to a request; `serde_json` and `serde-json-core` write and read the same
//! spans through core's serde implementations.

use clewline_core::json::{self, Request, RequestSeed};
use clewline_core::{
    AlwaysOff, AlwaysOn, Envelope, IdSource, InlineBatch, InlineSpan, ManualClock, RandomIds, RateLimited, Rules,
    Sampler, SamplingParameters, SamplingRule, Scope, SpanContext, SpanKind, SpanLimits, SpanStart, TraceFlags,
    TraceIdRatio, Value,
};
use serde::de::DeserializeSeed as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SPANS: u32 = 512;
const ROUNDS: u32 = 400;

type Batch = InlineBatch<{ 256 * 1024 }>;
type Buffer = heapless::Vec<u8, { 1024 * 1024 }>;

fn main() {
    let batch = batch();
    let scope = Scope { name: "bench", ..Scope::default() };
    let service = [("service.name", Value::from("shop"))];
    let Ok(envelope) = Envelope::new(heapless::Vec::<u8, 256>::new(), &service, &scope) else { return };
    let request = Request::new(&envelope, &batch);
    let mut out = Box::<Buffer>::default();
    let mut slice = vec![0; 1024 * 1024];

    report("write, core", SPANS, || {
        out.clear();
        let _ = black_box(json::write(&request, &mut *out));
    });
    report("write, serde-json-core", SPANS, || {
        let _ = black_box(serde_json_core::to_slice(&request, &mut slice));
    });
    report("write, serde_json", SPANS, || {
        let _ = black_box(serde_json::to_vec(&request));
    });
    let text = out.to_vec();
    println!("{:<24} {:>9} bytes", "one span in JSON", text.len() / SPANS as usize);
    let mut copy = text.clone();
    report("read, core", SPANS, || {
        // Without escapes, so reading leaves it as it is.
        out.clear();
        let _ = black_box(json::read_request(&mut copy, &mut *out));
    });
    report("read, serde_json", SPANS, || {
        out.clear();
        let mut deserializer = serde_json::Deserializer::from_slice(&text);
        let _ = black_box(RequestSeed::new(out.as_mut_view()).deserialize(&mut deserializer));
    });

    let table = [("GET /health", &AlwaysOff as &dyn Sampler), ("*/static/*", &AlwaysOff), ("POST *", &AlwaysOn)]
        .map(|(name, sampler)| SamplingRule { name, kind: None, sampler });
    decide("rate limit, full", &RateLimited::new(ManualClock::new(0), u32::MAX, Duration::from_nanos(1)));
    decide("rate limit, empty", &RateLimited::new(ManualClock::new(0), 0, Duration::from_secs(1)));
    decide("three rules, none fits", &Rules::new(&table, AlwaysOn));
    if let Ok(ratio) = TraceIdRatio::new(0.5) {
        decide("trace-id ratio", &ratio);
    }
}

fn batch() -> Box<Batch> {
    let mut batch = Box::<Batch>::default();
    let ids = RandomIds::from_seed([1, 2]);
    for _ in 0..SPANS {
        let context = SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED);
        let start = SpanStart {
            context,
            parent: Some(SpanContext::new(context.trace_id(), ids.span_id(), TraceFlags::SAMPLED)),
            name: "GET /cart/{id}",
            kind: SpanKind::Server,
            start_time: 1_700_000_000_123_456_789,
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        let mut span = InlineSpan::<512>::new(heapless::Vec::new(), &start);
        span.set("http.request.method", "GET").set("http.route", "/cart/{id}").set("url.path", "/cart/17");
        span.set("url.scheme", "https").set("server.address", "shop.example").set("server.port", 443);
        span.set("http.response.status_code", 200).set("user_agent.original", "Mozilla/5.0");
        let _ = batch.push(&span, 1_700_000_000_223_456_789);
    }
    batch
}

fn decide(label: &str, sampler: &dyn Sampler) {
    let trace_id = RandomIds::from_seed([3, 4]).trace_id();
    let (name, kind) = ("GET /cart/{id}", SpanKind::Server);
    let parameters =
        SamplingParameters { parent: None, trace_state: "", trace_id, name, kind, attributes: &[], links: &[] };
    report(label, 1_000, || {
        for _ in 0..1_000 {
            black_box(sampler.should_sample(black_box(&parameters)).decision);
        }
    });
}

/// Prints the quickest round: what it takes when nothing else gets in between.
fn report(label: &str, units: u32, mut round: impl FnMut()) {
    let mut quickest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        quickest = quickest.min(start.elapsed());
    }
    println!("{label:<24} {:>9.1} ns", quickest.as_secs_f64() * 1e9 / f64::from(units));
}
