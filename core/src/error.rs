//! The errors of this crate: small, `Copy`, and precise about what was wrong.

use core::fmt;

/// Why bytes are not the OTLP message they should be, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What was wrong.
    pub kind: DecodeErrorKind,
    /// Where, in bytes from the start of what was given.
    pub offset: usize,
}

/// What can be wrong with protobuf bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The message ends within a field.
    Truncated,
    /// A variable-length integer of more than 64 bits.
    VarintTooLong,
    /// A field number of zero or beyond 2^29 - 1.
    InvalidFieldNumber,
    /// A wire type that protobuf does not define, or the abandoned groups (3 and 4).
    UnsupportedWireType {
        /// The wire type, 3 to 7 except 5.
        wire_type: u8,
    },
    /// A field that OTLP defines, with another type than OTLP's.
    WrongWireType {
        /// The field's number.
        field: u32,
    },
    /// A text field that is not UTF-8.
    NotUtf8 {
        /// The field's number.
        field: u32,
    },
    /// Values nested deeper than [`MAX_VALUE_DEPTH`](crate::MAX_VALUE_DEPTH).
    TooDeep,
    /// A trace id that is not 16 bytes, or all zero.
    InvalidTraceId,
    /// A span id that is not 8 bytes, or all zero.
    InvalidSpanId,
    /// A parent span id that is neither empty nor 8 bytes.
    InvalidParentSpanId,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DecodeErrorKind::Truncated => formatter.write_str("the message ends within a field"),
            DecodeErrorKind::VarintTooLong => formatter.write_str("an integer is longer than 64 bits"),
            DecodeErrorKind::InvalidFieldNumber => formatter.write_str("a field number is out of range"),
            DecodeErrorKind::UnsupportedWireType { wire_type } => {
                write!(formatter, "wire type {wire_type} is not supported")
            }
            DecodeErrorKind::WrongWireType { field } => write!(formatter, "field {field} has the wrong wire type"),
            DecodeErrorKind::NotUtf8 { field } => write!(formatter, "the text in field {field} is not UTF-8"),
            DecodeErrorKind::TooDeep => write!(formatter, "values are nested deeper than {}", crate::MAX_VALUE_DEPTH),
            DecodeErrorKind::InvalidTraceId => formatter.write_str("the trace id is not 16 bytes, or all zero"),
            DecodeErrorKind::InvalidSpanId => formatter.write_str("the span id is not 8 bytes, or all zero"),
            DecodeErrorKind::InvalidParentSpanId => {
                formatter.write_str("the parent span id is neither empty nor 8 bytes")
            }
        }?;
        write!(formatter, " (at byte {})", self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// The storage is full; what was to be added is not there, what was there before still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityError;

impl fmt::Display for CapacityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the storage is full")
    }
}

impl core::error::Error for CapacityError {}

/// Why a resource or scope could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The storage is full.
    Full,
    /// A value nests deeper than [`MAX_VALUE_DEPTH`](crate::MAX_VALUE_DEPTH).
    TooDeep,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => CapacityError.fmt(formatter),
            Self::TooDeep => write!(formatter, "values are nested deeper than {}", crate::MAX_VALUE_DEPTH),
        }
    }
}

impl core::error::Error for EncodeError {}

/// A probability outside 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbabilityError;

impl fmt::Display for ProbabilityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sampling probability must be a number from 0 to 1")
    }
}

impl core::error::Error for ProbabilityError {}
