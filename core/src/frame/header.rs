//! `FrameHeader`: what every frame says before its content.

use crate::postcard::{CompactError, Reader};

/// What a frame's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum MessageType {
    /// From the chip: what it is, and how fast its ticks are.
    Resource = 1,
    /// From the chip: spans in compact form.
    Spans = 2,
    /// From the chip: spans in OTLP form.
    OtlpSpans = 3,
    /// From the chip: a part of the table of its interned strings.
    Strings = 4,
    /// From the chip: its ticks, at once after a request.
    TimeAnswer = 5,
    /// From the host: asks for the chip's ticks.
    TimeRequest = 8,
    /// From the host: the context that the chip's work continues from now on.
    Context = 9,
    /// From the host: asks for resource and string table.
    DescriptionRequest = 10,
}

impl MessageType {
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Resource,
            2 => Self::Spans,
            3 => Self::OtlpSpans,
            4 => Self::Strings,
            5 => Self::TimeAnswer,
            8 => Self::TimeRequest,
            9 => Self::Context,
            10 => Self::DescriptionRequest,
            _ => return None,
        })
    }
}

/// What every frame says before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The type's number. One that this version does not know is delivered too: it counts in the sequence.
    pub message_type: u8,
    /// Counts the sender's frames since its boot, from 0, around after 65,535.
    pub sequence: u16,
    /// Which program sent it, and so which string table it uses. In frames from the host: which program is meant, 0 if any.
    pub build_id: u32,
    /// Counts the sender's boots, or is different after each boot by other means.
    pub boot_epoch: u32,
    /// How many spans the sender could not keep since its boot.
    pub dropped_spans: u32,
}

impl FrameHeader {
    /// The type, if this version knows it.
    #[must_use]
    pub const fn known_type(&self) -> Option<MessageType> {
        MessageType::from_number(self.message_type)
    }

    /// Reads a header; the first byte's version was checked before.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, CompactError> {
        Ok(Self {
            message_type: reader.byte()? & 0x0f,
            sequence: u16::from_le_bytes(reader.array()?),
            build_id: u32::from_le_bytes(reader.array()?),
            boot_epoch: reader.varint_u32()?,
            dropped_spans: reader.varint_u32()?,
        })
    }
}
