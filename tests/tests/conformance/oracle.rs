//! What a span must hold after a script, written from the OpenTelemetry specification without a look at core's code.
//!
//! Only one rule is Clewline's own: values nested deeper than [`GREATEST_DEPTH`] are refused as a whole.

use crate::model;
use crate::script::{Attributes, Context, Limits, Script, Step, Value};

/// How many lists and maps may stand around a value.
pub(crate) const GREATEST_DEPTH: usize = 16;

pub(crate) struct Oracle {
    pub(crate) span: model::Span,
    /// Attributes of which the length limit cut something.
    pub(crate) truncated: u32,
    pub(crate) limits: Limits,
}

impl Oracle {
    pub(crate) fn start(script: &Script) -> Self {
        let parent = script.parent.as_ref();
        let span = model::Span {
            trace_id: script.context.trace_id,
            span_id: script.context.span_id,
            parent_span_id: parent.map(|parent| parent.span_id),
            trace_state: script.trace_state.clone(),
            flags: flags(&script.context, parent.is_some_and(|parent| parent.is_remote)),
            name: script.name.clone(),
            kind: script.kind,
            start: script.start,
            end: script.end,
            ..model::Span::default()
        };
        Self { span, truncated: 0, limits: script.limits }
    }

    pub(crate) fn after(script: &Script) -> Self {
        let mut oracle = Self::start(script);
        script.steps.iter().for_each(|step| oracle.step(step));
        oracle
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Set(key, value) => {
                let collection = Collection {
                    attributes: &mut self.span.attributes,
                    dropped: &mut self.span.dropped_attributes,
                    truncated: &mut self.truncated,
                    limit: self.limits.attributes,
                    value_length: self.limits.value_length,
                };
                collection.set(key, value);
            }
            Step::Event { name, time, attributes } => self.event(name, *time, attributes),
            Step::Link { context, trace_state, attributes } => self.link(context, trace_state, attributes),
            Step::Exception { time, .. } => self.event("exception", *time, &exception_attributes(step)),
            Step::Status(code, message) => self.status(*code, message),
            // "UpdateName": the span has the new name.
            Step::Rename(name) => self.span.name.clone_from(name),
            Step::Kind(kind) => self.span.kind = *kind,
            Step::StartTime(time) => self.span.start = *time,
        }
    }

    /// "Set Status": the order is Ok > Error > Unset, Ok is final, Unset is ignored, and a description belongs to Error only.
    fn status(&mut self, code: u8, message: &str) {
        const UNSET: u8 = 0;
        const OK: u8 = 1;
        const ERROR: u8 = 2;
        if self.span.status_code != OK && code != UNSET {
            self.span.status_code = code;
            self.span.status_message = if code == ERROR { message.to_owned() } else { String::new() };
        }
    }

    /// "Span Limits": what exceeds the count limit is discarded and counted.
    fn event(&mut self, name: &str, time: u64, attributes: &Attributes) {
        if self.span.events.len() == usize::from(self.limits.events) {
            self.span.dropped_events += 1;
            return;
        }
        let mut event = model::Event { time, name: name.to_owned(), ..model::Event::default() };
        for (key, value) in attributes {
            let collection = Collection {
                attributes: &mut event.attributes,
                dropped: &mut event.dropped_attributes,
                truncated: &mut self.truncated,
                limit: self.limits.event_attributes,
                value_length: self.limits.value_length,
            };
            collection.set(key, value);
        }
        self.span.events.push(event);
    }

    fn link(&mut self, context: &Context, trace_state: &str, attributes: &Attributes) {
        if self.span.links.len() == usize::from(self.limits.links) {
            self.span.dropped_links += 1;
            return;
        }
        let mut link = model::Link {
            trace_id: context.trace_id,
            span_id: context.span_id,
            trace_state: trace_state.to_owned(),
            flags: flags(context, context.is_remote),
            ..model::Link::default()
        };
        for (key, value) in attributes {
            let collection = Collection {
                attributes: &mut link.attributes,
                dropped: &mut link.dropped_attributes,
                truncated: &mut self.truncated,
                limit: self.limits.link_attributes,
                value_length: self.limits.value_length,
            };
            collection.set(key, value);
        }
        self.span.links.push(link);
    }
}

/// What an exception's event holds (semantic conventions, "Exceptions on spans"); what is not known is left out.
pub(crate) fn exception_attributes(step: &Step) -> Attributes {
    let Step::Exception { kind, message, stacktrace, .. } = step else { return Vec::new() };
    [("exception.type", kind), ("exception.message", message), ("exception.stacktrace", stacktrace)]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| (key.to_owned(), Value::Str(text.clone())))
        .collect()
}

/// trace.proto, `SpanFlags`: the W3C byte, of which level 2 defines two bits and wants the others zero; bit 8 says that
/// bit 9 is known, and bit 9 that the parent or the linked span is remote.
fn flags(context: &Context, is_remote: bool) -> u32 {
    const HAS_IS_REMOTE: u32 = 0x100;
    const IS_REMOTE: u32 = 0x200;
    u32::from(context.flags & 0b11) + HAS_IS_REMOTE + if is_remote { IS_REMOTE } else { 0 }
}

/// The attributes of a span, an event or a link, with the limits that hold for them.
struct Collection<'a> {
    attributes: &'a mut model::Attributes,
    dropped: &'a mut u32,
    truncated: &'a mut u32,
    limit: u16,
    value_length: u32,
}

impl Collection<'_> {
    /// Common, "Attribute": a key is not empty; setting a key again overwrites the value. "Attribute Limits": new keys beyond
    /// the limit are discarded.
    fn set(self, key: &str, value: &Value) {
        let old = self.attributes.iter().position(|(other, _)| other == key);
        let is_full = old.is_none() && self.attributes.len() == usize::from(self.limit);
        if key.is_empty() || depth(value) > GREATEST_DEPTH || is_full {
            *self.dropped += 1;
            return;
        }
        let (value, is_cut) = expected(value, self.value_length);
        *self.truncated += u32::from(is_cut);
        match old {
            Some(index) => self.attributes[index].1 = value,
            None => self.attributes.push((key.to_owned(), value)),
        }
    }
}

/// How many lists and maps stand around the innermost value.
pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::Bools(_) | Value::I64s(_) | Value::F64s(_) | Value::Strs(_) => 1,
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(pairs) => 1 + pairs.iter().map(|(_, item)| depth(item)).max().unwrap_or(0),
        _ => 0,
    }
}

/// The value under the length limit, and whether that cut something. "Attribute Limits": a text is cut after that many
/// characters, bytes after that many bytes, in lists and maps too; numbers and keys stay.
pub(crate) fn expected(value: &Value, limit: u32) -> (model::Value, bool) {
    let limit = limit as usize;
    let mut is_cut = false;
    let result = cut(value, limit, &mut is_cut);
    (result, is_cut)
}

fn cut(value: &Value, limit: usize, is_cut: &mut bool) -> model::Value {
    match value {
        Value::Empty => model::Value::Empty,
        Value::Bool(truth) => model::Value::Bool(*truth),
        Value::I64(number) => model::Value::I64(*number),
        Value::F64(number) => model::Value::F64(number.to_bits()),
        Value::Str(text) => cut_text(text, limit, is_cut),
        Value::Bytes(bytes) => {
            *is_cut |= bytes.len() > limit;
            model::Value::Bytes(bytes.iter().copied().take(limit).collect())
        }
        Value::Bools(items) => model::Value::List(items.iter().map(|item| model::Value::Bool(*item)).collect()),
        Value::I64s(items) => model::Value::List(items.iter().map(|item| model::Value::I64(*item)).collect()),
        Value::F64s(items) => model::Value::List(items.iter().map(|item| model::Value::F64(item.to_bits())).collect()),
        Value::Strs(items) => model::Value::List(items.iter().map(|item| cut_text(item, limit, is_cut)).collect()),
        Value::List(items) => model::Value::List(items.iter().map(|item| cut(item, limit, is_cut)).collect()),
        Value::Map(pairs) => {
            model::Value::Map(pairs.iter().map(|(key, item)| (key.clone(), cut(item, limit, is_cut))).collect())
        }
    }
}

fn cut_text(text: &str, limit: usize, is_cut: &mut bool) -> model::Value {
    *is_cut |= text.chars().count() > limit;
    model::Value::Str(text.chars().take(limit).collect())
}
