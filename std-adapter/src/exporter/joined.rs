//! A request as one slice, for exporters that read its structure.

use clewline_core::RequestView;

use super::{ExportOutcome, Request};

/// Memory for the slices of a request one behind the other, used again for the next request.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    bytes: Vec<u8>,
}

impl Joined {
    /// The request, parsed.
    ///
    /// # Errors
    /// The outcome of a request that is not well-formed: it never will be.
    pub(crate) fn parse<'a>(&'a mut self, request: &Request<'_>) -> Result<RequestView<'a>, ExportOutcome> {
        self.bytes.clear();
        self.bytes.reserve(request.size());
        request.parts().iter().for_each(|part| self.bytes.extend_from_slice(part));
        RequestView::parse(&self.bytes)
            .map_err(|error| ExportOutcome::Rejected { reason: format!("the spans are not well-formed OTLP: {error}") })
    }
}
