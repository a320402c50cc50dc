//! What is said once per request around the spans: the resource and the instrumentation scopes.

use std::sync::{Arc, PoisonError, RwLock};

use super::chunk::{Chunk, ScopeIndex};
use super::wire;

// Field numbers of opentelemetry/proto/collector/trace/v1/trace_service.proto and trace/v1/trace.proto.
const REQUEST_RESOURCE_SPANS: u8 = 1;
const RESOURCE_SPANS_RESOURCE: u8 = 1;
const RESOURCE_SPANS_SCOPE_SPANS: u8 = 2;
const SCOPE_SPANS_SCOPE: u8 = 1;
const SCHEMA_URL: u8 = 3;

/// The encoded resource and scopes of a process, and the way to build a request around chunks without copying them.
///
/// Scopes may be added at any time, from any thread.
#[derive(Debug)]
pub struct Envelope {
    /// The fields of `ResourceSpans` besides the spans.
    resource: Vec<u8>,
    /// For each scope the fields of `ScopeSpans` besides the spans.
    scopes: RwLock<Vec<Arc<[u8]>>>,
}

impl Envelope {
    /// An envelope for one resource: an encoded OTLP `Resource` message and the schema URL it follows (may be empty).
    #[must_use]
    pub fn new(resource: &[u8], schema_url: &str) -> Self {
        Self { resource: described(RESOURCE_SPANS_RESOURCE, resource, schema_url), scopes: RwLock::default() }
    }

    /// Registers an encoded OTLP `InstrumentationScope` message; the same scope twice gets the same index.
    pub fn scope(&self, scope: &[u8], schema_url: &str) -> ScopeIndex {
        let fields = described(SCOPE_SPANS_SCOPE, scope, schema_url);
        let mut scopes = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
        let index = scopes.iter().position(|known| **known == *fields).unwrap_or_else(|| {
            scopes.push(fields.into());
            scopes.len() - 1
        });
        ScopeIndex(index)
    }

    /// The slices of a request that holds `chunks`, one `ScopeSpans` for each scope among them.
    ///
    /// Everything but the spans is written into `framing`, whose previous content is discarded.
    pub fn assemble<'a>(&self, chunks: &'a [Chunk], framing: &'a mut Vec<u8>) -> Vec<&'a [u8]> {
        framing.clear();
        let groups = self.groups(chunks);
        let scope_spans = groups.iter().map(|group| wire::field_size(group.size()));
        let resource_spans = self.resource.len() + scope_spans.sum::<usize>();
        wire::write_header(framing, REQUEST_RESOURCE_SPANS, resource_spans);
        framing.extend_from_slice(&self.resource);
        let mut ends = Vec::with_capacity(groups.len());
        for group in &groups {
            wire::write_header(framing, RESOURCE_SPANS_SCOPE_SPANS, group.size());
            framing.extend_from_slice(&group.fields);
            ends.push(framing.len());
        }

        let framing: &'a [u8] = framing;
        let mut parts = Vec::with_capacity(groups.len() + chunks.len());
        let mut start = 0;
        for (group, end) in groups.iter().zip(ends) {
            parts.push(&framing[start..end]);
            parts.extend(chunks.iter().filter(|chunk| chunk.scope() == group.scope).map(Chunk::bytes));
            start = end;
        }
        parts
    }

    /// The scopes among `chunks`, in the order of their first chunk.
    fn groups(&self, chunks: &[Chunk]) -> Vec<Group> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<Group> = Vec::new();
        for chunk in chunks {
            let index = groups.iter().position(|group| group.scope == chunk.scope()).unwrap_or_else(|| {
                // An index of another envelope names no scope here; its spans are sent without one.
                let fields = scopes.get(chunk.scope().0).cloned().unwrap_or_default();
                groups.push(Group { scope: chunk.scope(), fields, spans: 0 });
                groups.len() - 1
            });
            groups[index].spans += chunk.bytes().len();
        }
        groups
    }
}

/// The chunks of one scope within a request.
struct Group {
    scope: ScopeIndex,
    fields: Arc<[u8]>,
    /// Bytes of framed spans.
    spans: usize,
}

impl Group {
    fn size(&self) -> usize {
        self.fields.len() + self.spans
    }
}

/// The fields of `ResourceSpans` or `ScopeSpans` that say whose spans they are.
fn described(field: u8, message: &[u8], schema_url: &str) -> Vec<u8> {
    let mut fields = Vec::with_capacity(message.len() + schema_url.len() + 8);
    wire::write_field(&mut fields, field, message);
    if !schema_url.is_empty() {
        wire::write_field(&mut fields, SCHEMA_URL, schema_url.as_bytes());
    }
    fields
}
