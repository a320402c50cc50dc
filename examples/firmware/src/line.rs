//! The line to the host: frames in, frames out, when nothing better is to be done.

use clewline_core::compact::write_attributes;
use clewline_core::frame::{FrameDecoder, FrameEncoder, Message, StringsChunk};
use clewline_core::shared::{SharedContext, SpanRing};
use clewline_core::{Form, StringTable, TickSource, Value};

use crate::board::{Board, Ticks};
use crate::names::Names;

/// The longest content of a frame that leaves.
const CONTENT: usize = 160;
/// With header, checksum and byte stuffing.
const FRAME: usize = CONTENT + 24;

/// Both directions of the line.
pub(crate) struct Line {
    encoder: FrameEncoder,
    decoder: FrameDecoder<64>,
    /// The next string to send, while the host is being told the table.
    next_string: Option<u32>,
}

impl Line {
    /// At boot.
    pub(crate) fn new(boot_epoch: u32) -> Self {
        Self {
            encoder: FrameEncoder::new(Names::FINGERPRINT, boot_epoch),
            decoder: FrameDecoder::new(),
            next_string: None,
        }
    }

    /// Does what the host asked for, and sends what was recorded.
    pub(crate) fn serve<F: Form, const SPAN: usize, const SPANS: usize>(
        &mut self,
        board: &mut Board,
        ring: &SpanRing<SPAN, SPANS, F>,
        context: &SharedContext,
    ) {
        while let Some(byte) = board.receive() {
            // What is no frame is the host's to repeat: it sees by our answers what has arrived.
            let message = match self.decoder.push(byte) {
                Some(Ok(frame)) => frame.message(),
                _ => continue,
            };
            match message {
                Ok(Message::Context(received)) => context.set(Some(received)),
                Ok(Message::TimeRequest { token }) => {
                    send(
                        &mut self.encoder,
                        board,
                        ring.counts().dropped,
                        &Message::TimeAnswer { token, ticks: Ticks.ticks() },
                    );
                }
                Ok(Message::DescriptionRequest) => {
                    self.next_string = Some(0);
                    describe(&mut self.encoder, board, ring.counts().dropped);
                }
                _ => {}
            }
        }
        if let Some(first) = self.next_string {
            let mut chunk = StringsChunk::<CONTENT>::new();
            self.next_string = chunk.fill(&Names::strings(), first);
            if self.next_string.is_some() {
                send(&mut self.encoder, board, ring.counts().dropped, &Message::Strings(chunk.message()));
            }
        }
        let mut records = [0; CONTENT];
        let length = ring.fill(&mut records);
        if let Some(records) = records.get(..length).filter(|records| !records.is_empty()) {
            send(&mut self.encoder, board, ring.counts().dropped, &Message::Spans(records));
        }
    }
}

fn describe(encoder: &mut FrameEncoder, board: &mut Board, dropped: u32) {
    let mut attributes = heapless::Vec::<u8, CONTENT>::new();
    let resource = [("service.name", Value::from("sensor")), ("device.model.name", Value::from(crate::board::NAME))];
    if write_attributes(&resource, attributes.as_mut_view()).is_ok() {
        let message = Message::Resource { ticks_per_second: Ticks.ticks_per_second(), attributes: &attributes };
        send(encoder, board, dropped, &message);
    }
}

fn send(encoder: &mut FrameEncoder, board: &mut Board, dropped: u32, message: &Message<'_>) {
    let mut buffer = [0; FRAME];
    // Everything that is sent from here is cut to fit.
    if let Ok(frame) = encoder.encode(message, dropped, &mut buffer) {
        for &byte in frame {
            board.send(byte);
        }
    }
}
