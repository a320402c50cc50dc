//! The host's end of the line: frames in and out, strings and times by the chip's own word.

use std::collections::HashMap;

use clewline_core::compact::read_attributes;
use clewline_core::frame::{FrameEncoder, FrameReceiver, Joined, Message, ReceiverCounts};
use clewline_core::{CompactSpans, SpanId, SpanKind, TimeAnchor};

/// A span as this test compares it.
#[derive(Debug)]
pub(crate) struct SpanRecord {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) is_parent_remote: bool,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: HashMap<String, String>,
    pub(crate) events: Vec<String>,
}

impl SpanRecord {
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }
}

/// What the host has learned.
pub(crate) struct Host {
    receiver: FrameReceiver<512>,
    pub(crate) resource: HashMap<String, String>,
    pub(crate) strings: HashMap<u32, String>,
    /// Which firmware the frames are of.
    pub(crate) build_id: u32,
    pub(crate) time_tokens: Vec<u32>,
    anchor: TimeAnchor,
    /// Compact spans, kept until strings and time are known.
    records: Vec<Vec<u8>>,
}

impl Host {
    /// Frames as the host sends them.
    pub(crate) fn frames(messages: &[Message<'_>]) -> Vec<u8> {
        let mut encoder = FrameEncoder::new(0, 1);
        let mut line = Vec::new();
        for message in messages {
            line.extend_from_slice(encoder.encode(message, 0, &mut [0; 128]).expect("short messages"));
        }
        line
    }

    /// Reads a whole line.
    pub(crate) fn reading(line: &[u8]) -> Self {
        let mut host = Self {
            receiver: FrameReceiver::new(Joined::BeforeBoot),
            resource: HashMap::new(),
            strings: HashMap::new(),
            build_id: 0,
            time_tokens: Vec::new(),
            anchor: TimeAnchor { ticks: 0, unix_nanos: 1_700_000_000_000_000_000, ticks_per_second: 1 },
            records: Vec::new(),
        };
        for &byte in line {
            let Some(Ok(frame)) = host.receiver.push(byte) else { continue };
            host.build_id = frame.header().build_id;
            match frame.message().expect("the checksum is right, so the content is") {
                Message::Resource { ticks_per_second, attributes } => {
                    host.anchor.ticks_per_second = ticks_per_second;
                    for attribute in read_attributes(attributes) {
                        let (key, value) = attribute.expect("well-formed");
                        let clewline_core::Value::Str(text) = value else { panic!("texts only, not {value:?}") };
                        host.resource.insert(key.to_owned(), text.to_owned());
                    }
                }
                Message::Strings(strings) => {
                    for string in strings.iter() {
                        let (id, text) = string.expect("well-formed");
                        host.strings.insert(id, text.to_owned());
                    }
                }
                Message::TimeAnswer { token, ticks } => {
                    host.time_tokens.push(token);
                    host.anchor.ticks = ticks;
                }
                Message::Spans(records) => host.records.push(records.to_vec()),
                other => panic!("nothing that a chip sends: {other:?}"),
            }
        }
        host
    }

    pub(crate) fn counts(&self) -> ReceiverCounts {
        *self.receiver.counts()
    }

    /// All spans, as OTLP says them.
    pub(crate) fn spans(&self) -> Vec<SpanRecord> {
        let strings = |id: u32| self.strings.get(&id).map(String::as_str);
        let mut spans = Vec::new();
        for span in self.records.iter().flat_map(|records| CompactSpans::new(records)) {
            let body = heapless::Vec::<u8, 1024>::new();
            let span = span.expect("well-formed").expand(&strings, &self.anchor, body).expect("strings are known");
            let view = span.view();
            spans.push(SpanRecord {
                trace_id: view.trace_id().to_bytes(),
                span_id: view.span_id().to_bytes(),
                parent: view.parent_span_id().map(SpanId::to_bytes),
                is_parent_remote: view.flags() & 0x200 != 0,
                name: view.name().to_owned(),
                kind: view.kind(),
                start: view.start_time_unix_nano(),
                end: view.end_time_unix_nano(),
                attributes: view.attributes().map(|(key, value)| (key.to_owned(), format!("{value:?}"))).collect(),
                events: view.events().map(|event| event.name().to_owned()).collect(),
            });
        }
        spans
    }
}
