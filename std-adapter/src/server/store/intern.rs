//! What many spans have in common: resources, scopes and names, kept once and counted once.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clewline_core::{ResourceView, ScopeView};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::server::render::AttributesJson;

/// The service of spans that do not say theirs (OpenTelemetry resource conventions, "Service").
const UNKNOWN_SERVICE: &str = "unknown_service";

/// What made a span: the attributes of a resource, ready to be shown and searched.
#[derive(Debug)]
pub(in crate::server) struct Resource {
    json: Box<RawValue>,
    service: Box<str>,
    attributes: serde_json::Map<String, serde_json::Value>,
}

impl Resource {
    /// Takes over a resource.
    pub(in crate::server) fn new(view: &ResourceView<'_>) -> Self {
        let json = to_raw(&AttributesJson(view.attributes()));
        let service = view.attributes().get("service.name").and_then(|value| value.as_str());
        Self {
            service: service.filter(|name| !name.is_empty()).unwrap_or(UNKNOWN_SERVICE).into(),
            attributes: serde_json::from_str(json.get()).unwrap_or_default(),
            json,
        }
    }

    /// The `service.name`.
    pub(in crate::server) fn service(&self) -> &str {
        &self.service
    }

    /// The attributes as JSON.
    pub(in crate::server) fn json(&self) -> &RawValue {
        &self.json
    }

    /// The value of an attribute, in the form in which it is shown.
    pub(in crate::server) fn attribute(&self, key: &str) -> Option<&serde_json::Value> {
        self.attributes.get(key)
    }
}

/// The instrumentation scope of a span, ready to be shown.
#[derive(Debug)]
pub(in crate::server) struct Scope {
    json: Box<RawValue>,
}

impl Scope {
    /// Takes over a scope.
    pub(in crate::server) fn new(view: &ScopeView<'_>) -> Self {
        #[derive(Serialize)]
        struct ScopeJson<'a> {
            name: &'a str,
            version: &'a str,
            attributes: AttributesJson<'a>,
        }
        let attributes = AttributesJson(view.attributes());
        Self { json: to_raw(&ScopeJson { name: view.name(), version: view.version(), attributes }) }
    }

    /// Name, version and attributes as JSON.
    pub(in crate::server) fn json(&self) -> &RawValue {
        &self.json
    }
}

/// The name of a span. Services have few names and many spans, and lists and filters ask for names all the time.
#[derive(Debug)]
pub(in crate::server) struct Name {
    text: Box<str>,
    lower_case: Box<str>,
}

impl Name {
    /// Takes over a name.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), lower_case: text.to_lowercase().into() }
    }

    /// The name.
    pub(in crate::server) fn as_str(&self) -> &str {
        &self.text
    }

    /// The name in lower case, for searching without regard to case.
    pub(in crate::server) fn lower_case(&self) -> &str {
        &self.lower_case
    }
}

/// JSON text of a value whose serialisation cannot fail.
fn to_raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A value that is identified by a text.
pub(super) trait Interned {
    /// The text that tells one from another.
    fn text(&self) -> &str;
    /// About how many bytes it occupies.
    fn size(&self) -> usize;
}

impl Interned for Resource {
    fn text(&self) -> &str {
        self.json.get()
    }
    fn size(&self) -> usize {
        // The text, and the same again in parsed form with its strings and nodes.
        size_of::<Self>() + self.json.get().len() * 2 + self.attributes.len() * 96
    }
}

impl Interned for Scope {
    fn text(&self) -> &str {
        self.json.get()
    }
    fn size(&self) -> usize {
        size_of::<Self>() + self.json.get().len()
    }
}

impl Interned for Name {
    fn text(&self) -> &str {
        &self.text
    }
    fn size(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.lower_case.len()
    }
}

/// A value with the number of its uses in the store. Readers' snapshots are not uses: they must not keep it known.
#[derive(Debug)]
pub(in crate::server) struct Shared<T> {
    value: T,
    /// Only changed under the store's lock, which orders it.
    uses: AtomicUsize,
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// The distinct values in use.
#[derive(Debug)]
pub(super) struct Interner<T> {
    known: HashSet<ByText<T>>,
    bytes: usize,
}

impl<T: Interned> Interner<T> {
    /// An empty set.
    pub(super) fn new() -> Self {
        Self { known: HashSet::new(), bytes: 0 }
    }

    /// About how many bytes the values in use occupy.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The one copy of the value with this text, in use once more; made if it is not known.
    pub(super) fn share_text(&mut self, text: &str, make: impl FnOnce(&str) -> T) -> Arc<Shared<T>> {
        match self.known.get(text) {
            Some(known) => Self::again(&known.0),
            None => self.share(make(text)),
        }
    }

    /// The one copy of this value, in use once more.
    pub(super) fn share(&mut self, value: T) -> Arc<Shared<T>> {
        if let Some(known) = self.known.get(value.text()) {
            return Self::again(&known.0);
        }
        self.bytes += value.size();
        let shared = Arc::new(Shared { value, uses: AtomicUsize::new(1) });
        self.known.insert(ByText(Arc::clone(&shared)));
        shared
    }

    /// Another use of a copy.
    pub(super) fn again(shared: &Arc<Shared<T>>) -> Arc<Shared<T>> {
        shared.uses.fetch_add(1, Ordering::Relaxed);
        Arc::clone(shared)
    }

    /// Ends one use, and forgets the value with its last one.
    pub(super) fn release(&mut self, shared: &Shared<T>) {
        if shared.uses.fetch_sub(1, Ordering::Relaxed) == 1 && self.known.remove(shared.text()) {
            self.bytes -= shared.size();
        }
    }
}

/// Compares and hashes by text.
#[derive(Debug)]
struct ByText<T>(Arc<Shared<T>>);

impl<T: Interned> Borrow<str> for ByText<T> {
    fn borrow(&self) -> &str {
        self.0.text()
    }
}

impl<T: Interned> Hash for ByText<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text().hash(state);
    }
}

impl<T: Interned> PartialEq for ByText<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.text() == other.0.text()
    }
}

impl<T: Interned> Eq for ByText<T> {}
