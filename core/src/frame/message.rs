//! `Message`: the contents of frames.

use core::fmt;

use super::{FrameHeader, MessageType, StringsMessage};
use crate::SpanContext;
use crate::header::binary::{self, BinaryError};
use crate::postcard::{CompactError, Reader};

/// The content of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// What the chip is. `attributes` are written by [`write_attributes`](crate::compact::write_attributes) and read by
    /// [`read_attributes`](crate::compact::read_attributes).
    Resource {
        /// How many of its ticks make a second.
        ticks_per_second: u32,
        /// Its resource, in compact form.
        attributes: &'a [u8],
    },
    /// Spans in compact form, one behind the other; see [`CompactSpans`](crate::CompactSpans).
    Spans(&'a [u8]),
    /// Spans as a [`Batch`](crate::Batch) holds them: `ScopeSpans.spans` fields.
    OtlpSpans(&'a [u8]),
    /// A part of the string table.
    Strings(StringsMessage<'a>),
    /// The chip's ticks, read between the arrival of the request and this answer: the host takes the middle of its own two
    /// times as the same moment, and half their distance as the error.
    TimeAnswer {
        /// Of the request.
        token: u32,
        /// The chip's clock.
        ticks: u64,
    },
    /// Asks for the chip's ticks.
    TimeRequest {
        /// Comes back with the answer.
        token: u32,
    },
    /// The context that the chip's work continues from now on. It is remote for the receiver.
    Context(SpanContext),
    /// Asks for resource and string table.
    DescriptionRequest,
}

/// What is wrong with the content of a frame whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// A type that this version does not know.
    UnknownType(u8),
    /// The content is not what its type says.
    Content(CompactError),
    /// The context is not valid.
    Context(BinaryError),
}

impl fmt::Display for MessageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(number) => write!(formatter, "message type {number} is not known"),
            Self::Content(error) => write!(formatter, "message: {error}"),
            Self::Context(error) => write!(formatter, "message: {error}"),
        }
    }
}

impl core::error::Error for MessageError {}

impl From<CompactError> for MessageError {
    fn from(error: CompactError) -> Self {
        Self::Content(error)
    }
}

impl<'a> Message<'a> {
    /// What a header says of it.
    #[inline]
    pub(super) const fn message_type(&self) -> MessageType {
        match self {
            Self::Resource { .. } => MessageType::Resource,
            Self::Spans(_) => MessageType::Spans,
            Self::OtlpSpans(_) => MessageType::OtlpSpans,
            Self::Strings(_) => MessageType::Strings,
            Self::TimeAnswer { .. } => MessageType::TimeAnswer,
            Self::TimeRequest { .. } => MessageType::TimeRequest,
            Self::Context(_) => MessageType::Context,
            Self::DescriptionRequest => MessageType::DescriptionRequest,
        }
    }

    pub(super) fn read(header: &FrameHeader, content: &'a [u8]) -> Result<Self, MessageError> {
        let known = header.known_type().ok_or(MessageError::UnknownType(header.message_type))?;
        let mut reader = Reader::new(content);
        Ok(match known {
            MessageType::Resource => {
                Self::Resource { ticks_per_second: reader.varint_u32()?, attributes: reader.rest() }
            }
            MessageType::Spans => Self::Spans(content),
            MessageType::OtlpSpans => Self::OtlpSpans(content),
            MessageType::Strings => Self::Strings(StringsMessage {
                total: reader.varint_u32()?,
                first: reader.varint_u32()?,
                texts: reader.rest(),
            }),
            MessageType::TimeAnswer => {
                Self::TimeAnswer { token: u32::from_le_bytes(reader.array()?), ticks: reader.varint()? }
            }
            MessageType::TimeRequest => Self::TimeRequest { token: u32::from_le_bytes(reader.array()?) },
            MessageType::Context => Self::Context(binary::decode(content).map_err(MessageError::Context)?),
            MessageType::DescriptionRequest => Self::DescriptionRequest,
        })
    }
}
