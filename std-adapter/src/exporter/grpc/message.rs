//! The frame around a message (gRPC over HTTP/2, "Length-Prefixed-Message").

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::write::GzEncoder;

use crate::config::Compression;
use crate::exporter::Request;

/// A flag for compression and four bytes of length.
pub(super) const PREFIX: usize = 5;

/// Memory for the frame of one request, used again for the next.
#[derive(Debug)]
pub(super) struct Frame {
    compression: Compression,
    /// What is sent; afterwards the memory of it.
    bytes: Bytes,
}

impl Frame {
    pub(super) const fn new(compression: Compression) -> Self {
        Self { compression, bytes: Bytes::new() }
    }

    /// The request, framed and, where that is asked for, compressed.
    pub(super) fn fill(&mut self, request: &Request<'_>) -> io::Result<Bytes> {
        // Nobody else holds it any more unless a connection was given up.
        let mut buffer = Vec::from(std::mem::take(&mut self.bytes));
        buffer.clear();
        buffer.extend_from_slice(&[0; PREFIX]);
        let flag = match self.compression {
            Compression::None => {
                request.parts().iter().for_each(|part| buffer.extend_from_slice(part));
                0
            }
            Compression::Gzip => {
                // For speed rather than size: the spans of one batch repeat themselves a lot.
                let mut encoder = GzEncoder::new(buffer, flate2::Compression::fast());
                for part in request.parts() {
                    encoder.write_all(part)?;
                }
                buffer = encoder.finish()?;
                1
            }
        };
        // Requests are limited to 64 MiB, and gzip adds next to nothing.
        let length = u32::try_from(buffer.len() - PREFIX).map_err(|_| io::ErrorKind::InvalidInput)?;
        buffer[0] = flag;
        buffer[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        self.bytes = buffer.into();
        Ok(self.bytes.clone())
    }

    pub(super) const fn compression(&self) -> Compression {
        self.compression
    }
}

/// The message in the body of an answer, which is one frame; `None` if it is no such thing, or compressed, which was not
/// asked for.
pub(super) fn unframe(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_first_chunk::<PREFIX>()?;
    let [0, length @ ..] = *prefix else { return None };
    message.get(..usize::try_from(u32::from_be_bytes(length)).ok()?)
}
