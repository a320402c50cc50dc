//! Reading a request body within its limit, as received and again after decompression.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    /// The body was not complete in time.
    TooSlow,
    /// The bodies of other requests take all the memory there is for them.
    Busy,
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

/// What bounds the collecting of bodies: a client that sends slowly, or many that send at once, must not take all memory.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Bytes of one body.
    pub(super) limit: usize,
    /// How long one body may take.
    pub(super) patience: Duration,
    /// Bytes of all bodies that are being collected or wait to be read.
    pub(super) room: Arc<Semaphore>,
}

/// A body, and the room that it takes until this is dropped.
#[derive(Debug)]
pub(super) struct Collected {
    /// The bytes as they came.
    pub(super) bytes: Vec<u8>,
    /// `None` for an empty body.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Collects the body, within its bounds.
pub(super) async fn collect(headers: &HeaderMap, body: Body, bounds: &Bounds) -> Result<Collected, BodyError> {
    let collected = collect_within(headers, body, bounds.limit, &bounds.room);
    tokio::time::timeout(bounds.patience, collected).await.unwrap_or(Err(BodyError::TooSlow))
}

/// Collects the body, stopping as soon as it is over `limit` bytes, or there is no more room.
///
/// What was over the limit is still read for a while and thrown away: a client that is busy sending would otherwise see
/// a broken connection instead of the answer that tells it why.
async fn collect_within(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    room: &Arc<Semaphore>,
) -> Result<Collected, BodyError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok())
        .unwrap_or(0);
    let mut collected = Collected { bytes: Vec::new(), room: None };
    let mut over = announced > limit as u64;
    let mut spare = limit.saturating_mul(2).max(1024 * 1024);
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(_) if over => break,
            Err(error) => return Err(BodyError::Interrupted(error.to_string())),
        };
        let Some(data) = frame.data_ref() else { continue };
        if over || data.len() > limit - collected.bytes.len() {
            over = true;
            collected = Collected { bytes: Vec::new(), room: None };
            spare = spare.saturating_sub(data.len());
            if spare == 0 {
                break;
            }
        } else {
            collected.take_room(data.len(), room)?;
            collected.bytes.extend_from_slice(data);
        }
    }
    if over { Err(BodyError::TooLarge) } else { Ok(collected) }
}

impl Collected {
    fn take_room(&mut self, bytes: usize, room: &Arc<Semaphore>) -> Result<(), BodyError> {
        let bytes = u32::try_from(bytes).map_err(|_| BodyError::Busy)?;
        let more = Arc::clone(room).try_acquire_many_owned(bytes).map_err(|_| BodyError::Busy)?;
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Bytes;
    use futures_util::stream::{self, StreamExt as _};

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_and_leaves_its_room() {
        let room = Arc::new(Semaphore::new(100));
        let bounds = Bounds { limit: 100, patience: Duration::from_millis(20), room: Arc::clone(&room) };
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"0123456789"))]);
        let body = Body::from_stream(first.chain(stream::pending()));
        assert_eq!(collect(&HeaderMap::new(), body, &bounds).await.err(), Some(BodyError::TooSlow));
        assert_eq!(room.available_permits(), 100);
        let whole = collect(&HeaderMap::new(), Body::from("0123456789"), &bounds).await.expect("a body");
        assert_eq!((whole.bytes.len(), room.available_permits()), (10, 90));
        drop(whole);
        assert_eq!(room.available_permits(), 100);
    }
}
