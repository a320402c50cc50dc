//! What a caller does with one span, as data: the same script is played through core and told to the oracle.

/// An attribute value in every shape in which core takes one.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Empty,
    Bool(bool),
    I64(i64),
    F64(f64),
    Str(String),
    Bytes(Vec<u8>),
    Bools(Vec<bool>),
    I64s(Vec<i64>),
    F64s(Vec<f64>),
    Strs(Vec<String>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

pub(crate) type Attributes = Vec<(String, Value)>;

#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    /// The flags' byte as it came, unknown bits included.
    pub(crate) flags: u8,
    pub(crate) is_remote: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) attributes: u16,
    pub(crate) events: u16,
    pub(crate) links: u16,
    pub(crate) event_attributes: u16,
    pub(crate) link_attributes: u16,
    pub(crate) value_length: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Set(String, Value),
    Event {
        name: String,
        time: u64,
        attributes: Attributes,
    },
    Link {
        context: Context,
        trace_state: String,
        attributes: Attributes,
    },
    Exception {
        kind: String,
        message: String,
        stacktrace: String,
        time: u64,
    },
    /// OTLP's number of the code, and a message.
    Status(u8, String),
    Rename(String),
    /// OTLP's number of the kind, never 0.
    Kind(u8),
    StartTime(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) context: Context,
    pub(crate) parent: Option<Context>,
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) trace_state: String,
    pub(crate) limits: Limits,
    pub(crate) steps: Vec<Step>,
}
