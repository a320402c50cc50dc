//! The compact form read by the `postcard` crate: serde types and the layout that is documented, and nothing of core's.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::model;

/// A value is what postcard makes of this enum.
#[derive(Deserialize)]
enum Value {
    Empty,
    False,
    True,
    Integer(i64),
    Double(f64),
    Float(f32),
    Text(String),
    /// The id and one.
    Interned(u32),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    /// The keys are texts, written as values.
    Map(Vec<(Value, Value)>),
    /// The same as of an interned text, and how many characters of it.
    InternedStart(u32, usize),
}

/// What each span begins with.
#[derive(Deserialize)]
struct Front {
    head: u8,
    trace_id: [u8; 16],
    span_id: [u8; 8],
}

#[derive(Deserialize)]
struct Times {
    start: u64,
    duration: i64,
}

/// What a span says at its end, if there is something to say.
#[derive(Default, Deserialize)]
struct Outcome {
    status: u8,
    dropped: [u32; 3],
}

#[derive(Deserialize)]
struct LinkFront {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
    trace_state: String,
}

/// The end mark, of a span's items and of an entry's attributes.
const END: u32 = 3;

struct Reader<'a> {
    rest: &'a [u8],
    strings: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn take<T: Deserialize<'a>>(&mut self) -> T {
        let (value, rest) = postcard::take_from_bytes(self.rest).expect("postcard reads it");
        self.rest = rest;
        value
    }

    fn interned(&self, reference: u32) -> String {
        self.strings[usize::try_from(reference).expect("small") - 1].to_owned()
    }

    /// A text: written out if its reference is 0.
    fn text(&mut self, reference: u32) -> String {
        if reference == 0 { self.take() } else { self.interned(reference) }
    }

    fn value(&self, value: Value) -> model::Value {
        match value {
            Value::Empty => model::Value::Empty,
            Value::False => model::Value::Bool(false),
            Value::True => model::Value::Bool(true),
            Value::Integer(number) => model::Value::I64(number),
            Value::Double(number) => model::Value::F64(number.to_bits()),
            Value::Float(number) => model::Value::F64(f64::from(number).to_bits()),
            Value::Text(text) => model::Value::Str(text),
            Value::Interned(reference) => model::Value::Str(self.interned(reference)),
            Value::InternedStart(reference, characters) => {
                model::Value::Str(self.interned(reference).chars().take(characters).collect())
            }
            Value::Bytes(bytes) => model::Value::Bytes(bytes),
            Value::List(items) => model::Value::List(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Map(entries) => {
                let entry = |(key, value)| match self.value(key) {
                    model::Value::Str(key) => (key, self.value(value)),
                    other => panic!("a key that is no text: {other:?}"),
                };
                model::Value::Map(entries.into_iter().map(entry).collect())
            }
        }
    }

    /// An attribute behind its head. A key that comes again replaces the one before.
    fn attribute(&mut self, head: u32, attributes: &mut model::Attributes) {
        let key = self.text(head >> 1);
        let value = self.take();
        let value = self.value(value);
        attributes.retain(|(other, _)| *other != key);
        attributes.push((key, value));
    }

    /// The attributes of an event or link, and how many it had to refuse.
    fn entry(&mut self) -> (model::Attributes, u32) {
        let (mut attributes, mut dropped) = (Vec::new(), 0);
        loop {
            match self.take::<u32>() {
                END => return (attributes, dropped),
                0x13 => dropped = self.take(),
                head if head & 1 == 0 => self.attribute(head, &mut attributes),
                head => panic!("item {head} in an entry"),
            }
        }
    }
}

/// Reads the span at the front of `record`, and what stands behind it.
pub(crate) fn span<'a>(record: &'a [u8], strings: &'a [&'a str]) -> (model::Span, &'a [u8]) {
    let mut reader = Reader { rest: record, strings };
    let front: Front = reader.take();
    let parent = (front.head & 0x08 != 0).then(|| reader.take::<[u8; 8]>());
    let Times { start, duration } = reader.take();
    let outcome: Outcome = if front.head & 0x80 == 0 { Outcome::default() } else { reader.take() };
    let reference = reader.take();
    let [dropped_attributes, dropped_events, dropped_links] = outcome.dropped;
    let mut span = model::Span {
        trace_id: front.trace_id,
        span_id: front.span_id,
        parent_span_id: parent,
        flags: u32::from(front.head >> 5 & 3) | 0x100 | u32::from(front.head & 0x10 != 0) << 9,
        name: reader.text(reference),
        kind: front.head & 7,
        start,
        end: start.wrapping_add_signed(duration),
        dropped_attributes,
        dropped_events,
        dropped_links,
        status_code: outcome.status,
        ..model::Span::default()
    };
    // How far from the start an event was, and how often the start had been moved by then.
    let (mut deltas, mut moves) = (VecDeque::new(), Vec::new());
    loop {
        match reader.take::<u32>() {
            END => break,
            head if head & 1 == 0 => reader.attribute(head, &mut span.attributes),
            head if head & 3 == 1 => {
                let name = reader.text(head >> 2);
                deltas.push_back((reader.take::<i64>(), moves.len()));
                let (attributes, dropped_attributes) = reader.entry();
                span.events.push(model::Event { time: 0, name, attributes, dropped_attributes });
            }
            0x07 => {
                let LinkFront { trace_id, span_id, flags, trace_state } = reader.take();
                let flags = u32::from(flags & 3) | 0x100 | u32::from(flags & 4 != 0) << 9;
                let (attributes, dropped_attributes) = reader.entry();
                span.links.push(model::Link { trace_id, span_id, trace_state, flags, attributes, dropped_attributes });
            }
            0x0b => span.status_message = reader.take(),
            0x0f => span.trace_state = reader.take(),
            0x17 => moves.push(reader.take::<i64>()),
            0x1b => {
                let reference = reader.take();
                span.name = reader.text(reference);
            }
            head => panic!("item {head} in a span"),
        }
    }
    for (event, (delta, moved)) in span.events.iter_mut().zip(deltas) {
        let later: i64 = moves[moved..].iter().copied().fold(0, i64::wrapping_add);
        event.time = start.wrapping_add_signed(later.wrapping_neg()).wrapping_add_signed(delta);
    }
    // A message is kept with an error only.
    if span.status_code != 2 {
        span.status_message.clear();
    }
    (span, reader.rest)
}
