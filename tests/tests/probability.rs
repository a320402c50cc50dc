//! Consistent probability sampling: who is sampled, what the tracestate list says of it, and where the list goes
//! (OpenTelemetry trace SDK, "Built-in samplers"; "TraceState: Probability Sampling").

use clewline_core::propagation::{Extracted, Format, Outgoing, extract, inject};
use clewline_core::{
    AlwaysOff, AlwaysOn, ComposableSampler, CompositeSampler, CountingIds, IdSource, LocalSink, ManualClock, NoClock,
    ParentBased, ParentThreshold, ProbabilitySampler, RandomIds, RecordOnly, Rules, Sampler, SamplingDecision,
    SamplingIntent, SamplingParameters, SamplingRule, SpanContext, SpanKind, TraceId, TraceStateUpdate, Tracer,
    traceparent,
};

/// A trace whose randomness is `8` and zeros: it is sampled by every probability from a half up.
const HALF: &str = "0af7651916cd43dd8480000000000000";
/// One below that.
const BELOW_HALF: &str = "0af7651916cd43dd847fffffffffffff";

fn trace_id(text: &str) -> TraceId {
    TraceId::from_hex(text).unwrap()
}

/// The parent in trace `trace_id` with W3C flags.
fn parent(trace_id: &str, flags: &str) -> SpanContext {
    traceparent::parse(format!("00-{trace_id}-b7ad6b7169203331-{flags}").as_bytes()).unwrap()
}

/// Whether the span is sampled, and the list it passes on.
fn decide(sampler: &dyn Sampler, trace: &str, flags: Option<&str>, list: &str) -> (bool, String) {
    let parent = flags.map(|flags| parent(trace, flags));
    let result = sampler.should_sample(&SamplingParameters {
        parent: parent.as_ref(),
        trace_state: list,
        trace_id: trace_id(trace),
        name: "GET /cart",
        kind: SpanKind::Server,
        attributes: &[],
        links: &[],
    });
    (result.decision == SamplingDecision::RecordAndSample, result.trace_state.apply(list).as_str().to_owned())
}

fn probability(share: f64) -> ProbabilitySampler {
    ProbabilitySampler::new(share).unwrap()
}

/// A trace, the parent's flags if there is a parent, its list; whether a probability of a half samples it, the list after.
type Case = (&'static str, Option<&'static str>, &'static str, bool, &'static str);

fn check(sampler: &dyn Sampler, table: &[Case]) {
    for (trace, flags, list, sampled, after) in table {
        let decided = decide(sampler, trace, *flags, list);
        assert_eq!(decided, (*sampled, (*after).to_owned()), "{trace} {flags:?} {list:?}");
    }
}

#[test]
fn a_probability_decides_by_randomness_alone() {
    check(
        &probability(0.5),
        &[
            // "R >= T": the threshold itself is sampled.
            (HALF, None, "", true, "ot=th:8"),
            (BELOW_HALF, None, "", false, ""),
            // "MUST ignore the parent SampledFlag."
            (HALF, Some("02"), "", true, "ot=th:8"),
            (BELOW_HALF, Some("03"), "", false, ""),
            // "… after checking whether the OpenTelemetry TraceState field contains an explicit randomness value."
            (BELOW_HALF, None, "ot=rv:80000000000000", true, "ot=th:8;rv:80000000000000"),
            (HALF, None, "ot=rv:7fffffffffffff", false, "ot=rv:7fffffffffffff"),
            (HALF, Some("03"), "a=1,ot=rv:7fffffffffffff;th:0", false, "ot=rv:7fffffffffffff,a=1"),
            // An explicit randomness that breaks its rule is none.
            (HALF, None, "ot=rv:7FFFFFFFFFFFFF", true, "ot=th:8"),
            (HALF, None, "ot=rv:7fffffffffffff0", true, "ot=th:8"),
            // An independent decision replaces the parent's threshold, whatever it was …
            (HALF, Some("03"), "ot=th:0", true, "ot=th:8"),
            (HALF, Some("03"), "x=1,ot=th:7;k:v,y=2", true, "ot=th:8;k:v,x=1,y=2"),
            (HALF, Some("03"), "x=1,ot=th:8", true, "x=1,ot=th:8"),
            // … and removes it where the span is not sampled.
            (BELOW_HALF, Some("03"), "x=1,ot=th:0;k:v,y=2", false, "ot=k:v,x=1,y=2"),
            (BELOW_HALF, Some("03"), "x=1,ot=th:0,y=2", false, "x=1,y=2"),
        ],
    );
    // Nothing and everything.
    check(&probability(0.0), &[(HALF, Some("03"), "ot=th:0,a=1", false, "a=1")]);
    check(
        &probability(1.0),
        &[
            ("0af7651916cd43dd8400000000000000", None, "", true, "ot=th:0"),
            (HALF, None, "ot=rv:00000000000000", true, "ot=th:0;rv:00000000000000"),
        ],
    );
}

/// "ComposableParentThreshold", and "General requirements" on thresholds that are apparently inconsistent.
#[test]
fn a_parent_is_followed_and_its_threshold_passed_on() {
    check(
        &CompositeSampler::new(ParentThreshold::new(probability(0.5))),
        &[
            // "For spans without a parent context, delegate to the root sampler".
            (HALF, None, "", true, "ot=th:8"),
            (BELOW_HALF, None, "a=1", false, "a=1"),
            (BELOW_HALF, None, "ot=rv:ffffffffffffff", true, "ot=th:8;rv:ffffffffffffff"),
            // "Returns the parent's threshold if available".
            (HALF, Some("03"), "a=1,ot=th:4,b=2", true, "a=1,ot=th:4,b=2"),
            (BELOW_HALF, Some("03"), "ot=th:0", true, "ot=th:0"),
            (BELOW_HALF, Some("03"), "ot=th:c;rv:c0000000000000", true, "ot=th:c;rv:c0000000000000"),
            // "otherwise, if the parent's sampled flag is set, returns threshold=0", which is not reliable: none goes on.
            (BELOW_HALF, Some("03"), "", true, ""),
            (BELOW_HALF, Some("03"), "a=1,ot=p:8", true, "a=1,ot=p:8"),
            // "otherwise … no threshold is returned".
            (HALF, Some("02"), "", false, ""),
            (HALF, Some("02"), "ot=p:8", false, "ot=p:8"),
            // Not sampled, as its threshold says: what goes on says no more that it was.
            (BELOW_HALF, Some("02"), "ot=th:8", false, ""),
            // "a parent-based sampler … should check that the sampled flag matches the expression, otherwise … erase".
            (BELOW_HALF, Some("03"), "a=1,ot=th:8;p:8", true, "ot=p:8,a=1"),
            (HALF, Some("03"), "ot=th:8;rv:7fffffffffffff", true, "ot=rv:7fffffffffffff"),
            (HALF, Some("02"), "ot=th:8", false, ""),
        ],
    );
}

#[test]
fn the_other_base_cases_compose() {
    check(&CompositeSampler::new(AlwaysOn), &[(BELOW_HALF, Some("02"), "a=1,ot=th:8", true, "ot=th:0,a=1")]);
    check(&CompositeSampler::new(AlwaysOff), &[(HALF, Some("03"), "a=1,ot=th:8", false, "a=1")]);
    let half = probability(0.5);
    let rules = |name| {
        let table = [SamplingRule { name, kind: None, sampler: &half as &dyn ComposableSampler }];
        decide(&CompositeSampler::new(Rules::new(&table, AlwaysOff)), HALF, None, "")
    };
    assert_eq!(rules("GET *"), (true, "ot=th:8".to_owned()));
    assert_eq!(rules("POST *"), (false, String::new()), "If no rules match, returns a non-sampling intent");
}

/// "`ParentBased`" asks for roots only; what goes on from a parent goes on as it came.
#[test]
fn the_classical_parent_based_sampler_passes_the_list_on() {
    check(
        &ParentBased::new(probability(0.5)),
        &[
            (HALF, None, "", true, "ot=th:8"),
            (BELOW_HALF, None, "", false, ""),
            (BELOW_HALF, Some("03"), "ot=th:4", true, "ot=th:4"),
            (HALF, Some("02"), "a=1", false, "a=1"),
        ],
    );
}

/// A threshold that is not reliable may depend on the trace's randomness, which is then not used a second time, and the
/// attributes of an intent go to sampled spans only.
#[test]
fn unreliable_thresholds_are_met_with_other_randomness() {
    struct Half;
    impl ComposableSampler for Half {
        fn sampling_intent(&self, _: &SamplingParameters<'_>, _: Option<u64>) -> SamplingIntent<'_> {
            const MARK: &[clewline_core::Attribute<'static>] = &[("sampler", clewline_core::Value::Str("half"))];
            SamplingIntent { threshold: Some(1 << 55), is_threshold_reliable: false, attributes: MARK }
        }
    }
    let ids = RandomIds::from_seed([3, 4]);
    let sampler = CompositeSampler::new(Half);
    // Of the traces in either half of the randomness, a half is sampled.
    let mut sampled = [0; 2];
    for _ in 0..20_000 {
        let trace_id = ids.trace_id();
        let result = sampler.should_sample(&SamplingParameters {
            parent: None,
            trace_state: "ot=th:8",
            trace_id,
            name: "",
            kind: SpanKind::Internal,
            attributes: &[],
            links: &[],
        });
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        assert_eq!(result.trace_state, TraceStateUpdate::EraseThreshold);
        assert_eq!(result.attributes.len(), usize::from(is_sampled));
        sampled[usize::from(trace_id.randomness() >= 1 << 55)] += u32::from(is_sampled);
    }
    assert!(sampled.iter().all(|count| count.abs_diff(5_000) < 300), "{sampled:?}");
}

/// "When a ProbabilitySampler makes a decision for a non-root Span using TraceID randomness, but the Trace random flag was
/// not set, the SDK SHOULD issue a warning".
#[test]
fn presumed_randomness_is_noticed() {
    for (flags, list, presumed) in [
        (None, "", false),
        (Some("03"), "", false),
        (Some("02"), "", false),
        (Some("01"), "ot=rv:80000000000000", false),
        (Some("01"), "", true),
        (Some("00"), "ot=rv:8", true),
    ] {
        let sampler = probability(0.5);
        decide(&sampler, HALF, flags, list);
        assert_eq!(sampler.has_presumed_randomness(), presumed, "{flags:?} {list:?}");
        assert_eq!(sampler.clone().has_presumed_randomness(), presumed);
    }
}

/// A larger probability keeps what a smaller one keeps, and the share is the one that the threshold states.
#[test]
fn decisions_are_consistent() {
    let ids = RandomIds::from_seed([5, 6]);
    let samplers = [0.01, 0.1, 0.3, 0.5, 0.9, 1.0].map(probability);
    let mut kept = [0_u32; 6];
    for _ in 0..20_000 {
        let id = ids.trace_id().to_string();
        let verdicts = samplers.each_ref().map(|sampler| decide(sampler, &id, None, "").0);
        assert!(verdicts.is_sorted(), "{id}");
        for (count, verdict) in kept.iter_mut().zip(verdicts) {
            *count += u32::from(verdict);
        }
    }
    for (count, expected) in kept.iter().zip([200, 2_000, 6_000, 10_000, 18_000, 20_000]) {
        assert!(count.abs_diff(expected) <= 250, "{kept:?}");
    }
}

/// From an incoming request to the encoded span and the outgoing request, sampled and not.
#[test]
fn the_list_reaches_the_encoded_span_and_the_next_process() {
    let sampler = CompositeSampler::new(ParentThreshold::new(probability(0.5)));
    let tracer = Tracer::new(ManualClock::new(7), RandomIds::from_seed([7, 8]), sampler, LocalSink::<512, 4096>::new());
    let mut expected = Vec::new();
    for (flags, arrived, passed_on) in [
        ("03", "a=1,ot=th:4;rv:80000000000000", "a=1,ot=th:4;rv:80000000000000"),
        ("03", "a=1,ot=th:9", "a=1"),
        ("02", "ot=th:9,a=1", "a=1"),
        ("02", "ot=th:9", ""),
    ] {
        let headers =
            [("traceparent", format!("00-{HALF}-b7ad6b7169203331-{flags}")), ("tracestate", arrived.to_owned())];
        let incoming: Extracted<heapless::Vec<u8, 512>> = extract(&[Format::TraceContext], &headers);
        let list = incoming.trace_state.as_str();
        let request = tracer.span("GET /cart").child_of(incoming.context).trace_state(list);
        let (mut span, own) = request.start_with_trace_state();
        assert_eq!(span.is_recording(), flags == "03");
        let call = tracer.span("SELECT").child_of(span.context()).trace_state(own.as_str());
        let (mut child, childs) = call.start_with_trace_state();
        assert_eq!(childs.as_str(), passed_on, "a child passes on what its parent does");
        child.end();
        span.end();
        let mut sent = Vec::new();
        let outgoing = Outgoing { context: span.context(), trace_state: own.as_str(), debug: false };
        inject(&[Format::TraceContext], &outgoing, &mut |name: &str, value: &str| {
            sent.push((name.to_owned(), value.to_owned()));
        });
        let lines = sent.iter().filter(|(name, _)| name == "tracestate").map(|(_, value)| value.as_str());
        assert_eq!(lines.collect::<Vec<_>>(), if passed_on.is_empty() { vec![] } else { vec![passed_on] });
        if flags == "03" {
            expected.extend([passed_on; 2]);
        }
    }
    let encoded = tracer.sink().with_batch(|batch| batch.iter().map(|span| span.trace_state().to_owned()).collect());
    assert_eq!(encoded, Some(expected.into_iter().map(str::to_owned).collect::<Vec<_>>()));
}

/// A root may be given a list to begin with: "API users control the initial TraceState of a root span".
#[test]
fn a_root_keeps_the_explicit_randomness_it_was_given() {
    let tracer = Tracer::new(NoClock, CountingIds::new(), probability(0.5), LocalSink::<256, 1024>::new());
    let (span, list) = tracer.span("replay").trace_state("ot=rv:c0000000000000").start_with_trace_state();
    assert!(span.is_recording(), "a counted id alone would not be sampled");
    assert_eq!(list.as_str(), "ot=th:8;rv:c0000000000000");
    assert!(!tracer.span("other").start().is_recording());
}

/// Members that a full list loses are counted where the host looks.
#[test]
fn members_that_had_to_go_are_counted() {
    let tracer =
        Tracer::new(NoClock, CountingIds::new(), CompositeSampler::new(AlwaysOn), LocalSink::<1024, 2048>::new());
    let list = format!("a={},b={}", "v".repeat(253), "w".repeat(254));
    let (mut span, own) = tracer.span("n").trace_state(&list).start_with_trace_state();
    assert_eq!(span.recording().unwrap().counts().truncated_values, 1);
    assert_eq!(own.dropped(), 1);
    span.end();
    let encoded = tracer.sink().with_batch(|batch| batch.iter().next().map(|span| span.trace_state().len()));
    assert_eq!(encoded.flatten(), Some("ot=th:0,a=".len() + 253));
}

/// Samplers that know nothing of thresholds leave every list alone.
#[test]
fn ordinary_samplers_keep_the_list() {
    let ordinary: [&dyn Sampler; 3] = [&AlwaysOn, &AlwaysOff, &RecordOnly];
    for sampler in ordinary {
        assert_eq!(decide(sampler, HALF, Some("03"), "a=1,ot=th:8").1, "a=1,ot=th:8");
    }
}
