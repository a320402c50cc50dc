//! `FrameEncoder`: puts messages into frames.

use cobs::CobsEncoder;
use crc::{Digest, Table};

use super::{CHECKSUM, Message, MessageType, VERSION};
use crate::error::CapacityError;
use crate::header::binary;

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
        match message {
            Message::Resource { ticks_per_second, attributes } => {
                let mut number = [0; 10];
                let number = varint((*ticks_per_second).into(), &mut number);
                self.write(MessageType::Resource, dropped_spans, &[number, attributes], out)
            }
            Message::Spans(records) => self.write(MessageType::Spans, dropped_spans, &[records], out),
            Message::OtlpSpans(spans) => self.write(MessageType::OtlpSpans, dropped_spans, &[spans], out),
            Message::Strings(strings) => {
                let (mut total, mut first) = ([0; 10], [0; 10]);
                let parts = [varint(strings.total.into(), &mut total), varint(strings.first.into(), &mut first)];
                self.write(MessageType::Strings, dropped_spans, &[parts[0], parts[1], strings.texts], out)
            }
            Message::TimeAnswer { token, ticks } => {
                let mut number = [0; 10];
                let parts = [&token.to_le_bytes(), varint(*ticks, &mut number)];
                self.write(MessageType::TimeAnswer, dropped_spans, &parts, out)
            }
            Message::TimeRequest { token } => {
                self.write(MessageType::TimeRequest, dropped_spans, &[&token.to_le_bytes()], out)
            }
            Message::Context(context) => {
                self.write(MessageType::Context, dropped_spans, &[&binary::encode(*context)], out)
            }
            Message::DescriptionRequest => self.write(MessageType::DescriptionRequest, dropped_spans, &[], out),
        }
    }

    #[inline(never)]
    fn write<'o>(
        &mut self,
        message_type: MessageType,
        dropped_spans: u32,
        parts: &[&[u8]],
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CapacityError> {
        let Some((first, _)) = out.split_first_mut() else { return Err(CapacityError) };
        *first = 0;
        let mut frame = Checked { encoder: CobsEncoder::new(out), digest: CHECKSUM.digest(), fits: true };
        let mut head = [0; 7];
        head[0] = (VERSION << 4) | message_type as u8;
        head[1..3].copy_from_slice(&self.sequence.to_le_bytes());
        head[3..7].copy_from_slice(&self.build_id.to_le_bytes());
        frame.push(&head);
        let mut number = [0; 10];
        frame.push(varint(self.boot_epoch.into(), &mut number));
        frame.push(varint(dropped_spans.into(), &mut number));
        for part in parts {
            frame.push(part);
        }
        let length = frame.finish().ok_or(CapacityError)?;
        let end = out.get_mut(length).ok_or(CapacityError)?;
        *end = 0;
        self.sequence = self.sequence.wrapping_add(1);
        out.get(..=length).ok_or(CapacityError)
    }
}

/// Stuffs bytes and sums them up.
struct Checked<'o> {
    encoder: CobsEncoder<'o>,
    digest: Digest<'static, u16, Table<1>>,
    fits: bool,
}

impl Checked<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.stuff(bytes);
    }

    fn stuff(&mut self, bytes: &[u8]) {
        self.fits &= self.encoder.push(bytes).is_ok();
    }

    fn finish(mut self) -> Option<usize> {
        let checksum = self.digest.clone().finalize().to_le_bytes();
        self.stuff(&checksum);
        self.fits.then(|| self.encoder.finalize())
    }
}

/// Writes a varint to the front of `out`.
fn varint(mut value: u64, out: &mut [u8; 10]) -> &[u8] {
    let mut length = 0;
    for byte in out.iter_mut() {
        length += 1;
        *byte = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    out.get(..length).unwrap_or_default()
}
