//! Random scripts and random requests, with the rare shapes made common.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model;
use crate::oracle;
use crate::script::{Attributes, Context, Limits, Script, Step, Value};

/// Text of one to four bytes per character, often empty.
fn text(characters: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('a', 'z'),
        2 => select(vec!['ß', 'é', '\u{301}', '日', '\u{200d}', '🧵', '\u{10ffff}', '\0']),
        1 => any::<char>(),
    ];
    vec(character, 0..=characters).prop_map(String::from_iter)
}

/// Few keys, so that they repeat; among them the empty one, and ones long enough for a length of two bytes.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => select(vec!["a", "b", "c", "d", "http.request.method", "http.route", "url.path", "größe"])
            .prop_map(str::to_owned),
        1 => Just(String::new()),
        1 => Just("k".repeat(140)),
        2 => text(6),
    ]
}

fn i64s() -> impl Strategy<Value = i64> {
    prop_oneof![select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, 127, 128, i64::from(u32::MAX), i64::MAX]), any::<i64>(),]
}

fn f64s() -> impl Strategy<Value = f64> {
    let rare = vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX];
    prop_oneof![select(rare), any::<u64>().prop_map(f64::from_bits)]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Empty),
        2 => any::<bool>().prop_map(Value::Bool),
        3 => i64s().prop_map(Value::I64),
        2 => f64s().prop_map(Value::F64),
        4 => text(12).prop_map(Value::Str),
        1 => (100_usize..300).prop_map(|characters| Value::Str("ü".repeat(characters))),
        2 => vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        1 => vec(any::<bool>(), 0..70).prop_map(Value::Bools),
        1 => vec(i64s(), 0..6).prop_map(Value::I64s),
        1 => vec(f64s(), 0..16).prop_map(Value::F64s),
        2 => vec(text(8), 0..5).prop_map(Value::Strs),
    ]
}

/// A value of any type; sometimes nested around the greatest depth that is allowed.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let nested = leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::List), vec((text(5), inner), 0..4).prop_map(Value::Map),]
    });
    let deep = (leaf(), vec(any::<bool>(), 13..=18)).prop_map(|(leaf, levels)| {
        levels.into_iter().fold(leaf, |inner, is_map| {
            if is_map { Value::Map(vec![("k".to_owned(), inner)]) } else { Value::List(vec![inner]) }
        })
    });
    prop_oneof![12 => nested, 1 => deep]
}

fn attributes(up_to: usize) -> impl Strategy<Value = Attributes> {
    vec((key(), value()), 0..=up_to)
}

fn id<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    any::<[u8; N]>().prop_filter("all zero is no id", |id| *id != [0; N])
}

pub(crate) fn context() -> impl Strategy<Value = Context> {
    (id(), id(), any::<u8>(), any::<bool>()).prop_map(|(trace_id, span_id, flags, is_remote)| Context {
        trace_id,
        span_id,
        flags,
        is_remote,
    })
}

fn trace_state() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("vendor=1,other=xyz".to_owned()), Just("ot=".to_owned() + &"v".repeat(150))]
}

fn limits() -> impl Strategy<Value = Limits> {
    let limit = || prop_oneof![1 => 0..6_u16, 1 => Just(128)];
    let length = prop_oneof![1 => 0..12_u32, 1 => Just(u32::MAX)];
    (limit(), limit(), limit(), limit(), limit(), length).prop_map(
        |(attributes, events, links, event_attributes, link_attributes, value_length)| Limits {
            attributes,
            events,
            links,
            event_attributes,
            link_attributes,
            value_length,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (key(), value()).prop_map(|(key, value)| Step::Set(key, value)),
        3 => (text(10), any::<u64>(), attributes(6))
            .prop_map(|(name, time, attributes)| Step::Event { name, time, attributes }),
        2 => (context(), trace_state(), attributes(5))
            .prop_map(|(context, trace_state, attributes)| Step::Link { context, trace_state, attributes }),
        1 => (text(5), text(5), text(200), any::<u64>())
            .prop_map(|(kind, message, stacktrace, time)| Step::Exception { kind, message, stacktrace, time }),
        2 => (0..3_u8, text(150)).prop_map(|(code, message)| Step::Status(code, message)),
        1 => text(150).prop_map(Step::Rename),
        1 => (1..6_u8).prop_map(Step::Kind),
        1 => any::<u64>().prop_map(Step::StartTime),
    ]
}

/// Limits that nothing here reaches.
pub(crate) const WIDE: Limits = Limits {
    attributes: 128,
    events: 128,
    links: 128,
    event_attributes: 128,
    link_attributes: 128,
    value_length: u32::MAX,
};

/// One step after attributes `key.0` and so on, that nothing but a lack of room can refuse.
pub(crate) fn modest_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..8, shallow_value()).prop_map(|(index, value)| Step::Set(format!("key.{index}"), value)),
        text(150).prop_map(Step::Rename),
        (text(150), any::<u64>(), distinct_attributes()).prop_map(|(name, time, attributes)| Step::Event {
            name,
            time,
            attributes
        }),
        (context(), trace_state(), distinct_attributes()).prop_map(|(context, trace_state, attributes)| Step::Link {
            context,
            trace_state,
            attributes
        }),
        (1..3_u8, text(150)).prop_map(|(code, message)| Step::Status(code, message)),
    ]
}

pub(crate) fn script() -> impl Strategy<Value = Script> {
    let identity = (context(), option::of(context()), text(20), 1..6_u8);
    let rest = (any::<u64>(), any::<u64>(), trace_state(), limits(), vec(step(), 0..24));
    (identity, rest).prop_map(|((context, parent, name, kind), (start, end, trace_state, limits, steps))| Script {
        context,
        parent,
        name,
        kind,
        start,
        end,
        trace_state,
        limits,
        steps,
    })
}

/// Attributes with distinct keys that are not empty, for resource and scope.
pub(crate) fn distinct_attributes() -> impl Strategy<Value = Attributes> {
    vec(shallow_value(), 0..4).prop_map(|values| {
        values.into_iter().enumerate().map(|(index, value)| (format!("key.{index}"), value)).collect()
    })
}

/// A value within the greatest depth.
pub(crate) fn shallow_value() -> impl Strategy<Value = Value> {
    value().prop_filter("too deep", |value| oracle::depth(value) <= oracle::GREATEST_DEPTH)
}

fn model_attributes(up_to: usize) -> impl Strategy<Value = model::Attributes> {
    let pair = (text(6), shallow_value().prop_map(|value| oracle::expected(&value, u32::MAX).0));
    vec(pair, 0..=up_to)
}

fn model_event() -> impl Strategy<Value = model::Event> {
    (any::<u64>(), text(8), model_attributes(3), any::<u32>()).prop_map(
        |(time, name, attributes, dropped_attributes)| model::Event { time, name, attributes, dropped_attributes },
    )
}

fn model_link() -> impl Strategy<Value = model::Link> {
    (id(), id(), text(8), any::<u32>(), model_attributes(2), 0..3_u32).prop_map(
        |(trace_id, span_id, trace_state, flags, attributes, dropped_attributes)| model::Link {
            trace_id,
            span_id,
            trace_state,
            flags,
            attributes,
            dropped_attributes,
        },
    )
}

/// A span as any encoder may send it: numbers that are not defined aside, every field takes every value.
pub(crate) fn model_span() -> impl Strategy<Value = model::Span> {
    let identity = (id(), id(), option::of(id()), text(8), any::<u32>(), text(12), 0..6_u8);
    let times = (any::<u64>(), any::<u64>());
    let lists = (model_attributes(4), vec(model_event(), 0..3), vec(model_link(), 0..3));
    let counts = (any::<u32>(), 0..3_u32, any::<u32>(), 0..3_u8, text(9));
    (identity, times, lists, counts).prop_map(|(identity, (start, end), lists, counts)| {
        let (trace_id, span_id, parent_span_id, trace_state, flags, name, kind) = identity;
        let (attributes, events, links) = lists;
        let (dropped_attributes, dropped_events, dropped_links, status_code, status_message) = counts;
        model::Span {
            trace_id,
            span_id,
            parent_span_id,
            trace_state,
            flags,
            name,
            kind,
            start,
            end,
            attributes,
            dropped_attributes,
            events,
            dropped_events,
            links,
            dropped_links,
            status_code,
            status_message,
        }
    })
}

pub(crate) fn model_request() -> impl Strategy<Value = model::Request> {
    let scope = (text(6), text(4), model_attributes(2), any::<u32>(), text(8), vec(model_span(), 0..3)).prop_map(
        |(name, version, attributes, dropped_attributes, schema_url, spans)| model::ScopeSpans {
            name,
            version,
            attributes,
            dropped_attributes,
            schema_url,
            spans,
        },
    );
    let resource = (model_attributes(3), any::<u32>(), text(8), vec(scope, 0..3)).prop_map(
        |(attributes, dropped_attributes, schema_url, scope_spans)| model::ResourceSpans {
            attributes,
            dropped_attributes,
            schema_url,
            scope_spans,
        },
    );
    vec(resource, 0..3).prop_map(|resource_spans| model::Request { resource_spans })
}
