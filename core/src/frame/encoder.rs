//! `FrameEncoder`: puts messages into frames.

use super::checksum::Checksum;
use super::{Message, MessageType, VERSION};
use crate::error::CapacityError;
use crate::header::binary;
#[cfg(feature = "critical-section")]
use crate::{Form, shared::SpanRing, storage::Output};

/// Numbers the frames of one sender, and writes them.
///
/// ```
/// use clewline_core::frame::{FrameDecoder, FrameEncoder, Message};
/// let mut encoder = FrameEncoder::new(0x00c0_ffee, 7);
/// let mut buffer = [0; 64];
/// let bytes = encoder.encode(&Message::TimeRequest { token: 5 }, 0, &mut buffer).unwrap();
///
/// let mut decoder = FrameDecoder::<64>::new();
/// let (last, first) = bytes.split_last().unwrap();
/// assert!(first.iter().all(|&byte| decoder.push(byte).is_none()));
/// let frame = decoder.push(*last).unwrap().unwrap();
/// assert_eq!((frame.header().sequence, frame.header().build_id), (0, 0x00c0_ffee));
/// assert_eq!(frame.message().unwrap(), Message::TimeRequest { token: 5 });
/// ```
#[derive(Clone, Debug)]
pub struct FrameEncoder {
    build_id: u32,
    boot_epoch: u32,
    sequence: u16,
}

impl FrameEncoder {
    /// A sender at its boot. `build_id` names the program, such as by
    /// [`Strings::fingerprint`](crate::Strings::fingerprint); `boot_epoch` is another number at each boot, such as a
    /// counter that survives, or random.
    #[must_use]
    pub const fn new(build_id: u32, boot_epoch: u32) -> Self {
        Self { build_id, boot_epoch, sequence: 0 }
    }

    /// Writes one frame, its end mark included, and answers with its bytes. `dropped_spans` counts since boot.
    ///
    /// # Errors
    /// `out` is too small. The frame gets no number, so the receiver does not count it as lost.
    #[inline]
    pub fn encode<'o>(
        &mut self,
        message: &Message<'_>,
        dropped_spans: u32,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CapacityError> {
        let mut frame = self.begin(message.message_type(), dropped_spans, out);
        match message {
            Message::Resource { ticks_per_second, attributes } => {
                frame.varint((*ticks_per_second).into());
                frame.push(attributes);
            }
            Message::Spans(content) | Message::OtlpSpans(content) => frame.push(content),
            Message::Strings(strings) => {
                frame.varint(strings.total.into());
                frame.varint(strings.first.into());
                frame.push(strings.texts);
            }
            Message::TimeAnswer { token, ticks } => {
                frame.push(&token.to_le_bytes());
                frame.varint(*ticks);
            }
            Message::TimeRequest { token } => frame.push(&token.to_le_bytes()),
            Message::Context(context) => frame.push(&binary::encode(*context)),
            Message::DescriptionRequest => {}
        }
        let frame = frame.finish().ok_or(CapacityError)?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(frame)
    }

    /// Takes the oldest finished span out of a ring, and puts it into a frame with the ring's count of those that were dropped;
    /// `None` if there is none. One that `out` is too small for is dropped and counted.
    ///
    /// The same as [`SpanRing::pop`] and [`encode`](Self::encode), without a copy of the span on the way.
    ///
    /// ```
    /// # use clewline_core::frame::{FrameDecoder, FrameEncoder, Message};
    /// # use clewline_core::shared::{Keep, SharedIds, SpanRing};
    /// # use clewline_core::{AlwaysOn, NoClock, Tracer};
    /// static RING: SpanRing<64, 8> = SpanRing::new(Keep::Newest);
    /// static TRACER: Tracer<NoClock, SharedIds, AlwaysOn, &SpanRing<64, 8>> =
    ///     Tracer::new(NoClock, SharedIds::new([1, 2]), AlwaysOn, &RING);
    ///
    /// TRACER.span("read sensor").start().set("sensor.id", 7);
    /// let mut encoder = FrameEncoder::new(0x00c0_ffee, 1);
    /// let mut buffer = [0; 128];
    /// let frame = encoder.encode_oldest(&RING, &mut buffer).unwrap();
    /// # let mut decoder = FrameDecoder::<128>::new();
    /// # let (last, first) = frame.split_last().unwrap();
    /// # first.iter().for_each(|&byte| assert!(decoder.push(byte).is_none()));
    /// # let frame = decoder.push(*last).unwrap().unwrap();
    /// # assert!(matches!(frame.message(), Ok(Message::Spans(_))));
    /// assert_eq!(encoder.encode_oldest(&RING, &mut buffer), None);
    /// ```
    #[cfg(feature = "critical-section")]
    pub fn encode_oldest<'o, const SPAN: usize, const SPANS: usize, F: Form>(
        &mut self,
        ring: &SpanRing<SPAN, SPANS, F>,
        out: &'o mut [u8],
    ) -> Option<&'o [u8]> {
        let message_type = if F::IS_OTLP { MessageType::OtlpSpans } else { MessageType::Spans };
        let length = ring.take_first(|span, end_time| {
            let mut frame = self.begin(message_type, ring.dropped(), out);
            span.stream(end_time, &mut frame);
            frame.finish().map(<[u8]>::len)
        })?;
        self.sequence = self.sequence.wrapping_add(1);
        out.get(..length)
    }

    /// Everything before the content.
    #[inline(never)]
    fn begin<'o>(&self, message_type: MessageType, dropped_spans: u32, out: &'o mut [u8]) -> Stuffing<'o> {
        let mut frame = Stuffing { out, at: 1, group: 0, checksum: Checksum::new() };
        let [sequence, behind] = self.sequence.to_le_bytes();
        let [a, b, c, d] = self.build_id.to_le_bytes();
        frame.push(&[(VERSION << 4) | message_type as u8, sequence, behind, a, b, c, d]);
        frame.varint(self.boot_epoch.into());
        frame.varint(dropped_spans.into());
        frame
    }
}

/// Stuffs bytes (Cheshire, Baker, "Consistent Overhead Byte Stuffing", 1999) and sums them up, in one pass.
///
/// A group is a byte that counts, and the bytes up to the next zero, which is not written; or 254 of them, and no zero.
///
/// Where something finds no room, there will be none for the end mark either: so only that one is looked at.
struct Stuffing<'o> {
    out: &'o mut [u8],
    /// Where the next byte goes.
    at: usize,
    /// Where the group began: its count is not written yet.
    group: usize,
    checksum: Checksum,
}

impl<'o> Stuffing<'o> {
    /// Adds bytes.
    #[inline(never)]
    fn push(&mut self, bytes: &[u8]) {
        // Copies, as the compiler would write each change to memory otherwise.
        let (mut at, mut group, mut checksum) = (self.at, self.group, self.checksum);
        let out = &mut *self.out;
        let mut full = group + LONGEST_GROUP;
        for &byte in bytes {
            checksum.add(byte);
            if at == full {
                end_group(out, group, LONGEST_GROUP);
                group = at;
                full = group + LONGEST_GROUP;
                at += 1;
            }
            let Some(place) = out.get_mut(at) else { break };
            *place = byte;
            if byte == 0 {
                end_group(out, group, at - group);
                group = at;
                full = group + LONGEST_GROUP;
            }
            at += 1;
        }
        (self.at, self.group, self.checksum) = (at, group, checksum);
    }

    /// Adds a varint.
    #[inline(never)]
    fn varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.push(&[low]);
            }
            self.push(&[low | 0x80]);
        }
    }

    /// Adds checksum and end mark, and answers with all of it; `None` if it does not fit.
    #[inline(never)]
    fn finish(mut self) -> Option<&'o [u8]> {
        let checksum = self.checksum.value().to_le_bytes();
        self.push(&checksum);
        let Self { out, at, group, .. } = self;
        end_group(out, group, at - group);
        *out.get_mut(at)? = 0;
        out.get(..=at)
    }
}

#[cfg(feature = "critical-section")]
impl Output for Stuffing<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.push(bytes);
    }

    fn varint(&mut self, value: u64) {
        Stuffing::varint(self, value);
    }
}

/// A count that no zero follows.
const LONGEST_GROUP: usize = 255;

/// Writes a group's count, which is below 256.
#[inline(always)]
fn end_group(out: &mut [u8], group: usize, count: usize) {
    if let Some(place) = out.get_mut(group) {
        *place = count.to_le_bytes()[0];
    }
}
