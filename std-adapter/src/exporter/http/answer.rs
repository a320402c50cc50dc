//! What each answer of a collector means (OTLP specification, "OTLP/HTTP Response").

use std::time::{Duration, SystemTime};

use crate::exporter::ExportOutcome;
use crate::exporter::response::{RpcStatus, partial_success, partial_success_json, shorten};

/// What the body of an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exporter) enum BodyKind {
    Protobuf,
    Json,
    /// Some text, such as the error page of a proxy.
    Other,
}

impl BodyKind {
    /// The kind that a `Content-Type` names.
    pub(super) fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        if is("application/x-protobuf") || is("application/protobuf") {
            Self::Protobuf
        } else if is("application/json") {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// An HTTP answer, as far as it was received.
#[derive(Debug)]
pub(in crate::exporter) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) kind: BodyKind,
    pub(super) is_too_long: bool,
    pub(super) is_complete: bool,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The outcome this answer of an OTLP receiver stands for, at the time `now`.
    pub(super) fn outcome(&self, now: SystemTime) -> ExportOutcome {
        match self.plain_outcome(now) {
            ExportOutcome::Delivered => self.partial_success().unwrap_or(ExportOutcome::Delivered),
            other => other,
        }
    }

    /// The outcome by status alone, for receivers that take all or nothing.
    pub(in crate::exporter) fn plain_outcome(&self, now: SystemTime) -> ExportOutcome {
        match self.status {
            _ if self.is_too_long => {
                ExportOutcome::Rejected { reason: format!("HTTP {}: the answer is over 4 MiB", self.status) }
            }
            200..=299 => ExportOutcome::Delivered,
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
        match self.kind {
            _ if !self.is_complete => None,
            BodyKind::Protobuf => partial_success(&self.body),
            BodyKind::Json => partial_success_json(&self.body),
            BodyKind::Other => None,
        }
    }

    /// The status code and the collector's own words: `google.rpc.Status.message`, or else the beginning of the body.
    fn reason(&self) -> String {
        let message = match self.kind {
            BodyKind::Protobuf => RpcStatus::parse(&self.body).message,
            BodyKind::Json => {
                RpcStatus::parse_json(&self.body).map_or_else(|| shorten(&self.body), |status| status.message)
            }
            BodyKind::Other => shorten(&self.body),
        };
        if message.is_empty() { format!("HTTP {}", self.status) } else { format!("HTTP {}: {message}", self.status) }
    }
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

    use super::{Answer, BodyKind, ExportOutcome, parse_retry_after};

    fn answer(status: u16, body: &[u8]) -> Answer {
        Answer {
            status,
            retry_after: None,
            kind: BodyKind::Protobuf,
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
    fn a_partial_success_is_read_by_the_kind_of_the_body() {
        let partial = ExportOutcome::PartiallyRejected { rejected: 3, message: String::new() };
        let protobuf = answer(200, b"\x0a\x02\x08\x03");
        assert_eq!(outcome(&protobuf), partial);
        let cut = Answer { is_complete: false, ..answer(200, b"\x0a\x02\x08\x03") };
        assert_eq!(outcome(&cut), ExportOutcome::Delivered);
        let page = Answer { kind: BodyKind::Other, ..answer(200, b"\x0a\x02\x08\x03") };
        assert_eq!(outcome(&page), ExportOutcome::Delivered);
        let json = Answer { kind: BodyKind::Json, ..answer(200, br#"{"partialSuccess":{"rejectedSpans":"3"}}"#) };
        assert_eq!(outcome(&json), partial);
        assert_eq!(json.plain_outcome(SystemTime::UNIX_EPOCH), ExportOutcome::Delivered);
    }

    #[test]
    fn content_types_are_read_without_their_parameters() {
        let table = [
            ("application/x-protobuf", BodyKind::Protobuf),
            ("Application/Json; charset=utf-8", BodyKind::Json),
            ("application/json ", BodyKind::Json),
            ("text/html", BodyKind::Other),
            ("application/jsonp", BodyKind::Other),
            ("", BodyKind::Other),
        ];
        for (text, kind) in table {
            assert_eq!(BodyKind::of(text), kind, "{text}");
        }
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
        let text = Answer { kind: BodyKind::Other, ..answer(413, "é".repeat(5000).as_bytes()) };
        assert_eq!(reason(&text), format!("HTTP 413: {}", "é".repeat(256)));
        let json = Answer { kind: BodyKind::Json, ..answer(400, br#"{"code":3,"message":"bad span"}"#) };
        assert_eq!(reason(&json), "HTTP 400: bad span");
        let odd = Answer { kind: BodyKind::Json, ..answer(400, br#"["bad"]"#) };
        assert_eq!(reason(&odd), r#"HTTP 400: ["bad"]"#);
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
