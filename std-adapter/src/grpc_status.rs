//! The status of a gRPC call, which the exporter obeys and the layers record (gRPC, "Status codes and their use in gRPC").

use http::{HeaderMap, StatusCode};

/// The names of the status codes, by number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A status code that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GrpcStatus(u8);

#[cfg_attr(not(feature = "otlp-grpc"), expect(dead_code, reason = "the exporter alone asks for some of them"))]
impl GrpcStatus {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const ABORTED: Self = Self(10);
    pub(crate) const OUT_OF_RANGE: Self = Self(11);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const DATA_LOSS: Self = Self(15);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// What headers or trailers hold: `None` if they hold none, and UNKNOWN for what is no code that exists.
    pub(crate) fn read(fields: &HeaderMap) -> Option<Self> {
        let text = fields.get("grpc-status")?.as_bytes();
        let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let number = str::from_utf8(text).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
        Some(number.filter(|number| usize::from(*number) < NAMES.len()).map_or(Self::UNKNOWN, Self))
    }

    /// The status of an answer that has none, as one that never reached a gRPC server (gRPC, "HTTP to gRPC Status Code Mapping").
    pub(crate) fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

    use super::GrpcStatus;

    #[test]
    fn statuses_are_read_by_number() {
        for (value, expected) in [
            ("0", "OK"),
            ("16", "UNAUTHENTICATED"),
            ("17", "UNKNOWN"),
            ("-1", "UNKNOWN"),
            ("+1", "UNKNOWN"),
            ("300", "UNKNOWN"),
            ("", "UNKNOWN"),
            ("x", "UNKNOWN"),
        ] {
            let fields =
                HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static(value))]);
            assert_eq!(GrpcStatus::read(&fields).map(GrpcStatus::name), Some(expected), "{value:?}");
        }
        assert_eq!(GrpcStatus::read(&HeaderMap::new()), None);
    }

    #[test]
    fn http_stands_in_for_a_missing_status() {
        for (status, expected) in [
            (400, "INTERNAL"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "UNIMPLEMENTED"),
            (429, "UNAVAILABLE"),
            (502, "UNAVAILABLE"),
            (503, "UNAVAILABLE"),
            (504, "UNAVAILABLE"),
            (500, "UNKNOWN"),
            (200, "UNKNOWN"),
        ] {
            assert_eq!(GrpcStatus::of_http(StatusCode::from_u16(status).unwrap()).name(), expected, "{status}");
        }
    }
}
