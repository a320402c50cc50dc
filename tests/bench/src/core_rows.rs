//! The second table: single operations of core, each on its own, in nanoseconds. `-- --core` prints it.
//!
//! Every row is checked before it is timed: an input that is refused, or a span that holds less than its name says, ends the
//! run instead of giving a quick row.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use clewline_core::baggage::InlineBaggage;
use clewline_core::environment::Environment;
use clewline_core::ot::OtState;
use clewline_core::propagation::{Extracted, Format, Outgoing, extract, inject};
use clewline_core::traceparent::{self, Traceparent};
use clewline_core::tracestate::InlineTraceState;
use clewline_core::{
    AlwaysOn, CompositeSampler, Envelope, InlineBatch, InlineSpan, ManualClock, ParentBased, ParentThreshold,
    ProbabilitySampler, RateLimited, RequestView, Rules, Sampler, SamplingDecision, SamplingParameters, SamplingRule,
    Scope, SpanContext, SpanKind, SpanLimits, SpanStart, SpanView, TraceIdRatio, TraceStateUpdate, b3, binary, jaeger,
    json, server_timing,
};

use crate::routine::Routine;
use crate::statistics::Samples;
use crate::table::{Table, number};
use crate::workload;

/// How long one sample takes at least.
const SAMPLE_TIME: Duration = Duration::from_micros(200);

const TRACESTATE: &[u8] = b"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7,ot=th:c;rv:0123456789abcd";
const BAGGAGE: &[u8] = b"userId=alice,serverNode=DF%2028,isProduction=false;ttl=3";

pub(crate) type Span = InlineSpan<1024>;

/// One operation.
pub(crate) struct Row {
    name: &'static str,
    /// How many of what the row's number is for are done in one iteration.
    per_iteration: u32,
    routine: Routine,
}

/// Measures every row whose name contains one of `only`, or all; `quick` takes fewer samples.
///
/// # Panics
///
/// If a row does not do what its name says.
#[must_use]
pub fn table(quick: bool, only: &[String]) -> (Table, String) {
    let samples = if quick { 15 } else { 101 };
    let mut table = Table::new(["core, one operation", "median ns", "minimum", "spread %"].map(str::to_owned).to_vec());
    for mut row in rows() {
        if !only.is_empty() && !only.iter().any(|part| row.name.contains(part.as_str())) {
            continue;
        }
        let times = measure(&mut row, samples);
        let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        let spread = times.spread().map(|spread| spread * 100.0);
        table.push(vec![row.name.to_owned(), cell(times.median()), cell(times.minimum()), cell(spread)]);
    }
    let mut notes = String::new();
    let _ = write!(notes, "{samples} samples of at least {} µs; spread: quartile distance.", SAMPLE_TIME.as_micros());
    (table, notes)
}

fn measure(row: &mut Row, samples: usize) -> Samples {
    let mut iterations = 1;
    while row.routine.run(iterations).1 < SAMPLE_TIME {
        iterations *= 2;
    }
    let mut times = Samples::default();
    for _ in 0..samples {
        let (done, time) = row.routine.run(iterations);
        times.push(time.as_secs_f64() * 1e9 / done as f64 / f64::from(row.per_iteration));
    }
    times
}

fn rows() -> Vec<Row> {
    let mut rows = headers();
    rows.extend(samplers());
    rows.extend(spans());
    rows.extend(crate::chip_rows::rows());
    rows
}

pub(crate) fn row<O>(name: &'static str, is_honest: bool, body: impl FnMut() -> O + 'static) -> Row {
    assert!(is_honest, "the row `{name}` does not do what it says");
    Row { name, per_iteration: 1, routine: Routine::repeat(body) }
}

fn context() -> SpanContext {
    traceparent::parse(workload::TRACEPARENT.as_bytes()).expect("the header of the workload is valid")
}

/// Reading and writing of each header.
fn headers() -> Vec<Row> {
    let context = context();
    let b3_value = b3::single(&b3::B3Context::new(context)).expect("a context has a B3 value");
    let jaeger_read = jaeger::JaegerContext { context, debug: false };
    let jaeger_value = jaeger::value(&jaeger_read);
    let timing = server_timing::value(context);
    let bytes = binary::encode(context);
    let read_list = || InlineTraceState::<512>::read([black_box(TRACESTATE)]);
    let read_baggage = || InlineBaggage::<512>::read([black_box(BAGGAGE)]);
    let list = read_list().expect("the list is valid");
    let ot = list.get("ot").expect("the list has the member").to_owned();
    let state = OtState::parse("th:c;rv:0123456789abcd").expect("the value is valid");
    let baggage = read_baggage();
    let headers = [("traceparent", workload::TRACEPARENT.as_bytes()), ("tracestate", TRACESTATE)];
    let extracted = move || extract::<heapless::Vec<u8, 512>>(&[Format::TraceContext], black_box(&headers));
    let lookup = |name: &str| match name {
        "TRACEPARENT" => Some(workload::TRACEPARENT.as_bytes()),
        "TRACESTATE" => Some(TRACESTATE),
        _ => None,
    };
    let from_environment =
        move || extract::<heapless::Vec<u8, 512>>(&[Format::TraceContext], black_box(&Environment::new(lookup)));
    let mut multi: Vec<(String, String)> = Vec::new();
    b3::multi(&b3::B3Context::new(context), |name, value| multi.push((name.to_owned(), value.to_owned())));
    let is_extracted =
        |found: &Extracted<heapless::Vec<u8, 512>>| found.context.is_some() && !found.trace_state.is_empty();
    vec![
        row("traceparent: parse", true, || traceparent::parse(black_box(workload::TRACEPARENT.as_bytes()))),
        row("traceparent: format", true, move || Traceparent::new(black_box(context))),
        row("tracestate: read 3 members", list.iter().count() == 3, read_list),
        row("tracestate: read and set a member", true, move || {
            let mut list = read_list();
            if let Ok(list) = &mut list {
                let _ = list.set("clewline", black_box("1"));
            }
            list
        }),
        row("ot: parse", true, move || OtState::parse(black_box(&ot)).map(|state| state.threshold())),
        row("ot: format", state.to_text().is_ok(), move || black_box(&state).to_text()),
        row("ot: write a threshold into an empty list", true, || {
            TraceStateUpdate::SetThreshold(black_box(0x19_9900_0000_0000)).apply("")
        }),
        row("baggage: read 3 members", baggage.iter().count() == 3 && baggage.error().is_none(), read_baggage),
        row("baggage: set an encoded value", true, move || {
            let mut list = InlineBaggage::<512>::new(heapless::Vec::new());
            let _ = list.set("serverNode", black_box("DF 28"));
            list
        }),
        row("b3 single: parse", b3::parse_single(b3_value.as_bytes()).is_ok(), move || {
            b3::parse_single(black_box(b3_value.as_bytes())).is_ok()
        }),
        row("b3 single: format", true, move || b3::single(&b3::B3Context::new(black_box(context)))),
        row("b3 multi: extract", b3::extract_multi(multi.as_slice()).is_ok(), {
            let multi = multi.clone();
            move || b3::extract_multi(black_box(multi.as_slice())).is_ok()
        }),
        row("b3 multi: write", multi.len() == 3, move || {
            let mut length = 0;
            b3::multi(&b3::B3Context::new(black_box(context)), |name, value| {
                length += black_box(value).len() + name.len();
            });
            length
        }),
        row("jaeger: parse", jaeger::parse(jaeger_value.as_bytes()).is_ok(), move || {
            jaeger::parse(black_box(jaeger_value.as_bytes()))
        }),
        row("jaeger: format", true, move || jaeger::value(black_box(&jaeger_read))),
        row("server-timing: extract", server_timing::extract([timing.as_bytes()]).is_ok(), move || {
            server_timing::extract([black_box(timing.as_bytes())])
        }),
        row("server-timing: format", true, move || server_timing::value(black_box(context))),
        row("26 bytes: decode", binary::decode(&bytes).is_ok(), move || binary::decode(black_box(&bytes))),
        row("26 bytes: encode", true, move || binary::encode(black_box(context))),
        row("traceparent and tracestate from a carrier", is_extracted(&extracted()), extracted),
        row("traceparent and tracestate into a carrier", true, move || {
            let mut length = 0;
            let outgoing = Outgoing { context: black_box(context), trace_state: "congo=t61rcWkgMzE", debug: false };
            inject(&[Format::TraceContext], &outgoing, &mut |name: &str, value: &str| {
                length += black_box(value).len() + name.len();
            });
            length
        }),
        row("the same from environment variables", is_extracted(&from_environment()), from_environment),
    ]
}

/// Decisions about a root span; the parent-based one about a child.
fn samplers() -> Vec<Row> {
    fn decide(name: &'static str, parent: Option<SpanContext>, sampler: impl Sampler + 'static) -> Row {
        decide_with(name, parent, "", sampler)
    }
    fn decide_with(
        name: &'static str,
        parent: Option<SpanContext>,
        trace_state: &'static str,
        sampler: impl Sampler + 'static,
    ) -> Row {
        let trace_id = context().trace_id();
        let decide = move || {
            let parameters = SamplingParameters {
                parent: parent.as_ref(),
                trace_state,
                trace_id,
                name: workload::ROOT,
                kind: SpanKind::Server,
                attributes: &[],
                links: &[],
            };
            sampler.should_sample(black_box(&parameters)).decision
        };
        row(name, decide() == SamplingDecision::RecordAndSample, decide)
    }
    static RULES: [SamplingRule<'_, AlwaysOn>; 3] = [
        SamplingRule { name: "GET /health", kind: None, sampler: AlwaysOn },
        SamplingRule { name: "*/static/*", kind: None, sampler: AlwaysOn },
        SamplingRule { name: "POST *", kind: None, sampler: AlwaysOn },
    ];
    let limited = RateLimited::new(ManualClock::new(0), u32::MAX, Duration::from_nanos(1));
    let most = TraceIdRatio::new(0.9).expect("a probability");
    let probable = || ProbabilitySampler::new(0.9).expect("a probability");
    let passed_on = CompositeSampler::new(ParentThreshold::new(probable()));
    vec![
        decide("sampler: always on", None, AlwaysOn),
        decide("sampler: trace-id ratio", None, most),
        decide("sampler: parent-based", Some(context()), ParentBased::new(AlwaysOn)),
        decide("sampler: probability", None, probable()),
        decide_with("sampler: parent's threshold of 3 members", Some(context()), "a=1,ot=th:1999,b=2", passed_on),
        decide("sampler: rate limit", None, limited),
        decide("sampler: three rules, none fits", None, Rules::new(&RULES, AlwaysOn)),
    ]
}

pub(crate) fn start() -> SpanStart<'static> {
    SpanStart {
        context: context(),
        parent: None,
        name: workload::ROOT,
        kind: SpanKind::Server,
        start_time: workload::ENCODED_START,
        trace_state: "",
        limits: SpanLimits::DEFAULT,
    }
}

pub(crate) fn filled() -> Span {
    let mut span = Span::new(heapless::Vec::new(), &start());
    for (key, value) in workload::ENCODED_ATTRIBUTES {
        span.set(key, value);
    }
    assert_eq!(span.counts().attributes, 8, "the row's span is whole");
    span
}

/// Recording, reading and encoding of a span with eight text attributes.
fn spans() -> Vec<Row> {
    const SPANS: u32 = 64;
    let mut batch = Box::new(InlineBatch::<{ 64 * 1024 }>::new(heapless::Vec::new()));
    for _ in 0..SPANS {
        batch.push(&filled(), workload::ENCODED_START + workload::ENCODED_DURATION).expect("the batch holds them");
    }
    let scope = Scope { name: workload::SCOPE, ..Scope::default() };
    let envelope = Envelope::new(heapless::Vec::<u8, 256>::new(), &[][..], &scope).expect("it fits");
    let mut request = Box::new(heapless::Vec::<u8, { 64 * 1024 }>::new());
    envelope.write_request(batch.as_bytes(), &mut *request).expect("it fits");
    let mut out = Box::<Buffer>::default();
    let mut write = move || {
        out.clear();
        json::write(&json::Request::new(&envelope, &batch), &mut *out).is_ok()
    };
    assert!(write(), "the rows' spans fit");
    let mut text = Box::<Buffer>::default();
    let view = RequestView::parse(&request).expect("it was written by us");
    json::write(&view, &mut *text).expect("it fits");

    let mut live = filled();
    let mut replaced = filled();
    let one = {
        let mut one = heapless::Vec::<u8, 1024>::new();
        filled().write_to(workload::ENCODED_START, one.as_mut_view()).expect("it fits");
        // Without the field of the batch: a tag and two bytes of length.
        heapless::Vec::<u8, 1024>::from_slice(&one[3..]).expect("it fits")
    };
    let mut read_into = Box::<Buffer>::default();
    let mut rows = vec![
        row("span: start and set 8 attributes", true, move || {
            live.restart(black_box(&start()));
            for (key, value) in workload::ENCODED_ATTRIBUTES {
                live.set(key, value);
            }
            live.counts().attributes
        }),
        row("span: replace the last of 8 attributes", replaced.view(0).attributes().count() == 8, move || {
            replaced.set("tenant.id", black_box("umbrella"));
            replaced.counts().attributes
        }),
        row("view: parse a span of 8 attributes", SpanView::parse(&one).is_ok(), {
            let one = one.clone();
            move || SpanView::parse(black_box(&one)).map(|view| view.flags())
        }),
        row("view: parse it and walk its attributes", true, move || {
            let view = SpanView::parse(black_box(&one)).ok()?;
            Some(view.attributes().filter_map(|(key, value)| Some(key.len() + value.as_str()?.len())).sum::<usize>())
        }),
        row("view: a request of 64 spans, per span", view.resource_spans().count() == 1, move || {
            let view = RequestView::parse(black_box(&request)).ok()?;
            let scopes = view.resource_spans().flat_map(|group| group.scope_spans());
            Some(scopes.flat_map(|scope| scope.spans()).flatten().map(|(_, span)| span.name().len()).sum::<usize>())
        }),
        row("json: write, per span of 8 attributes", true, write),
        row("json: read, per span of 8 attributes", true, move || {
            read_into.clear();
            // Without escapes, so reading leaves the text as it is.
            json::read_request(black_box(&mut text), &mut *read_into).is_ok()
        }),
    ];
    rows.iter_mut().filter(|row| row.name.contains(", per span")).for_each(|row| row.per_iteration = SPANS);
    rows
}

type Buffer = heapless::Vec<u8, { 256 * 1024 }>;
