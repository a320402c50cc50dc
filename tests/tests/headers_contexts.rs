//! Contexts in every form they travel in: what is written is read, and what arrives is read without panic.
//!
//! Runs are reproducible: fixed seed, fixed number of cases. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change both.

#[path = "common/cases.rs"]
mod cases;

use cases::config;
use clewline_core::b3::{self, B3Context, SamplingState};
use clewline_core::environment::{Environment, EnvironmentSink, variable};
use clewline_core::jaeger::{self, JaegerContext};
use clewline_core::propagation::{Extracted, Format, Outgoing, extract, inject};
use clewline_core::traceparent::{self, Traceparent};
use clewline_core::{SpanContext, SpanId, TraceFlags, TraceId, baggage, binary, server_timing, tracestate};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const ALL: &[Format] = &[Format::TraceContext, Format::B3, Format::B3Multi, Format::Jaeger];

type Arrived = Extracted<heapless::Vec<u8, 512>>;

/// Ids as they are given out, and ones with many zeros in front; all four sets of flags.
fn context() -> impl Strategy<Value = SpanContext> {
    let ids = (any::<u128>(), 0_u32..128, any::<u64>(), 0_u32..64, 0_u8..4);
    ids.prop_filter_map("an id is all zero", |(trace_id, a, span_id, b, flags)| {
        let trace_id = TraceId::from_bytes((trace_id >> a).to_be_bytes())?;
        let span_id = SpanId::from_bytes((span_id >> b).to_be_bytes())?;
        Some(SpanContext::new(trace_id, span_id, TraceFlags::from_bits(flags)).into_remote())
    })
}

/// A context without what only `traceparent` can say.
fn without_random(context: SpanContext) -> SpanContext {
    let flags = context.flags().with_random(false);
    SpanContext::new(context.trace_id(), context.span_id(), flags).into_remote()
}

fn sampling() -> impl Strategy<Value = SamplingState> {
    select(vec![SamplingState::Defer, SamplingState::Deny, SamplingState::Accept, SamplingState::Debug])
}

/// Text of all headers' own characters, valid values with a byte changed, and any bytes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let near = vec(select(b"0123456789abcdefABCDEF-:%d3 \t,;=\"\\".to_vec()), 0..70);
    let changed = (context(), 0..6_usize, any::<proptest::sample::Index>(), any::<u8>()).prop_map(
        |(context, form, index, byte)| {
            let text = match form {
                0 => Traceparent::new(context).to_string(),
                1 => b3::single(&B3Context::new(context)).map(|text| text.to_string()).unwrap_or_default(),
                2 => jaeger::value(&JaegerContext { context, debug: false }).to_string(),
                3 => server_timing::value(context).to_string(),
                4 => "a=1,ot=th:8;rv:00000000000001,c=2".to_owned(),
                _ => "userId=Am%C3%A9lie;p,x = y".to_owned(),
            };
            let mut bytes = text.into_bytes();
            let at = index.index(bytes.len());
            bytes[at] = byte;
            bytes
        },
    );
    prop_oneof![near, changed, vec(any::<u8>(), 0..80)]
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec![
        "traceparent",
        "TraceState",
        "baggage",
        "b3",
        "X-B3-TraceId",
        "x-b3-spanid",
        "x-b3-sampled",
        "x-b3-flags",
        "x-b3-parentspanid",
        "uber-trace-id",
        "server-timing",
        "other",
    ])
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn what_each_form_writes_it_reads(context in context(), sampling in sampling(), debug: bool) {
        prop_assert_eq!(binary::decode(&binary::encode(context)), Ok(context));
        prop_assert_eq!(server_timing::extract([server_timing::value(context).as_bytes()]), Ok(context));
        let element = server_timing::meta_element(context);
        let content = element.as_str().split('"').nth(3).unwrap_or_default();
        prop_assert_eq!(traceparent::parse(content.as_bytes()), Ok(context));

        let flags = TraceFlags::NONE.with_sampled(sampling.is_sampled());
        let sent = SpanContext::new(context.trace_id(), context.span_id(), flags).into_remote();
        let written = B3Context { context: Some(sent), sampling };
        let single = b3::single(&written).unwrap();
        prop_assert_eq!(b3::parse_single(single.as_bytes()), Ok(written));
        prop_assert_eq!(b3::parse_single(single.as_bytes()).map(|read| b3::single(&read)), Ok(Some(single)), "canonical");

        let sampled = without_random(context);
        let flags = sampled.flags().with_sampled(debug || sampled.is_sampled());
        let sent = SpanContext::new(context.trace_id(), context.span_id(), flags).into_remote();
        let written = JaegerContext { context: sent, debug };
        prop_assert_eq!(jaeger::parse(jaeger::value(&written).as_bytes()), Ok(written));
    }

    /// Missing zeros, percent-encoding and upper case are the same context to Jaeger's receivers.
    #[test]
    fn jaeger_spellings_are_one_context(context in context(), parent: u64, encoded: bool, upper: bool) {
        let (trace_id, span_id) = (u128::from_be_bytes(context.trace_id().to_bytes()), u64::from_be_bytes(context.span_id().to_bytes()));
        let mut text = format!("{trace_id:x}:{span_id:x}:{parent:x}:{:x}", u8::from(context.is_sampled()));
        if encoded {
            text = text.replace(':', "%3a");
        }
        if upper {
            text = text.to_uppercase();
        }
        prop_assert_eq!(jaeger::parse(text.as_bytes()).map(|read| read.context), Ok(without_random(context)));
    }

    /// 64-bit ids are the lower half (B3, "TraceId").
    #[test]
    fn short_b3_ids_are_padded(low in 1..u64::MAX, span_id in 1..u64::MAX) {
        let read = b3::parse_single(format!("{low:016x}-{span_id:016x}").as_bytes()).unwrap();
        let context = read.context.unwrap();
        prop_assert_eq!(u128::from_be_bytes(context.trace_id().to_bytes()), u128::from(low));
        prop_assert_eq!((read.sampling, context.is_sampled()), (SamplingState::Defer, false));
    }

    #[test]
    fn what_is_injected_is_extracted(
        context in context(),
        formats in proptest::sample::subsequence(ALL.to_vec(), 1..=4),
        list in option::of("[a-z]{1,5}=[a-z]{1,5}"),
        debug: bool,
        through_environment: bool,
    ) {
        let context = if debug {
            let flags = context.flags().with_sampled(true);
            SpanContext::new(context.trace_id(), context.span_id(), flags).into_remote()
        } else {
            context
        };
        let outgoing = Outgoing { context, trace_state: list.as_deref().unwrap_or_default(), debug };
        let mut written: Vec<(String, String)> = Vec::new();
        let mut keep = |name: &str, value: &str| written.push((name.to_owned(), value.to_owned()));
        let arrived: Arrived = if through_environment {
            inject(&formats, &outgoing, &mut EnvironmentSink::new(&mut keep));
            let lookup = |name: &str| written.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_bytes());
            extract(&formats, &Environment::new(lookup))
        } else {
            inject(&formats, &outgoing, &mut keep);
            extract(&formats, written.as_slice())
        };
        prop_assert_eq!(arrived.errors.iter().count(), 0);
        let is_w3c = formats.contains(&Format::TraceContext);
        prop_assert_eq!(arrived.context, Some(if is_w3c { context } else { without_random(context) }));
        prop_assert_eq!(arrived.trace_state.as_str(), if is_w3c { outgoing.trace_state } else { "" });
        if formats.iter().any(|format| *format != Format::TraceContext) {
            prop_assert_eq!(arrived.sampling == SamplingState::Debug, debug);
        }
    }

    #[test]
    fn whatever_arrives_is_read_without_panic(headers in vec((name(), value()), 0..12)) {
        let arrived: Arrived = extract(ALL, headers.as_slice());
        let w3c: Arrived = extract(&[Format::TraceContext], headers.as_slice());
        let lines = |name: &str| {
            let name = name.to_owned();
            headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value.as_slice())
        };
        // W3C Trace Context level 2, section 3.3: the list depends on the context, never the other way round.
        prop_assert_eq!(w3c.context, traceparent::extract(lines("traceparent")).ok());
        let is_list = tracestate::members(lines("tracestate")).all(|member| member.is_ok());
        prop_assert_eq!(w3c.errors.tracestate.is_some(), w3c.context.is_some() && !is_list);
        prop_assert!(w3c.trace_state.is_empty() || (w3c.context.is_some() && is_list));
        prop_assert!(arrived.context.is_none_or(|context| context.is_remote()));
        // A context that arrived is sent on as one that arrives.
        if let Some(context) = arrived.context {
            let mut sent = Vec::new();
            let outgoing = Outgoing { context, trace_state: arrived.trace_state.as_str(), debug: false };
            inject(&[Format::TraceContext], &outgoing, &mut |name: &str, value: &str| {
                sent.push((name.to_owned(), value.to_owned()));
            });
            let again: Arrived = extract(&[Format::TraceContext], sent.as_slice());
            prop_assert_eq!(again.context, Some(context));
            prop_assert_eq!(again.trace_state.as_str(), arrived.trace_state.as_str());
        }
        let _ = server_timing::extract(headers.iter().map(|(_, value)| value.as_slice()));
        for (_, value) in &headers {
            let _ = (binary::decode(value), b3::parse_single(value), jaeger::parse(value));
            for member in baggage::members([value.as_slice()]).flatten() {
                let _ = (member.value().chars().count(), member.properties().count());
            }
        }
    }

    /// "Key Name Normalization": what comes out matches `[A-Z_][A-Z0-9_]*` and is not changed again.
    #[test]
    fn variables_are_portable(name in "\\PC{0,20}|[a-zA-Z0-9._-]{0,20}") {
        let variable = variable(&name).unwrap();
        let text = variable.as_str();
        prop_assert!(text.starts_with(|first: char| first.is_ascii_uppercase() || first == '_'));
        prop_assert!(text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        prop_assert_eq!(clewline_core::environment::variable(text), Some(variable));
    }
}
