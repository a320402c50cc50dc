//! What each answer of a collector means (OTLP specification, "OTLP/HTTP Response").

use std::time::{Duration, SystemTime};

use crate::exporter::ExportOutcome;
use crate::exporter::wire::{Fields, Value};

/// The longest explanation that is passed on, in characters.
const LONGEST_MESSAGE: usize = 256;

/// An HTTP answer, as far as it was received.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// The body says it is protobuf, or says nothing.
    pub(super) is_protobuf: bool,
    pub(super) is_too_long: bool,
    pub(super) is_complete: bool,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The outcome this answer stands for, at the time `now`.
    pub(super) fn outcome(&self, now: SystemTime) -> ExportOutcome {
        match self.status {
            _ if self.is_too_long => {
                ExportOutcome::Rejected { reason: format!("HTTP {}: the answer is over 4 MiB", self.status) }
            }
            200..=299 => self.partial_success().unwrap_or(ExportOutcome::Delivered),
            429 | 502..=504 => ExportOutcome::Retryable {
                after: self.retry_after.as_deref().and_then(|text| parse_retry_after(text, now)),
                reason: self.reason(),
            },
            300..=399 => ExportOutcome::Rejected { reason: format!("{}; redirects are not followed", self.reason()) },
            _ => ExportOutcome::Rejected { reason: self.reason() },
        }
    }

    /// `ExportTraceServiceResponse.partial_success`, if it says anything. A body that cannot be read says nothing.
    fn partial_success(&self) -> Option<ExportOutcome> {
        if !self.is_protobuf || !self.is_complete {
            return None;
        }
        let partial = fields(&self.body)?.into_iter().find_map(|(number, value)| match value {
            Value::Bytes(message) if number == 1 => Some(message),
            _ => None,
        })?;
        let (mut rejected, mut message) = (0, String::new());
        for (number, value) in fields(partial)? {
            match (number, value) {
                // An int64; a negative count is nonsense and counts as none.
                (1, Value::Varint(count)) => rejected = u64::try_from(count.cast_signed()).unwrap_or(0),
                (2, Value::Bytes(text)) => message = shorten(text),
                _ => {}
            }
        }
        (rejected > 0 || !message.is_empty()).then_some(ExportOutcome::PartiallyRejected { rejected, message })
    }

    /// The status code and the collector's own words: `google.rpc.Status.message`, or else the beginning of the body.
    fn reason(&self) -> String {
        let message = if self.is_protobuf { status_message(&self.body) } else { Some(shorten(&self.body)) };
        match message.filter(|message| !message.is_empty()) {
            Some(message) => format!("HTTP {}: {message}", self.status),
            None => format!("HTTP {}", self.status),
        }
    }
}

/// The `message` field of an encoded `google.rpc.Status`.
fn status_message(body: &[u8]) -> Option<String> {
    fields(body)?.into_iter().find_map(|(number, value)| match value {
        Value::Bytes(text) if number == 2 => Some(shorten(text)),
        _ => None,
    })
}

/// All fields of a message, or `None` if it is not protobuf to its end.
fn fields(message: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut fields = Fields::new(message);
    let list = fields.by_ref().map(|field| (field.number, field.value)).collect();
    fields.rest().is_empty().then_some(list)
}

/// Text fit for one line of a log: no control characters, and not longer than needed.
fn shorten(text: &[u8]) -> String {
    // Four bytes a character at most, so this never cuts off a character that would be shown.
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * LONGEST_MESSAGE)]);
    let clean = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    clean.take(LONGEST_MESSAGE).collect::<String>().trim().to_owned()
}

/// `Retry-After` in both its forms: seconds, or a date (RFC 9110, section 10.2.3). A date that has passed is no wait.
fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are still "very long".
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Answer, ExportOutcome, parse_retry_after};

    fn answer(status: u16, body: &[u8]) -> Answer {
        Answer {
            status,
            retry_after: None,
            is_protobuf: true,
            is_too_long: false,
            is_complete: true,
            body: body.to_vec(),
        }
    }

    fn outcome(answer: &Answer) -> ExportOutcome {
        answer.outcome(SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn every_status_is_retried_or_not_as_the_specification_says() {
        for status in [429, 502, 503, 504] {
            assert!(matches!(outcome(&answer(status, b"")), ExportOutcome::Retryable { .. }), "{status}");
        }
        for status in (300..600).filter(|status| ![429, 502, 503, 504].contains(status)) {
            assert!(matches!(outcome(&answer(status, b"")), ExportOutcome::Rejected { .. }), "{status}");
        }
        for status in [200, 202, 204] {
            assert_eq!(outcome(&answer(status, b"")), ExportOutcome::Delivered);
        }
    }

    #[test]
    fn a_partial_success_is_read_and_an_unreadable_body_is_a_success() {
        let partial = |rejected, message: &str| ExportOutcome::PartiallyRejected { rejected, message: message.into() };
        let table: [(&[u8], ExportOutcome); 8] = [
            (b"\x0a\x05\x08\x03\x12\x01x", partial(3, "x")),
            (b"\x0a\x02\x08\x03", partial(3, "")),
            (b"\x0a\x03\x12\x01x", partial(0, "x")),
            (b"\x0a\x00", ExportOutcome::Delivered),
            (b"\x0a\x02\x08\x00", ExportOutcome::Delivered),
            (b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ExportOutcome::Delivered),
            (b"\x0a\x7f\x08\x03", ExportOutcome::Delivered),
            (b"<html>", ExportOutcome::Delivered),
        ];
        for (body, expected) in table {
            assert_eq!(outcome(&answer(200, body)), expected, "{body:x?}");
        }
        let cut = Answer { is_complete: false, ..answer(200, b"\x0a\x02\x08\x03") };
        assert_eq!(outcome(&cut), ExportOutcome::Delivered);
        let json = Answer { is_protobuf: false, ..answer(200, b"\x0a\x02\x08\x03") };
        assert_eq!(outcome(&json), ExportOutcome::Delivered);
    }

    #[test]
    fn the_collectors_words_are_passed_on_in_one_short_line() {
        let reason = |answer: &Answer| match outcome(answer) {
            ExportOutcome::Rejected { reason } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&answer(400, b"\x08\x03\x12\x09bad\r\nspan")), "HTTP 400: bad  span");
        assert_eq!(reason(&answer(400, b"\xff\xff")), "HTTP 400");
        assert_eq!(reason(&answer(404, b"")), "HTTP 404");
        let text = Answer { is_protobuf: false, ..answer(413, "é".repeat(5000).as_bytes()) };
        assert_eq!(reason(&text), format!("HTTP 413: {}", "é".repeat(256)));
        assert_eq!(reason(&answer(307, b"")), "HTTP 307; redirects are not followed");
        let long = Answer { is_too_long: true, ..answer(503, b"") };
        assert_eq!(reason(&long), "HTTP 503: the answer is over 4 MiB");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let table = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_retry_after(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
