//! The messages of a trace export request as OTLP/JSON names their fields, with the numbers they have in protobuf
//! (opentelemetry-proto, `trace/v1/trace.proto`, `common/v1/common.proto`, `resource/v1/resource.proto`).

/// A message: its members, and whether they form a `oneof`, of which at most one is set and is written even at its default.
pub(super) struct Message {
    pub(super) members: &'static [Member],
    pub(super) is_oneof: bool,
}

/// A field: its name in JSON, its number in protobuf, its type.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) number: u8,
    pub(super) kind: Kind,
}

/// The type of a field, in both forms.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// `string`.
    Text,
    /// `bytes` as hexadecimal digits: OTLP's exception for ids.
    Id,
    /// `bytes` as base64.
    Base64,
    /// `bool`.
    Bool,
    /// The `int64` of an `AnyValue`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `fixed32`.
    Fixed32,
    /// `fixed64`.
    Fixed64,
    /// `double`.
    Double,
    /// An enum: what to say when the value is none of its, and its names in the order of their numbers.
    Enum(&'static str, &'static [&'static str]),
    /// A message.
    Message(&'static Message),
    /// A `repeated` message.
    Messages(&'static Message),
    /// `repeated string`.
    Texts,
    /// The `repeated AnyValue` of an array, where `null` is an element without a value.
    Values,
}

impl Kind {
    /// What belongs in a field of this type.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Id => "an id in hexadecimal digits",
            Self::Base64 => "a string in base64",
            Self::Bool => "a boolean",
            Self::Int64 => "a 64-bit signed integer",
            Self::Uint32 | Self::Fixed32 => "a 32-bit unsigned integer",
            Self::Fixed64 => "a 64-bit unsigned integer",
            Self::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Self::Enum(expected, _) => expected,
            Self::Message(message) if message.is_oneof => "an object such as {\"stringValue\": \"…\"}",
            Self::Message(_) => "an object",
            Self::Messages(_) | Self::Texts | Self::Values => "a sequence",
        }
    }
}

const fn member(name: &'static str, number: u8, kind: Kind) -> Member {
    Member { name, number, kind }
}

const fn message(members: &'static [Member]) -> Message {
    Message { members, is_oneof: false }
}

const ATTRIBUTES: &str = "attributes";
const DROPPED: &str = "droppedAttributesCount";

/// `ExportTraceServiceRequest`.
pub(super) static REQUEST: Message = message(&[member("resourceSpans", 1, Kind::Messages(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message = message(&[
    member("resource", 1, Kind::Message(&RESOURCE)),
    member("scopeSpans", 2, Kind::Messages(&SCOPE_SPANS)),
    member("schemaUrl", 3, Kind::Text),
]);

static RESOURCE: Message = message(&[
    member(ATTRIBUTES, 1, Kind::Messages(&KEY_VALUE)),
    member(DROPPED, 2, Kind::Uint32),
    member("entityRefs", 3, Kind::Messages(&ENTITY_REF)),
]);

static ENTITY_REF: Message = message(&[
    member("schemaUrl", 1, Kind::Text),
    member("type", 2, Kind::Text),
    member("idKeys", 3, Kind::Texts),
    member("descriptionKeys", 4, Kind::Texts),
]);

static SCOPE_SPANS: Message = message(&[
    member("scope", 1, Kind::Message(&SCOPE)),
    member("spans", 2, Kind::Messages(&SPAN)),
    member("schemaUrl", 3, Kind::Text),
]);

static SCOPE: Message = message(&[
    member("name", 1, Kind::Text),
    member("version", 2, Kind::Text),
    member(ATTRIBUTES, 3, Kind::Messages(&KEY_VALUE)),
    member(DROPPED, 4, Kind::Uint32),
]);

static SPAN: Message = message(&[
    member("traceId", 1, Kind::Id),
    member("spanId", 2, Kind::Id),
    member("traceState", 3, Kind::Text),
    member("parentSpanId", 4, Kind::Id),
    member("flags", 16, Kind::Fixed32),
    member("name", 5, Kind::Text),
    member("kind", 6, SPAN_KIND),
    member("startTimeUnixNano", 7, Kind::Fixed64),
    member("endTimeUnixNano", 8, Kind::Fixed64),
    member(ATTRIBUTES, 9, Kind::Messages(&KEY_VALUE)),
    member(DROPPED, 10, Kind::Uint32),
    member("events", 11, Kind::Messages(&EVENT)),
    member("droppedEventsCount", 12, Kind::Uint32),
    member("links", 13, Kind::Messages(&LINK)),
    member("droppedLinksCount", 14, Kind::Uint32),
    member("status", 15, Kind::Message(&STATUS)),
]);

const SPAN_KIND: Kind = Kind::Enum(
    "an integer or one of SPAN_KIND_UNSPECIFIED, SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, \
     SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER",
    &[
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ],
);

static EVENT: Message = message(&[
    member("timeUnixNano", 1, Kind::Fixed64),
    member("name", 2, Kind::Text),
    member(ATTRIBUTES, 3, Kind::Messages(&KEY_VALUE)),
    member(DROPPED, 4, Kind::Uint32),
]);

static LINK: Message = message(&[
    member("traceId", 1, Kind::Id),
    member("spanId", 2, Kind::Id),
    member("traceState", 3, Kind::Text),
    member(ATTRIBUTES, 4, Kind::Messages(&KEY_VALUE)),
    member(DROPPED, 5, Kind::Uint32),
    member("flags", 6, Kind::Fixed32),
]);

static STATUS: Message = message(&[member("message", 2, Kind::Text), member("code", 3, STATUS_CODE)]);

const STATUS_CODE: Kind = Kind::Enum(
    "an integer or one of STATUS_CODE_UNSET, STATUS_CODE_OK, STATUS_CODE_ERROR",
    &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"],
);

static KEY_VALUE: Message = message(&[member("key", 1, Kind::Text), member("value", 2, Kind::Message(&ANY_VALUE))]);

/// The field of an `AnyValue` that holds a `double`.
pub(super) const DOUBLE_VALUE: u8 = 4;

/// `AnyValue`. A member that is `null` counts as absent, so `{"doubleValue":null}`, which is how `JSON.stringify` spells
/// every number that is not finite, is the empty value.
pub(super) static ANY_VALUE: Message = Message {
    members: &[
        member("stringValue", 1, Kind::Text),
        member("boolValue", 2, Kind::Bool),
        member("intValue", 3, Kind::Int64),
        member("doubleValue", DOUBLE_VALUE, Kind::Double),
        member("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
        member("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
        member("bytesValue", 7, Kind::Base64),
    ],
    is_oneof: true,
};

static ARRAY_VALUE: Message = message(&[member("values", 1, Kind::Values)]);

static KEY_VALUE_LIST: Message = message(&[member("values", 1, Kind::Messages(&KEY_VALUE))]);
