//! From a request to the store: spans are judged one by one, so that a bad one does not cost the others.

use std::fmt::Write as _;

use clewline_core::{DecodeError, RequestView};

use super::Store;
use super::intern::{Resource, Scope};

/// How many rejected spans are described; the number says the rest.
const DESCRIBED: u64 = 3;

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct Ingested {
    /// How many spans were not kept.
    pub(in crate::server) rejected_spans: u64,
    /// Which ones and why, for the first few.
    pub(in crate::server) error_message: String,
}

impl Store {
    /// Keeps the spans of an encoded `ExportTraceServiceRequest`.
    ///
    /// # Errors
    /// The request is not well-formed; nothing of it is kept.
    pub(in crate::server) fn ingest(&self, request: &[u8]) -> Result<Ingested, DecodeError> {
        // Read as a whole before anything is kept: a request is taken or refused, not cut somewhere in the middle.
        let request = RequestView::parse(request)?;
        let mut ingested = Ingested::default();
        let mut position = 0_u64;
        for resource_spans in request.resource_spans() {
            let resource = Resource::new(&resource_spans.resource());
            let resource = self.lock().resources.share(resource);
            for scope_spans in resource_spans.scope_spans() {
                let scope = Scope::new(&scope_spans.scope());
                let mut inner = self.lock();
                let scope = inner.scopes.share(scope);
                for span in scope_spans.spans() {
                    match span {
                        Ok((message, view)) => {
                            inner.insert(message, &view, &resource, &scope);
                            inner.evict_down_to(self.memory_limit);
                        }
                        Err(error) => {
                            inner.stats.rejected_spans += 1;
                            ingested.reject(position, &error);
                        }
                    }
                    position += 1;
                }
                inner.scopes.release(&scope);
            }
            self.lock().resources.release(&resource);
        }
        let mut inner = self.lock();
        inner.stats.received_requests += 1;
        let sequence = inner.sequence;
        drop(inner);
        ingested.finish(position);
        self.tell(sequence);
        Ok(ingested)
    }

    /// Tells those who watch how far the store has come. Of several requests at once, the one that came less far may be the last to
    /// tell: taken as the latest, it would let those who know of more sleep through what came in between.
    fn tell(&self, sequence: u64) {
        self.changes.send_if_modified(|known| {
            let is_news = sequence > *known;
            *known = sequence.max(*known);
            is_news
        });
    }
}

impl Ingested {
    fn reject(&mut self, position: u64, error: &DecodeError) {
        self.rejected_spans += 1;
        if self.rejected_spans <= DESCRIBED {
            let separator = if self.error_message.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(self.error_message, "{separator}span {position} of the request: {error}");
        }
    }

    fn finish(&mut self, spans: u64) {
        if self.rejected_spans > 0 {
            let rejected = self.rejected_spans;
            let more = if rejected > DESCRIBED { "; …" } else { "" };
            self.error_message = format!("{rejected} of {spans} spans rejected: {}{more}", self.error_message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tells_last_takes_no_news_back() {
        let store = Store::new(1 << 20);
        let mut watch = store.watch();
        store.tell(20);
        assert_eq!((watch.has_changed().unwrap(), *watch.borrow_and_update()), (true, 20));
        // Its request was kept before, and it was held up since.
        store.tell(10);
        assert_eq!((watch.has_changed().unwrap(), *watch.borrow_and_update()), (false, 20));
        store.tell(21);
        assert_eq!(*watch.borrow_and_update(), 21);
    }
}
