//! Reads an OTLP/JSON request into protobuf.

use serde::de::DeserializeSeed;

use super::deserializer::JsonDeserializer;
use super::{JsonError, JsonErrorKind, RequestSeed};
use crate::storage::{Storage, StorageView};

/// Turns an OTLP/JSON `ExportTraceServiceRequest` of anybody into the same message in protobuf, behind the content of `out`,
/// so that a [`RequestView`](crate::RequestView) can read it. It is shorter than the JSON, if no enum has a negative number.
///
/// A number in `intValue` that no 64-bit integer can hold, as JavaScript writes it, becomes a `doubleValue`; a text there does not.
///
/// Escapes are resolved in place, so `json` is not the same afterwards.
///
/// ```
/// use clewline_core::{RequestView, json};
/// let mut text = *br#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0AF7651916CD43DD8448EB211C80319C",
///     "spanId": "b7ad6b7169203331", "name": "caf\u00e9", "startTimeUnixNano": "17", "endTimeUnixNano": 19}]}]}]}"#;
/// let mut protobuf = heapless::Vec::<u8, 256>::new();
/// json::read_request(&mut text, &mut protobuf).unwrap();
/// let request = RequestView::parse(&protobuf).unwrap();
/// let scope = request.resource_spans().next().unwrap().scope_spans().next().unwrap();
/// let (_, span) = scope.spans().next().unwrap().unwrap();
/// assert_eq!((span.name(), span.duration_nanos()), ("café", 2));
///
/// let error = json::read_request(&mut br#"{"resourceSpans": 7}"#.clone(), &mut protobuf).unwrap_err();
/// assert_eq!(error.to_string(), "expected a sequence (at byte 18)");
/// ```
///
/// # Errors
/// What is wrong with the JSON, or that `out` is full, and where; nothing was added to `out`.
pub fn read_request<S: Storage>(json: &mut [u8], out: &mut S) -> Result<(), JsonError> {
    let out = out.view_mut();
    let before = out.as_slice().len();
    let mut failure = None;
    let mut deserializer = JsonDeserializer::new(json);
    let result =
        RequestSeed::noting(&mut *out, &mut failure).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    result.map_err(|fault| {
        out.truncate(before);
        // Every error of the deserialiser's has a kind, and every other one was noted where it was made.
        let kind = fault.kind.or(failure).unwrap_or(JsonErrorKind::NoValue);
        JsonError { kind, offset: fault.offset.unwrap_or(deserializer.offset()) }
    })
}
