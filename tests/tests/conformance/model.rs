//! What an OTLP request says, as plain owned data, so that two readings of it can be compared.

/// An attribute value. Doubles are held by their bits, so that NaN equals itself and -0 differs from 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Empty,
    Bool(bool),
    I64(i64),
    F64(u64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

pub(crate) type Attributes = Vec<(String, Value)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResourceSpans {
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
    pub(crate) schema_url: String,
    pub(crate) scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ScopeSpans {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
    pub(crate) schema_url: String,
    pub(crate) spans: Vec<Span>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) parent_span_id: Option<[u8; 8]>,
    pub(crate) trace_state: String,
    pub(crate) flags: u32,
    pub(crate) name: String,
    /// OTLP's number; one that OTLP does not define is 0.
    pub(crate) kind: u8,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
    pub(crate) events: Vec<Event>,
    pub(crate) dropped_events: u32,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped_links: u32,
    /// OTLP's number; one that OTLP does not define is 0.
    pub(crate) status_code: u8,
    pub(crate) status_message: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) time: u64,
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Link {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) trace_state: String,
    pub(crate) flags: u32,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
}

impl Span {
    /// The same span with all attributes by key: their order says nothing (OpenTelemetry common, "Attribute Collections").
    /// Fails if a key is there twice, which no collection may have.
    pub(crate) fn in_key_order(mut self) -> Self {
        sort(&mut self.attributes);
        self.events.iter_mut().for_each(|event| sort(&mut event.attributes));
        self.links.iter_mut().for_each(|link| sort(&mut link.attributes));
        self
    }
}

fn sort(attributes: &mut Attributes) {
    attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(attributes.is_sorted_by(|(a, _), (b, _)| a < b), "a key is there twice: {attributes:?}");
}
