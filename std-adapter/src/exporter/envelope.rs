//! What is said once per request around the spans: the resource and the instrumentation scopes.

use std::sync::{Arc, PoisonError, RwLock};

use clewline_core::{EncodeError, Resource, Scope, StorageView as _};

use super::chunk::{Chunk, ScopeIndex};
use super::wire;
use crate::pipeline::GrowingBuffer;

// Field numbers of opentelemetry/proto/collector/trace/v1/trace_service.proto and trace/v1/trace.proto.
const REQUEST_RESOURCE_SPANS: u8 = 1;
const RESOURCE_SPANS_SCOPE_SPANS: u8 = 2;
/// The bytes before the content of a field that is shorter than 4 GiB.
const LONGEST_HEADER: usize = 6;

/// The encoded resource and scopes of a process, and the way to build a request around chunks without copying them.
///
/// Scopes may be added at any time, from any thread.
#[derive(Debug)]
pub struct Envelope {
    /// The fields of `ResourceSpans` besides the spans.
    resource: Vec<u8>,
    /// For each scope the fields of `ScopeSpans` besides the spans.
    scopes: RwLock<Scopes>,
}

/// The scopes that were registered. They are kept for good: a tracer is a number.
#[derive(Debug, Default)]
struct Scopes {
    fields: Vec<Arc<[u8]>>,
    /// Places in `fields`, sorted by what stands there: a table by hash would cost a page 3 KB.
    sorted: Vec<u16>,
}

impl Scopes {
    /// The number of a scope, or where in `sorted` it would stand.
    fn find(&self, fields: &[u8]) -> Result<u16, usize> {
        let known = |number: &u16| self.fields.get(usize::from(*number)).map_or(&[][..], |known| known);
        let place = self.sorted.binary_search_by(|number| known(number).cmp(fields))?;
        self.sorted.get(place).copied().ok_or(place)
    }
}

impl Envelope {
    /// An envelope for one resource.
    #[must_use]
    pub fn new(resource: &Resource<'_>) -> Self {
        Self { resource: encoded(|fields| resource.write_fields(fields)), scopes: RwLock::default() }
    }

    /// Registers an instrumentation scope; the same one twice gets the same index. After 65,536 scopes, further ones share the
    /// first.
    pub fn scope(&self, scope: &Scope<'_>) -> ScopeIndex {
        self.scope_of(&Self::scope_fields(scope))
    }

    /// The encoded fields of a scope.
    pub(crate) fn scope_fields(scope: &Scope<'_>) -> Vec<u8> {
        encoded(|fields| scope.write_fields(fields))
    }

    /// Like [`scope`](Self::scope), for fields that were encoded before.
    pub(crate) fn scope_of(&self, fields: &[u8]) -> ScopeIndex {
        let known = self.scopes.read().unwrap_or_else(PoisonError::into_inner).find(fields);
        if let Ok(number) = known {
            return ScopeIndex(number);
        }
        let mut scopes = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
        let place = match scopes.find(fields) {
            Ok(number) => return ScopeIndex(number),
            Err(place) => place,
        };
        // More scopes than can be told apart are a name made of data; they count as the first.
        let Ok(number) = u16::try_from(scopes.fields.len()) else { return ScopeIndex(0) };
        scopes.fields.push(fields.into());
        scopes.sorted.insert(place, number);
        ScopeIndex(number)
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

    /// Bytes that a request takes besides its spans, at most.
    pub(super) fn overhead(&self) -> usize {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        let fields = scopes.fields.iter().map(|fields| LONGEST_HEADER + fields.len());
        LONGEST_HEADER + self.resource.len() + fields.sum::<usize>()
    }

    /// The scopes among `chunks`, in the order of their first chunk.
    fn groups(&self, chunks: &[Chunk]) -> Vec<Group> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<Group> = Vec::new();
        for chunk in chunks {
            let index = groups.iter().position(|group| group.scope == chunk.scope()).unwrap_or_else(|| {
                // An index of another envelope names no scope here; its spans are sent without one.
                let fields = scopes.fields.get(usize::from(chunk.scope().0)).cloned().unwrap_or_default();
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

/// The fields of `ResourceSpans` or `ScopeSpans` that say whose spans they are. Values that nest too deep to be encoded are
/// a mistake in the program's constants; such a resource or scope is sent without what comes after them.
fn encoded(write: impl FnOnce(&mut GrowingBuffer) -> Result<(), EncodeError>) -> Vec<u8> {
    let mut fields = GrowingBuffer::new(usize::MAX);
    // The buffer has no limit, so depth is the only way to fail.
    let _ = write(&mut fields);
    fields.as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope { resource: Vec::new(), scopes: RwLock::default() }
    }

    #[test]
    fn scopes_keep_their_numbers_in_whatever_order_they_come() {
        let envelope = envelope();
        // 7919 has no factor in common with 1000: all come, none in its order.
        let names: Vec<_> = (0..1000_usize).map(|index| format!("scope {}", index * 7919 % 1000)).collect();
        let first: Vec<_> = names.iter().map(|name| envelope.scope_of(name.as_bytes()).0).collect();
        assert_eq!(first, (0..1000).collect::<Vec<u16>>());
        let again: Vec<_> = names.iter().map(|name| envelope.scope_of(name.as_bytes()).0).collect();
        assert_eq!(again, first);
    }

    #[test]
    fn more_scopes_than_there_are_numbers_share_the_first() {
        let envelope = envelope();
        for index in 0..=u32::from(u16::MAX) {
            assert_eq!(u32::from(envelope.scope_of(&index.to_be_bytes()).0), index);
        }
        assert_eq!(envelope.scope_of(b"one more").0, 0);
        assert_eq!(envelope.scope_of(&7_u32.to_be_bytes()).0, 7);
    }
}
