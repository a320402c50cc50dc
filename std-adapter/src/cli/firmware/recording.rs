//! `Recording`: what a chip's frames say, read from the bytes of its line.

use std::collections::BTreeMap;

use clewline_core::frame::{Frame, FrameReceiver, Joined, Message, ReceiverCounts};

use super::table::PartialTable;

/// The longest frame that is read.
const LONGEST_FRAME: usize = 64 * 1024;

/// What ends a frame.
const END_OF_FRAME: u8 = 0;

/// What arrived.
#[derive(Debug)]
pub(super) struct Recording {
    /// Each run of the chip, in order.
    pub(super) boots: Vec<Boot>,
    /// The string tables that were sent, by build id.
    pub(super) tables: BTreeMap<u32, PartialTable>,
    /// Frames that were whole, and lost.
    pub(super) counts: ReceiverCounts,
    /// What whole frames held that cannot be read.
    pub(super) unreadable: Vec<String>,
}

/// What a chip said between two boots.
#[derive(Debug)]
pub(super) struct Boot {
    pub(super) build_id: u32,
    /// Its clock, if it has said so.
    pub(super) ticks_per_second: Option<u32>,
    /// Its resource, in compact form.
    pub(super) resource: Vec<u8>,
    /// Its spans, frame by frame.
    pub(super) spans: Vec<Spans>,
}

/// The spans of one frame.
#[derive(Debug)]
pub(super) enum Spans {
    Compact(Vec<u8>),
    Otlp(Vec<u8>),
}

impl Recording {
    /// Reads all frames. What is no frame is counted, also one that the recording's end has cut off.
    pub(super) fn read(line: &[u8]) -> Self {
        // A recording begins when somebody begins to listen, mostly after the chip's boot.
        let mut receiver = Box::new(FrameReceiver::<LONGEST_FRAME>::new(Joined::Later));
        let mut recording = Self {
            boots: Vec::new(),
            tables: BTreeMap::new(),
            counts: ReceiverCounts::default(),
            unreadable: Vec::new(),
        };
        for byte in line.iter().chain(&[END_OF_FRAME]) {
            let boots = receiver.counts().boots;
            let Some(Ok(frame)) = receiver.push(*byte) else { continue };
            let (build_id, content) = (frame.header().build_id, Content::of(&frame));
            if receiver.counts().boots != boots || recording.boots.is_empty() {
                let boot = Boot { build_id, ticks_per_second: None, resource: Vec::new(), spans: Vec::new() };
                recording.boots.push(boot);
            }
            recording.take(build_id, content);
        }
        recording.counts = *receiver.counts();
        recording
    }

    fn take(&mut self, build_id: u32, content: Result<Content, String>) {
        let Some(boot) = self.boots.last_mut() else { return };
        match content {
            Ok(Content::Resource(ticks_per_second, attributes)) => {
                boot.ticks_per_second = Some(ticks_per_second);
                boot.resource = attributes;
            }
            Ok(Content::Spans(spans)) => boot.spans.push(spans),
            Ok(Content::Strings(total, strings)) => {
                let table = self.tables.entry(build_id).or_default();
                for (id, text) in strings {
                    table.add(total, id, &text);
                }
            }
            Ok(Content::Other) => {}
            Err(error) => self.unreadable.push(error),
        }
    }
}

/// What is kept of a frame.
enum Content {
    Resource(u32, Vec<u8>),
    Spans(Spans),
    Strings(u32, Vec<(u32, String)>),
    /// Times, and what a host says: nothing that a recording can use.
    Other,
}

impl Content {
    fn of(frame: &Frame<'_>) -> Result<Self, String> {
        Ok(match frame.message().map_err(|error| error.to_string())? {
            Message::Resource { ticks_per_second, attributes } => Self::Resource(ticks_per_second, attributes.to_vec()),
            Message::Spans(records) => Self::Spans(Spans::Compact(records.to_vec())),
            Message::OtlpSpans(fields) => Self::Spans(Spans::Otlp(fields.to_vec())),
            Message::Strings(strings) => {
                let owned = strings.iter().map(|string| string.map(|(id, text)| (id, text.to_owned())));
                Self::Strings(strings.total, owned.collect::<Result<_, _>>().map_err(|error| error.to_string())?)
            }
            _ => Self::Other,
        })
    }
}
