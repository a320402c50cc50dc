//! `FrameDecoder`: finds frames in bytes of any origin.

use core::fmt;

use cobs::{DecodeResult, DecoderState};

use super::checksum::Checksum;
use super::{FrameHeader, Message, MessageError, VERSION};
use crate::postcard::Reader;

/// Why bytes between two end marks are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The byte stuffing is broken: bytes are missing, or one was changed.
    Stuffing,
    /// Longer than the decoder's buffer.
    TooLong,
    /// Shorter than a header with its checksum.
    TooShort,
    /// The checksum does not match.
    Checksum,
    /// A version other than [`VERSION`].
    Version(u8),
    /// A number in the header is longer than its type.
    Header,
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stuffing => formatter.write_str("frame: the byte stuffing is broken"),
            Self::TooLong => formatter.write_str("frame: longer than the buffer"),
            Self::TooShort => formatter.write_str("frame: shorter than its header"),
            Self::Checksum => formatter.write_str("frame: the checksum does not match"),
            Self::Version(version) => write!(formatter, "frame: version {version} is not known"),
            Self::Header => formatter.write_str("frame: a number in the header is too long"),
        }
    }
}

impl core::error::Error for FrameError {}

/// One whole frame, its checksum right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame<'a> {
    header: FrameHeader,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Its content, of the type that the header names.
    #[must_use]
    pub const fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Reads the content.
    ///
    /// # Errors
    /// What is wrong with it, or that this version does not know its type.
    pub fn message(&self) -> Result<Message<'a>, MessageError> {
        Message::read(&self.header, self.content)
    }

    /// Reads what stood between two end marks, without its byte stuffing.
    fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (covered, checksum) = bytes.split_last_chunk::<2>().ok_or(FrameError::TooShort)?;
        if Checksum::of(covered) != u16::from_le_bytes(*checksum) {
            return Err(FrameError::Checksum);
        }
        let version = covered.first().ok_or(FrameError::TooShort)? >> 4;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let mut reader = Reader::new(covered);
        let header = FrameHeader::read(&mut reader).map_err(|error| match error {
            crate::CompactError::Truncated => FrameError::TooShort,
            _ => FrameError::Header,
        })?;
        Ok(Self { header, content: reader.rest() })
    }
}

/// Finds frames of at most `N` bytes, counted before byte stuffing, from header to checksum.
///
/// Every run of bytes between two end marks is answered once: by its frame, or by an error. Numbering, loss and
/// repetition are a [`FrameReceiver`](super::FrameReceiver)'s business.
#[derive(Debug)]
pub struct FrameDecoder<const N: usize> {
    state: DecoderState,
    bytes: heapless::Vec<u8, N>,
    too_long: bool,
    /// The bytes hold a frame that was handed out: the next byte begins a new one.
    is_read: bool,
}

impl<const N: usize> FrameDecoder<N> {
    /// Waits for the first byte.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: DecoderState::Idle, bytes: heapless::Vec::new(), too_long: false, is_read: false }
    }

    /// Takes one byte, and answers if it ends something.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        if self.is_read {
            self.is_read = false;
            self.bytes.clear();
        }
        let is_complete = match self.state.feed(byte) {
            Ok(DecodeResult::NoData | DecodeResult::DataStart) => return None,
            Ok(DecodeResult::DataContinue(byte)) => {
                self.too_long |= self.bytes.push(byte).is_err();
                return None;
            }
            Ok(DecodeResult::DataComplete) => true,
            // Only an end mark at the wrong place is an error, so the next byte begins a new frame.
            Err(_) => false,
        };
        self.is_read = true;
        Some(match (core::mem::take(&mut self.too_long), is_complete) {
            (true, _) => Err(FrameError::TooLong),
            (false, false) => Err(FrameError::Stuffing),
            (false, true) => Frame::parse(&self.bytes),
        })
    }
}

impl<const N: usize> Default for FrameDecoder<N> {
    fn default() -> Self {
        Self::new()
    }
}
