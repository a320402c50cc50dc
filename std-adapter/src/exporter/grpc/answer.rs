//! What each answer of a collector means (OTLP specification, "OTLP/gRPC Response" and "Failures").

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, StatusCode};

use super::message::unframe;
use crate::exporter::ExportOutcome;
use crate::exporter::response::{RpcStatus, partial_success, shorten};
use crate::grpc_status::GrpcStatus;
use crate::propagation::decoded;

/// Binary metadata comes with padding or without (gRPC over HTTP/2, "Requests").
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether the same request may succeed later, by the code alone.
const fn is_retryable(code: GrpcStatus) -> bool {
    matches!(
        code,
        GrpcStatus::CANCELLED
            | GrpcStatus::DEADLINE_EXCEEDED
            | GrpcStatus::ABORTED
            | GrpcStatus::OUT_OF_RANGE
            | GrpcStatus::UNAVAILABLE
            | GrpcStatus::DATA_LOSS
    )
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    code: GrpcStatus,
    /// `None`: the HTTP status stood in for the code.
    http: Option<StatusCode>,
    status: RpcStatus,
    body: Vec<u8>,
}

impl Answer {
    /// Reads headers, body and trailers of an answer. Without a body, the headers may be the trailers.
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, trailers: Option<&HeaderMap>, body: Vec<u8>) -> Self {
        let read = |fields| GrpcStatus::read(fields).map(|code| (code, fields));
        match trailers.into_iter().chain([headers]).find_map(read) {
            Some((code, fields)) => Self { code, http: None, status: status_of(fields), body },
            None => Self { code: GrpcStatus::of_http(status), http: Some(status), status: RpcStatus::default(), body },
        }
    }

    pub(super) fn outcome(self) -> ExportOutcome {
        if self.code == GrpcStatus::OK && self.http.is_none() {
            // A message that cannot be read says nothing.
            return unframe(&self.body).and_then(partial_success).unwrap_or(ExportOutcome::Delivered);
        }
        let after = self.status.retry_delay;
        let reason = self.reason();
        // A collector that is only busy for now says so with a delay.
        if is_retryable(self.code) || (self.code == GrpcStatus::RESOURCE_EXHAUSTED && after.is_some()) {
            ExportOutcome::Retryable { after, reason }
        } else {
            ExportOutcome::Rejected { reason }
        }
    }

    fn reason(&self) -> String {
        let code = self.code.name();
        match self.http {
            Some(StatusCode::OK) => format!("gRPC {code}: the answer has no grpc-status"),
            Some(http) => format!("gRPC {code}: HTTP {} without a grpc-status", http.as_u16()),
            None if self.status.message.is_empty() => format!("gRPC {code}"),
            None => format!("gRPC {code}: {}", self.status.message),
        }
    }
}

/// Message and delay: of the details where they are, which hold the message too.
fn status_of(fields: &HeaderMap) -> RpcStatus {
    let details = fields.get("grpc-status-details-bin").and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let mut status = RpcStatus::parse(&details.unwrap_or_default());
    // Percent-encoded (gRPC over HTTP/2, "Responses").
    if let Some(message) = fields.get("grpc-message") {
        status.message = shorten(decoded(message.as_bytes()).as_bytes());
    }
    status
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::{Answer, ExportOutcome};

    fn trailers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn outcome(fields: &[(&'static str, &'static str)], body: &[u8]) -> ExportOutcome {
        Answer::new(StatusCode::OK, &HeaderMap::new(), Some(&trailers(fields)), body.to_vec()).outcome()
    }

    #[test]
    fn every_code_is_retried_or_not_as_the_specification_says() {
        const CODES: [&str; 22] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "x",
            "+14", "", " 14",
        ];
        for (number, code) in CODES.into_iter().enumerate() {
            let outcome = outcome(&[("grpc-status", code)], b"");
            match number {
                0 => assert_eq!(outcome, ExportOutcome::Delivered),
                1 | 4 | 10 | 11 | 14 | 15 => {
                    assert!(matches!(outcome, ExportOutcome::Retryable { after: None, .. }), "{code}");
                }
                _ => assert!(matches!(outcome, ExportOutcome::Rejected { .. }), "{code}"),
            }
        }
    }

    #[test]
    fn a_retry_delay_is_waited_for_and_makes_exhaustion_pass() {
        // code 14, message "busy", and a RetryInfo of 1.5 s, with padding and without.
        const DETAILS: [&str; 2] = [
            "CA4SBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ==",
            "CA4SBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ",
        ];
        for details in DETAILS {
            for (code, name) in [("14", "UNAVAILABLE"), ("8", "RESOURCE_EXHAUSTED")] {
                assert_eq!(
                    outcome(&[("grpc-status", code), ("grpc-status-details-bin", details)], b""),
                    ExportOutcome::Retryable {
                        after: Some(Duration::from_millis(1500)),
                        reason: format!("gRPC {name}: busy")
                    }
                );
            }
            let refused = outcome(&[("grpc-status", "3"), ("grpc-status-details-bin", details)], b"");
            assert_eq!(refused, ExportOutcome::Rejected { reason: "gRPC INVALID_ARGUMENT: busy".to_owned() });
        }
        let damaged = outcome(&[("grpc-status", "8"), ("grpc-status-details-bin", "!!!")], b"");
        assert!(matches!(damaged, ExportOutcome::Rejected { .. }), "{damaged:?}");
    }

    #[test]
    fn a_partial_success_is_read_from_its_frame() {
        let partial = ExportOutcome::PartiallyRejected { rejected: 3, message: String::new() };
        let table: [(&[u8], ExportOutcome); 5] = [
            (b"\0\0\0\0\x04\x0a\x02\x08\x03", partial),
            (b"\0\0\0\0\0", ExportOutcome::Delivered),
            (b"", ExportOutcome::Delivered),
            (b"\x01\0\0\0\x04\x0a\x02\x08\x03", ExportOutcome::Delivered),
            (b"\0\0\0\0\x05\x0a\x02\x08\x03", ExportOutcome::Delivered),
        ];
        for (body, expected) in table {
            assert_eq!(outcome(&[("grpc-status", "0")], body), expected, "{body:x?}");
        }
    }

    #[test]
    fn headers_stand_in_for_trailers_and_http_for_a_missing_code() {
        let headers = trailers(&[("grpc-status", "5"), ("grpc-message", "no%20such service")]);
        let answer = Answer::new(StatusCode::OK, &headers, None, Vec::new());
        assert_eq!(answer.outcome(), ExportOutcome::Rejected { reason: "gRPC NOT_FOUND: no such service".to_owned() });
        for (status, retry) in [(200, false), (400, false), (404, false), (429, true), (500, false), (503, true)] {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = Answer::new(status, &HeaderMap::new(), None, Vec::new()).outcome();
            assert_eq!(matches!(outcome, ExportOutcome::Retryable { .. }), retry, "{status}");
            assert_eq!(matches!(outcome, ExportOutcome::Rejected { .. }), !retry, "{status}");
        }
    }
}
