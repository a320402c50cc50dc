//! OTLP/JSON, both ways, without an allocator.
//!
//! The rules are the JSON mapping of protobuf with OTLP's exceptions (opentelemetry-proto `docs/specification.md`,
//! "JSON Protobuf Encoding"): names in lowerCamelCase, ids in hexadecimal, enums as integers, 64-bit integers as decimal
//! texts, bytes in base64, `"NaN"`, `"Infinity"` and `"-Infinity"`. Writing leaves defaults out. Reading takes ids of
//! any case, 64-bit integers as numbers too, enums by their names too, members in any order, `null` for "not set"
//! everywhere, and ignores members it does not know.
//!
//! With feature `serde`, [`RequestView`](crate::RequestView), [`SpanView`](crate::SpanView) and [`Request`] implement
//! serde's `Serialize`, and [`RequestSeed`] reads with any serde deserialiser that describes itself. Feature `json` adds
//! `write` and `read_request`, which need nothing but the memory they are given.

mod message;
mod output;
mod schema;
mod seed;
mod serialize;
mod text;

#[cfg(feature = "json")]
mod deserializer;
#[cfg(feature = "json")]
mod encode;
mod error;
#[cfg(feature = "json")]
mod read;

#[cfg(feature = "json")]
pub use encode::{WriteJson, write};
pub use error::{JsonError, JsonErrorKind};
#[cfg(feature = "json")]
pub use read::read_request;
pub use seed::RequestSeed;
pub use serialize::Request;
