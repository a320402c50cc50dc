//! Plays a script through core's public functions.

use bumpalo::Bump;
use clewline_core::{
    Attribute, Form, Span, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, Status, StatusCode, Storage,
    TraceFlags, TraceId, Value,
};

use crate::script::{self, Attributes, Context, Limits, Script, Step};

/// Starts the script's span in `storage`.
pub(crate) fn start<S: Storage>(script: &Script, storage: S) -> Span<S> {
    Span::new(storage, &span_start(script))
}

/// Plays the whole script in `span`, which forgets what it held.
pub(crate) fn replay<S: Storage>(span: &mut Span<S>, script: &Script) {
    span.restart(&span_start(script));
    for step in &script.steps {
        self::step(span, step);
    }
}

pub(crate) fn whole<S: Storage>(script: &Script, storage: S) -> Span<S> {
    let mut span = start(script, storage);
    for step in &script.steps {
        self::step(&mut span, step);
    }
    span
}

pub(crate) fn span_start(script: &Script) -> SpanStart<'_> {
    SpanStart {
        context: context(&script.context),
        parent: script.parent.as_ref().map(context),
        name: &script.name,
        kind: SpanKind::from_number(script.kind.into()),
        start_time: script.start,
        trace_state: &script.trace_state,
        limits: limits(&script.limits),
    }
}

/// Plays one step; false if it was an event or a link and the span refused it.
pub(crate) fn step<S: Storage, F: Form>(span: &mut Span<S, F>, step: &Step) -> bool {
    let arena = Bump::new();
    match step {
        Step::Set(key, value) => {
            span.set(key, self::value(&arena, value));
        }
        Step::Event { name, time, attributes } => {
            let mut event = span.event(name, *time);
            event.set_all(self::attributes(&arena, attributes));
            return event.is_recorded();
        }
        Step::Link { context, trace_state, attributes } => {
            let mut link = span.link(&self::context(context), trace_state);
            link.set_all(self::attributes(&arena, attributes));
            return link.is_recorded();
        }
        Step::Exception { kind, message, stacktrace, time } => {
            let before = span.counts().dropped_events;
            span.record_exception(kind, message, stacktrace, *time);
            return span.counts().dropped_events == before;
        }
        Step::Status(code, message) => {
            let code = match code {
                0 => StatusCode::Unset,
                1 => StatusCode::Ok,
                _ => StatusCode::Error,
            };
            span.set_status(Status { code, message });
        }
        Step::Rename(name) => {
            span.set_name(name);
        }
        Step::Kind(kind) => {
            span.set_kind(SpanKind::from_number((*kind).into()));
        }
        Step::StartTime(time) => {
            span.set_start_time(*time);
        }
    }
    true
}

pub(crate) fn context(context: &Context) -> SpanContext {
    let trace_id = TraceId::from_bytes(context.trace_id).expect("scripts have valid ids");
    let span_id = SpanId::from_bytes(context.span_id).expect("scripts have valid ids");
    let local = SpanContext::new(trace_id, span_id, TraceFlags::from_bits(context.flags));
    if context.is_remote { local.into_remote() } else { local }
}

fn limits(limits: &Limits) -> SpanLimits {
    SpanLimits {
        attributes: limits.attributes,
        events: limits.events,
        links: limits.links,
        event_attributes: limits.event_attributes,
        link_attributes: limits.link_attributes,
        value_length: limits.value_length,
    }
}

pub(crate) fn attributes<'a>(arena: &'a Bump, attributes: &'a Attributes) -> &'a [Attribute<'a>] {
    let pairs: Vec<_> = attributes.iter().map(|(key, value)| (key.as_str(), self::value(arena, value))).collect();
    arena.alloc_slice_copy(&pairs)
}

pub(crate) fn value<'a>(arena: &'a Bump, value: &'a script::Value) -> Value<'a> {
    match value {
        script::Value::Empty => Value::Empty,
        script::Value::Bool(truth) => Value::from(*truth),
        script::Value::I64(number) => Value::from(*number),
        script::Value::F64(number) => Value::from(*number),
        script::Value::Str(text) => Value::from(text.as_str()),
        script::Value::Bytes(bytes) => Value::from(bytes.as_slice()),
        script::Value::Bools(items) => Value::from(items.as_slice()),
        script::Value::I64s(items) => Value::from(items.as_slice()),
        script::Value::F64s(items) => Value::from(items.as_slice()),
        script::Value::Strs(items) => {
            let texts: Vec<_> = items.iter().map(String::as_str).collect();
            Value::Strs(arena.alloc_slice_copy(&texts))
        }
        script::Value::List(items) => {
            let values: Vec<_> = items.iter().map(|item| self::value(arena, item)).collect();
            Value::List(arena.alloc_slice_copy(&values))
        }
        script::Value::Map(pairs) => Value::Map(attributes(arena, pairs)),
    }
}
