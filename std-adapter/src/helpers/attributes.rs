//! `SpanAttributes`: what is known about a piece of work before it begins.

use clewline_core::{SpanKind, Value};

use crate::{Span, tracer};

/// What is known about a piece of work before it begins: what is done, by which part of the program, for whom.
///
/// ```
/// use clewline::helpers::{SpanAttributes, create_span};
/// let attributes = SpanAttributes::new("checkout", "shop::cart").with_tenant("acme").with_user("u-17").with("cart.items", 3);
/// let span = create_span(&attributes).enter();
/// ```
#[derive(Clone, Debug)]
pub struct SpanAttributes {
    operation: String,
    component: String,
    kind: SpanKind,
    attributes: Vec<(String, Owned)>,
}

/// A value that outlives the call that gave it.
#[derive(Clone, Debug)]
enum Owned {
    Bool(bool),
    I64(i64),
    F64(f64),
    Str(String),
    Bytes(Vec<u8>),
}

impl Owned {
    /// Arrays and maps are written as text: what is known before the work begins hardly ever has any.
    fn new(value: &Value<'_>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::I64(value) => Self::I64(*value),
            Value::F64(value) => Self::F64(*value),
            Value::Str(value) => Self::Str((*value).to_owned()),
            Value::Bytes(value) => Self::Bytes((*value).to_owned()),
            other => Self::Str(format!("{other:?}")),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::I64(value) => Value::I64(*value),
            Self::F64(value) => Value::F64(*value),
            Self::Str(value) => Value::Str(value),
            Self::Bytes(value) => Value::Bytes(value),
        }
    }
}

impl SpanAttributes {
    /// `operation` names the span, and must therefore be one of few; `component` is its instrumentation scope: a crate or
    /// module.
    #[must_use]
    pub fn new(operation: &str, component: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            component: component.to_owned(),
            kind: SpanKind::Internal,
            attributes: Vec::new(),
        }
    }

    /// Whose data it is: `tenant.id`.
    #[must_use]
    pub fn with_tenant(self, tenant: &str) -> Self {
        self.with("tenant.id", tenant)
    }

    /// Who asked for it: `user.id`.
    #[must_use]
    pub fn with_user(self, user: &str) -> Self {
        self.with("user.id", user)
    }

    /// The role in a call, `Internal` unless said.
    #[must_use]
    pub fn with_kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// Any other attribute.
    #[must_use]
    pub fn with<'v>(mut self, key: &str, value: impl Into<Value<'v>>) -> Self {
        self.attributes.push((key.to_owned(), Owned::new(&value.into())));
        self
    }
}

/// Starts a span, a child of the current one. The sampler sees all the attributes.
#[must_use = "a span that is not kept ends at once"]
pub fn create_span(attributes: &SpanAttributes) -> Span {
    let SpanAttributes { operation, component, kind, attributes } = attributes;
    let attributes: Vec<_> = attributes.iter().map(|(key, value)| (key.as_str(), value.value())).collect();
    tracer(component).span(operation).kind(*kind).attributes(&attributes).start()
}
