//! What the messages in a collector's answer say: `ExportTraceServiceResponse` and `google.rpc.Status`, as protobuf or JSON.

use std::time::Duration;

use super::ExportOutcome;
#[cfg(feature = "otlp-http")]
use super::partial_success::outcome;
use super::partial_success::{bytes, fields};
pub(super) use super::partial_success::{partial_success, shorten};
use super::wire::{Fields, Value};

/// Answers over this size are an error that is not retried (OTLP specification, "Response size limit").
pub(super) const RESPONSE_LIMIT: usize = 4 << 20;
/// The form that `protocol/exporter.md`, "User Agent", asks for.
pub(super) const USER_AGENT: &str = concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// The same of a JSON answer.
#[cfg(feature = "otlp-http")]
pub(super) fn partial_success_json(response: &[u8]) -> Option<ExportOutcome> {
    let response: serde_json::Value = serde_json::from_slice(response).ok()?;
    let partial = response.get("partialSuccess")?;
    // A 64-bit integer: a decimal text, or a number from a lenient writer.
    let rejected = match partial.get("rejectedSpans") {
        Some(serde_json::Value::String(digits)) => digits.parse().unwrap_or(0),
        Some(number) => number.as_u64().unwrap_or(0),
        None => 0,
    };
    let message = partial.get("errorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
    outcome(rejected, shorten(message.as_bytes()))
}

/// A `google.rpc.Status`, as far as it concerns us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RpcStatus {
    /// The explanation, in one short line; empty if there is none.
    pub(super) message: String,
    /// `google.rpc.RetryInfo.retry_delay` among the details.
    pub(super) retry_delay: Option<Duration>,
}

impl RpcStatus {
    /// Reads the message; of one that is malformed, what comes before the damage.
    pub(super) fn parse(status: &[u8]) -> Self {
        let mut parsed = Self::default();
        for field in Fields::new(status) {
            match (field.number, field.value) {
                (2, Value::Bytes(text)) => parsed.message = shorten(text),
                (3, Value::Bytes(any)) => parsed.retry_delay = parsed.retry_delay.or_else(|| retry_info(any)),
                _ => {}
            }
        }
        parsed
    }

    /// Reads the JSON form. Delays are not looked for: over HTTP, `Retry-After` says them.
    #[cfg(feature = "otlp-http")]
    pub(super) fn parse_json(status: &[u8]) -> Option<Self> {
        let status: serde_json::Value = serde_json::from_slice(status).ok()?;
        let message = shorten(status.get("message")?.as_str()?.as_bytes());
        Some(Self { message, retry_delay: None })
    }
}

/// The delay of a `google.protobuf.Any` that holds a `google.rpc.RetryInfo`.
fn retry_info(any: &[u8]) -> Option<Duration> {
    let (mut kind, mut value) = (&[][..], &[][..]);
    for (number, content) in fields(any)? {
        kind = bytes(number, content, 1).unwrap_or(kind);
        value = bytes(number, content, 2).unwrap_or(value);
    }
    // Only what follows the last slash names the type (`google/protobuf/any.proto`).
    if kind.rsplit(|byte| *byte == b'/').next() != Some(b"google.rpc.RetryInfo") {
        return None;
    }
    // Of a message field that comes twice the parts are merged; the last one has all that matters here.
    let delay = fields(value)?.into_iter().filter_map(|(number, value)| bytes(number, value, 1)).next_back();
    let (mut seconds, mut nanos) = (0, 0);
    for (number, value) in fields(delay.unwrap_or_default())? {
        match (number, value) {
            (1, Value::Varint(value)) => seconds = value.cast_signed(),
            (2, Value::Varint(value)) => nanos = value.cast_signed(),
            _ => {}
        }
    }
    // A negative delay asks for none.
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let nanos = u32::try_from(nanos).unwrap_or(0).min(999_999_999);
    Some(Duration::new(seconds, nanos))
}

/// Says in the outcome which collector it was.
pub(super) fn with_address(outcome: ExportOutcome, url: &str) -> ExportOutcome {
    match outcome {
        ExportOutcome::Rejected { reason } => ExportOutcome::Rejected { reason: format!("{url}: {reason}") },
        ExportOutcome::Retryable { after, reason } => {
            ExportOutcome::Retryable { after, reason: format!("{url}: {reason}") }
        }
        ExportOutcome::PartiallyRejected { rejected, message } => {
            let message = if message.is_empty() { "no reason given" } else { &message };
            ExportOutcome::PartiallyRejected { rejected, message: format!("{url}: {message}") }
        }
        ExportOutcome::Delivered | ExportOutcome::TooLarge { .. } => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ExportOutcome, RpcStatus, partial_success};
    use crate::exporter::wire::write_field;

    #[test]
    fn a_partial_success_is_read_where_it_says_something() {
        let partial =
            |rejected, message: &str| Some(ExportOutcome::PartiallyRejected { rejected, message: message.into() });
        let table: [(&[u8], Option<ExportOutcome>); 9] = [
            (b"\x0a\x05\x08\x03\x12\x01x", partial(3, "x")),
            (b"\x0a\x02\x08\x03", partial(3, "")),
            (b"\x0a\x03\x12\x01x", partial(0, "x")),
            (b"\x0a\x00", None),
            (b"\x0a\x02\x08\x00", None),
            (b"", None),
            (b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x0a\x7f\x08\x03", None),
            (b"<html>", None),
        ];
        for (body, expected) in table {
            assert_eq!(partial_success(body), expected, "{body:x?}");
        }
    }

    #[cfg(feature = "otlp-http")]
    #[test]
    fn json_says_the_same() {
        use super::partial_success_json;
        let partial =
            |rejected, message: &str| Some(ExportOutcome::PartiallyRejected { rejected, message: message.into() });
        let table = [
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#, partial(3, "x")),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, partial(3, "")),
            (r#"{"partialSuccess":{"errorMessage":"x"},"more":[]}"#, partial(0, "x")),
            (r#"{"partialSuccess":{}}"#, None),
            (r#"{"partialSuccess":{"rejectedSpans":"-3"}}"#, None),
            (r#"{"partialSuccess":null}"#, None),
            ("{}", None),
            ("", None),
            ("[", None),
        ];
        for (body, expected) in table {
            assert_eq!(partial_success_json(body.as_bytes()), expected, "{body}");
        }
        let message = |json: &str| RpcStatus::parse_json(json.as_bytes()).map(|status| status.message);
        assert_eq!(message(r#"{"code":3,"message":"bad\nspan","details":[]}"#), Some("bad span".to_owned()));
        assert_eq!(message(r#"{"code":3}"#), None);
        assert_eq!(message("<html>"), None);
    }

    /// A `google.rpc.Status` whose only detail has this type and value.
    fn status(kind: &[u8], value: &[u8]) -> Vec<u8> {
        let (mut any, mut status) = (Vec::new(), vec![0x08, 14]);
        write_field(&mut any, 1, kind);
        write_field(&mut any, 2, value);
        write_field(&mut status, 2, b"busy");
        write_field(&mut status, 3, &any);
        status
    }

    #[test]
    fn a_refusal_without_a_word_still_reads_as_one() {
        let refused = |message: &str| ExportOutcome::PartiallyRejected { rejected: 1, message: message.to_owned() };
        assert_eq!(super::with_address(refused(""), "http://h"), refused("http://h: no reason given"));
        assert_eq!(super::with_address(refused("x"), "http://h"), refused("http://h: x"));
    }

    #[test]
    fn a_retry_delay_is_found_among_the_details() {
        const KIND: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";
        let delay = |kind, value| RpcStatus::parse(&status(kind, value)).retry_delay;
        assert_eq!(delay(KIND, b"\x0a\x02\x08\x02"), Some(Duration::from_secs(2)));
        assert_eq!(delay(KIND, b"\x0a\x06\x10\x80\xca\xb5\xee\x01"), Some(Duration::from_millis(500)));
        assert_eq!(delay(KIND, b""), Some(Duration::ZERO), "an empty RetryInfo is one");
        assert_eq!(delay(KIND, b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Some(Duration::ZERO));
        assert_eq!(delay(b"example.com/x/google.rpc.RetryInfo", b"\x0a\x02\x08\x02"), Some(Duration::from_secs(2)));
        assert_eq!(delay(b"type.googleapis.com/google.rpc.DebugInfo", b"\x0a\x02\x08\x02"), None);
        assert_eq!(delay(KIND, b"\x0a\x7f"), None, "damaged");

        let mut two = status(b"type.googleapis.com/google.rpc.DebugInfo", b"");
        two.extend(status(KIND, b"\x0a\x02\x08\x07"));
        assert_eq!(
            RpcStatus::parse(&two),
            RpcStatus { message: "busy".to_owned(), retry_delay: Some(Duration::from_secs(7)) }
        );
        assert_eq!(RpcStatus::parse(b"\xff\xff"), RpcStatus::default());
    }
}
