//! The direct form (`clewline_core::direct`) records the same scripts as the oracle and the official messages understand them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use clewline_core::direct::{DirectBatch, DirectBuffer, DirectSpan, LIMITS};
use clewline_core::{SpanKind, StatusCode};
use proptest::prelude::*;

use crate::oracle::{self, Oracle};
use crate::script::{Attributes, Limits, Script, Step, Value};
use crate::{config, play, recording, strategy};

/// Room for whatever a script holds.
const BYTES: usize = 200_000;

/// More than a stack has.
static SPAN: Mutex<DirectSpan<BYTES>> = Mutex::new(DirectSpan::new());
static BATCH: Mutex<DirectBatch<1_000_000, 1000>> = Mutex::new(DirectBatch::new());

/// What the direct form has no words for, said in others: no tracestate, scalars and lists of them only, keys that repeat only
/// across calls, and a kind and a start that are known from the start.
fn in_direct_form(mut script: Script) -> Script {
    script.trace_state.clear();
    script.limits = Limits {
        attributes: LIMITS.attributes,
        events: LIMITS.events,
        links: LIMITS.links,
        event_attributes: LIMITS.event_attributes,
        link_attributes: LIMITS.link_attributes,
        value_length: LIMITS.value_length,
    };
    script.steps.retain(|step| !matches!(step, Step::Kind(_) | Step::StartTime(_)));
    for step in &mut script.steps {
        match step {
            Step::Set(_, value) => simplify(value),
            Step::Event { attributes, .. } => distinct(attributes),
            Step::Link { trace_state, attributes, .. } => {
                trace_state.clear();
                distinct(attributes);
            }
            _ => {}
        }
    }
    script
}

fn simplify(value: &mut Value) {
    match value {
        Value::Bytes(_) | Value::Map(_) => *value = Value::Str("instead".to_owned()),
        Value::List(items) => {
            items.retain(|item| {
                matches!(item, Value::Empty | Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Str(_))
            });
        }
        _ => {}
    }
}

fn distinct(attributes: &mut Attributes) {
    let mut seen = BTreeSet::new();
    attributes.retain(|(key, _)| seen.insert(key.clone()));
    attributes.iter_mut().for_each(|(_, value)| simplify(value));
}

fn write(buffer: &mut DirectBuffer<BYTES>, value: &Value) {
    match value {
        Value::Empty => {}
        Value::Bool(truth) => buffer.boolean(*truth),
        Value::I64(number) => buffer.integer(*number),
        Value::F64(number) => buffer.double(*number),
        Value::Str(text) => buffer.string(text.as_bytes()),
        Value::Bools(items) => list(buffer, items, |buffer, item| buffer.boolean(*item)),
        Value::I64s(items) => list(buffer, items, |buffer, item| buffer.integer(*item)),
        Value::F64s(items) => list(buffer, items, |buffer, item| buffer.double(*item)),
        Value::Strs(items) => list(buffer, items, |buffer, item| buffer.string(item.as_bytes())),
        Value::List(items) => list(buffer, items, write),
        Value::Bytes(_) | Value::Map(_) => buffer.refuse(),
    }
}

fn list<T>(buffer: &mut DirectBuffer<BYTES>, items: &[T], write: impl Fn(&mut DirectBuffer<BYTES>, &T)) {
    buffer.array(|buffer| items.iter().for_each(|item| buffer.element(|buffer| write(buffer, item))));
}

fn entry(buffer: &mut DirectBuffer<BYTES>, tag: u8, attributes: &Attributes) -> u32 {
    let mut left_out = 0;
    for (index, (key, value)) in attributes.iter().filter(|(key, _)| !key.is_empty()).enumerate() {
        let fits = index < usize::from(LIMITS.event_attributes);
        let written = fits && buffer.attribute(tag, key.as_bytes(), |buffer| write(buffer, value));
        left_out += u32::from(!written);
    }
    left_out + u32::from(attributes.iter().any(|(key, _)| key.is_empty()))
}

fn step(span: &mut DirectSpan<BYTES>, step: &Step) {
    match step {
        Step::Set(key, value) => {
            span.set(key.as_bytes(), |buffer, tag| {
                buffer.attribute(tag, key.as_bytes(), |buffer| write(buffer, value))
            });
        }
        Step::Event { name, time, attributes } => {
            span.event(name.as_bytes(), *time, |buffer, tag| entry(buffer, tag, attributes));
        }
        Step::Link { context, attributes, .. } => {
            span.link(&play::context(context), |buffer, tag| entry(buffer, tag, attributes));
        }
        Step::Exception { time, .. } => {
            let attributes = oracle::exception_attributes(step);
            span.event(b"exception", *time, |buffer, tag| entry(buffer, tag, &attributes));
        }
        Step::Status(code, message) => {
            let code = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error][usize::from((*code).min(2))];
            span.set_status(code, message.as_bytes());
        }
        Step::Rename(name) => span.set_name(name.as_bytes()),
        Step::Kind(_) | Step::StartTime(_) => {}
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn what_is_recorded_is_what_the_official_messages_read(scripts in prop::collection::vec(strategy::script(), 1..4)) {
        let scripts: Vec<_> = scripts.into_iter().map(in_direct_form).collect();
        let mut batch = BATCH.lock().unwrap_or_else(PoisonError::into_inner);
        prop_assert!(batch.describe("shop", "1.2.0", |buffer, tag| buffer.attribute(tag, b"a", |value| value.integer(1))));
        let mut span = SPAN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut expected = Vec::new();
        for script in &scripts {
            let parent = script.parent.as_ref().map(play::context);
            let kind = SpanKind::from_number(script.kind.into());
            span.start(&play::context(&script.context), parent.as_ref(), kind, script.name.as_bytes());
            script.steps.iter().for_each(|step| self::step(&mut span, step));
            batch.push(span.end(script.start, script.end));
            expected.push(Oracle::after(script).span.in_key_order());
        }
        let (request, spans) = batch.take(1_000_000);
        prop_assert_eq!(spans as usize, scripts.len());
        let mut read = recording::read(request);
        let resource = read.resource_spans.pop().expect("one resource");
        let spans: Vec<_> = resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(crate::model::Span::in_key_order).collect();
        prop_assert_eq!(spans, expected);
    }
}
