//! A request as OTLP/JSON (OTLP specification, "JSON Protobuf Encoding").

use clewline_core::{StorageView as _, json};

use super::joined::Joined;
use super::{ExportOutcome, REQUEST_LIMIT, Request};
use crate::pipeline::GrowingBuffer;

/// Memory for the JSON of one request.
#[derive(Debug)]
pub(super) struct JsonRequest {
    joined: Joined,
    json: GrowingBuffer,
}

impl Default for JsonRequest {
    fn default() -> Self {
        Self { joined: Joined::default(), json: GrowingBuffer::new(REQUEST_LIMIT) }
    }
}

impl JsonRequest {
    /// The request as JSON, without white space.
    ///
    /// # Errors
    /// The outcome of a request that is not well-formed, or whose JSON is over the limit for requests.
    pub(super) fn encode(&mut self, request: &Request<'_>) -> Result<&[u8], ExportOutcome> {
        let view = self.joined.parse(request)?;
        self.json.truncate(0);
        match json::write(&view, &mut self.json) {
            Ok(()) => Ok(self.json.as_slice()),
            Err(_) => Err(ExportOutcome::TooLarge { bytes: REQUEST_LIMIT + 1, limit: REQUEST_LIMIT }),
        }
    }
}
