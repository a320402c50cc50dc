//! What the receiver says back: an export response or a `google.rpc.Status`, in the encoding of the request.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::protobuf::Writer;

/// The encodings of OTLP/HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// The JSON mapping of protobuf, with OTLP's exceptions.
    Json,
}

impl Encoding {
    /// Reads the `Content-Type` of a request; `None` if it is neither of the two.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }
}

/// A refused request: the HTTP status, and the sentence that says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// What was wrong, and where.
    pub(super) message: String,
}

impl Refusal {
    /// A refusal with the given status and sentence.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The `google.rpc.Code` closest to the HTTP status (googleapis `google/rpc/code.proto`).
    pub(super) fn code(&self) -> u8 {
        match self.status {
            StatusCode::REQUEST_TIMEOUT => 4,
            StatusCode::FORBIDDEN => 7,
            StatusCode::PAYLOAD_TOO_LARGE => 8,
            StatusCode::METHOD_NOT_ALLOWED => 12,
            StatusCode::INTERNAL_SERVER_ERROR => 13,
            StatusCode::SERVICE_UNAVAILABLE => 14,
            _ => 3,
        }
    }

    /// The answer, a `google.rpc.Status { code = 1, message = 2 }`.
    pub(super) fn into_response(self, encoding: Encoding) -> Response {
        #[derive(Serialize)]
        struct Status<'a> {
            code: u8,
            message: &'a str,
        }
        let body = match encoding {
            Encoding::Json => json_bytes(&Status { code: self.code(), message: &self.message }),
            Encoding::Protobuf => {
                let mut writer = Writer::default();
                writer.varint(1, u64::from(self.code()));
                writer.bytes(2, self.message.as_bytes());
                writer.into_bytes()
            }
        };
        (self.status, [(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
    }
}

/// The answer to a request that was read: an `ExportTraceServiceResponse`, empty unless spans were rejected
/// (opentelemetry-proto `docs/specification.md`, "Full Success" and "Partial Success").
pub(super) fn export_response(encoding: Encoding, rejected_spans: u64, error_message: &str) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct PartialSuccess<'a> {
        rejected_spans: String,
        error_message: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ExportTraceServiceResponse<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        partial_success: Option<PartialSuccess<'a>>,
    }
    let partial = rejected_spans > 0;
    let body = match encoding {
        Encoding::Json => json_bytes(&ExportTraceServiceResponse {
            partial_success: partial
                .then(|| PartialSuccess { rejected_spans: rejected_spans.to_string(), error_message }),
        }),
        Encoding::Protobuf => export_message(rejected_spans, error_message),
    };
    ([(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}

/// The same in protobuf, as gRPC frames it.
pub(super) fn export_message(rejected_spans: u64, error_message: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    if rejected_spans > 0 {
        writer.message(1, |partial_success| {
            partial_success.varint(1, rejected_spans);
            partial_success.bytes(2, error_message.as_bytes());
        });
    }
    writer.into_bytes()
}

/// JSON of a value whose serialisation cannot fail.
fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
