//! Reading a request body within its limit, as received and again after decompression.

use std::io::Read as _;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// More bytes arrived than the limit allows.
    TooLarge,
    /// The bytes arrived within the limit but decompress to more than it.
    TooLargeDecompressed,
    /// The body claims to be gzip and is not.
    NotGzip(String),
    /// The `Content-Encoding` is one this server does not take.
    UnknownEncoding(String),
    /// The connection broke before the body was complete.
    Interrupted(String),
}

/// The content encodings this server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentEncoding {
    /// The body is the message.
    Identity,
    /// The body is the message in gzip (RFC 1952), in one or more members.
    Gzip,
}

impl ContentEncoding {
    /// Reads the `Content-Encoding` of a request.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let mut found = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let name = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
            found = match (found, name.as_str()) {
                (found, "identity" | "") => found,
                (Self::Identity, "gzip" | "x-gzip") => Self::Gzip,
                _ => return Err(BodyError::UnknownEncoding(name)),
            };
        }
        Ok(found)
    }
}

/// Collects the body, stopping as soon as it is over `limit` bytes.
///
/// What was over the limit is still read for a while and thrown away: a client that is busy sending would otherwise see
/// a broken connection instead of the answer that tells it why.
pub(super) async fn collect(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok())
        .unwrap_or(0);
    let mut collected = Vec::new();
    let mut over = announced > limit as u64;
    let mut spare = limit.saturating_mul(2).max(1024 * 1024);
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(_) if over => break,
            Err(error) => return Err(BodyError::Interrupted(error.to_string())),
        };
        let Some(data) = frame.data_ref() else { continue };
        if over || data.len() > limit - collected.len() {
            over = true;
            collected = Vec::new();
            spare = spare.saturating_sub(data.len());
            if spare == 0 {
                break;
            }
        } else {
            collected.extend_from_slice(data);
        }
    }
    if over { Err(BodyError::TooLarge) } else { Ok(collected) }
}

/// Undoes the content encoding, stopping as soon as the result is over `limit` bytes.
pub(super) fn decompress(encoding: ContentEncoding, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, BodyError> {
    if encoding == ContentEncoding::Identity {
        return Ok(body);
    }
    let mut decompressed = Vec::new();
    let ceiling = (limit as u64).saturating_add(1);
    MultiGzDecoder::new(body.as_slice())
        .take(ceiling)
        .read_to_end(&mut decompressed)
        .map_err(|error| BodyError::NotGzip(error.to_string()))?;
    if decompressed.len() > limit { Err(BodyError::TooLargeDecompressed) } else { Ok(decompressed) }
}
