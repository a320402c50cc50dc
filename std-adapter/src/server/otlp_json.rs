//! OTLP/JSON turned into OTLP protobuf, so that behind the receiver there is only one form.
//!
//! The rules are core's ([`clewline_core::json`]); here `serde_json` reads, whose errors name line and column.

use std::fmt;

use clewline_core::json::RequestSeed;
use serde::de::{DeserializeSeed, Deserializer};

use crate::pipeline::GrowingBuffer;

/// A JSON body that is not an export request: the place and the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonError {
    path: String,
    reason: String,
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" | "." | "?" => write!(formatter, "{}", self.reason),
            path => write!(formatter, "{path}: {}", self.reason),
        }
    }
}

/// Turns a JSON `ExportTraceServiceRequest` into the same message in protobuf.
///
/// # Errors
/// What is wrong with the JSON, and where: the member, and line and column.
pub fn to_protobuf(json: &[u8]) -> Result<GrowingBuffer, JsonError> {
    // Checked as a whole, because the content of unknown fields is skipped unread.
    let json =
        std::str::from_utf8(json).map_err(|error| JsonError { path: String::new(), reason: error.to_string() })?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    read(&mut deserializer, json)
        .and_then(|request| deserializer.end().map(|()| request))
        .map_err(|error| located(json, &error))
}

/// Reads a request of this JSON, than which its protobuf is not much longer whatever stands in it.
fn read<'de, D: Deserializer<'de>>(deserializer: D, json: &str) -> Result<GrowingBuffer, D::Error> {
    let mut protobuf = GrowingBuffer::new(2 * json.len());
    RequestSeed::new(&mut protobuf).deserialize(deserializer).map(|()| protobuf)
}

/// Reads the body a second time, keeping track of the path, which the first and usually only pass does not pay for.
fn located(json: &str, error: &serde_json::Error) -> JsonError {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    // What follows the message may be at fault, not the message: then there is no place in it.
    let path = read(tracked, json).err().map(|_| track.path().to_string());
    JsonError { path: path.unwrap_or_default(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::to_protobuf;

    #[test]
    fn errors_say_where() {
        let cases = [
            (
                r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"traceId":"xyz"}]}]}]}"#,
                "resourceSpans[0].scopeSpans[0].spans[1].traceId: ",
            ),
            (
                r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":true}]}]}]}"#,
                "resourceSpans[0].scopeSpans[0].spans[0].kind: ",
            ),
            (r#"{"resourceSpans":7}"#, "resourceSpans: "),
            (r#"{"resourceSpans":[]"#, "EOF"),
            (r#"{} {}"#, "trailing characters"),
            ("", "EOF"),
            ("[]", "invalid type: sequence, expected an object"),
            (r#"{"resourceSpans":[[]]}"#, "resourceSpans[0]: invalid type: sequence"),
            (r#"{"resourceSpans":[null]}"#, "resourceSpans[0]: invalid type: null"),
        ];
        for (json, start) in cases {
            let error = to_protobuf(json.as_bytes()).expect_err(json).to_string();
            assert!(error.starts_with(start), "{json}: {error}");
            assert!(error.contains("line 1 column"), "{json}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!(
            "{}{}",
            r#"{"resourceSpans":[{"resource":{"attributes":[{"value":"#,
            r#"{"arrayValue":{"values":["#.repeat(100_000)
        );
        let error = to_protobuf(deep.as_bytes()).expect_err("too deep").to_string();
        assert!(error.contains("nested too deep"), "{error}");
    }
}
