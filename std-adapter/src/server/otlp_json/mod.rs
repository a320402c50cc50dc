//! OTLP/JSON turned into OTLP protobuf, so that behind the receiver there is only one form.
//!
//! The rules are the JSON mapping of protobuf with OTLP's exceptions (opentelemetry-proto `docs/specification.md`,
//! "JSON Protobuf Encoding"): lowerCamelCase names, ids in hex of any case, enums as integers, 64-bit integers as
//! numbers or strings, unknown fields ignored. `null` stands for "not set" everywhere, as the mapping says.

mod model;
mod scalar;
mod value;
mod write;

use std::fmt;

use super::protobuf::Writer;

/// A JSON body that is not an export request: the place and the reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonError {
    path: String,
    reason: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" | "." | "?" => write!(formatter, "{}", self.reason),
            path => write!(formatter, "{path}: {}", self.reason),
        }
    }
}

/// Turns a JSON `ExportTraceServiceRequest` into the same message in protobuf.
pub(super) fn to_protobuf(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    // Checked as a whole, because the content of unknown fields is skipped unread.
    let json =
        std::str::from_utf8(json).map_err(|error| JsonError { path: String::new(), reason: error.to_string() })?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let request: Option<model::Request<'_>> = scalar::object(&mut deserializer)
        .and_then(|request| deserializer.end().map(|()| request))
        .map_err(|error| located(json, &error))?;
    let mut writer = Writer::default();
    request.unwrap_or_default().write(&mut writer);
    Ok(writer.into_bytes())
}

/// Reads the body a second time, keeping track of the path, which the first and usually only pass does not pay for.
fn located(json: &str, error: &serde_json::Error) -> JsonError {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    // What follows the message may be at fault, not the message: then there is no place in it.
    let path = scalar::object::<_, model::Request<'_>>(tracked).err().map(|_| track.path().to_string());
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
        assert!(error.contains("recursion limit"), "{error}");
    }
}
