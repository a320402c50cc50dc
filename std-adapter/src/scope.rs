//! `KnownScope`: an instrumentation scope that the process knows, and its number in whatever pipeline records.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use clewline_core::Scope;

use crate::exporter::Envelope;
use crate::pipeline::Pipeline;

/// How many scopes are told apart: as many as a pipeline can.
const MOST: usize = 1 << 16;

/// A scope, its encoded fields, and its number in the pipeline that was asked last. It lives as long as the process.
#[derive(Debug)]
pub(crate) struct KnownScope {
    fields: Box<[u8]>,
    /// The pipeline's id above the 16 bits of the number; 0 before the first.
    number: AtomicU64,
}

static KNOWN: LazyLock<Mutex<HashMap<&'static [u8], &'static KnownScope>>> = LazyLock::new(Mutex::default);

impl KnownScope {
    /// Finds a scope, or gets to know it. After 65,536 scopes, further ones are one scope without a name.
    pub(crate) fn get(scope: &Scope<'_>) -> &'static Self {
        let fields = Envelope::scope_fields(scope);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = if known.len() < MOST { fields } else { Envelope::scope_fields(&Scope::default()) };
        if let Some(scope) = known.get(&*fields) {
            return scope;
        }
        let scope: &'static Self = Box::leak(Box::new(Self { fields: fields.into(), number: AtomicU64::new(0) }));
        known.insert(&scope.fields, scope);
        scope
    }

    /// The scope's number in `pipeline`.
    #[inline]
    pub(crate) fn number_in(&self, pipeline: &Pipeline) -> u16 {
        let number = self.number.load(Ordering::Relaxed);
        if number >> 16 == pipeline.id() {
            let [low, high, ..] = number.to_le_bytes();
            return u16::from_le_bytes([low, high]);
        }
        self.register(pipeline)
    }

    #[cold]
    #[inline(never)]
    fn register(&self, pipeline: &Pipeline) -> u16 {
        let number = pipeline.scope_of(&self.fields);
        self.number.store(pipeline.id() << 16 | u64::from(number), Ordering::Relaxed);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_known_once() {
        let named = |name| KnownScope::get(&Scope { name, ..Scope::default() });
        assert!(std::ptr::eq(named("a"), named("a")));
        assert!(!std::ptr::eq(named("a"), named("b")));
        let versioned = KnownScope::get(&Scope { name: "a", version: "1", ..Scope::default() });
        assert!(!std::ptr::eq(named("a"), versioned));
    }
}
