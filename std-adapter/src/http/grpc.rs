//! What gRPC puts into HTTP: methods in paths, statuses in trailers (gRPC over HTTP2; semantic conventions, "gRPC").

use clewline_core::Status;
use http::{HeaderMap, StatusCode, header};
use tracing::Span;

use super::exchange::Side;
use crate::SpanExt as _;
use crate::propagation::decoded;

const CONTENT_TYPE: &str = "application/grpc";

/// The names of the status codes, by number (gRPC, "Status codes and their use in gRPC").
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

const OK: usize = 0;
pub(super) const CANCELLED: usize = 1;
pub(super) const UNKNOWN: usize = 2;
const PERMISSION_DENIED: usize = 7;
const UNIMPLEMENTED: usize = 12;
const INTERNAL: usize = 13;
const UNAVAILABLE: usize = 14;
const UNAUTHENTICATED: usize = 16;

/// What is an error on a server: its own failures, not its clients' (semantic conventions, "gRPC: span status").
const SERVER_ERRORS: [usize; 6] = [UNKNOWN, 4, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, 15];

/// Whether a request is a gRPC call: `application/grpc`, with a suffix or parameters or not, but not `application/grpc-web`.
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let rest = value.as_bytes().split_at_checked(CONTENT_TYPE.len());
    rest.is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes()) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
    })
}

/// `package.Service/Method`, from the path.
pub(super) fn method(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// The status that headers or trailers hold: its number, or `None` if they hold none. One that cannot be read is UNKNOWN.
pub(super) fn status(headers: &HeaderMap) -> Option<usize> {
    let value = headers.get("grpc-status")?;
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    Some(number.filter(|number| *number < NAMES.len()).unwrap_or(UNKNOWN))
}

/// The status of a response that is none of gRPC's (gRPC, "HTTP to gRPC Status Code Mapping").
pub(super) const fn status_of_http(status: StatusCode) -> usize {
    match status.as_u16() {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// Records how a call ended.
pub(super) fn record(span: &Span, side: Side, status: usize, headers: Option<&HeaderMap>) {
    let Some(name) = NAMES.get(status) else { return };
    span.set_attribute("rpc.response.status_code", *name);
    let is_error = match side {
        Side::Client => status != OK,
        Side::Server => SERVER_ERRORS.contains(&status),
    };
    if is_error {
        span.set_attribute("error.type", *name);
        let message = headers.and_then(|headers| headers.get("grpc-message"));
        // Percent-encoded (gRPC over HTTP2, "Status-Message").
        let message = message.map(|message| decoded(message.as_bytes())).unwrap_or_default();
        span.set_status(Status::error(&message));
    }
}

/// Hides a method that the server does not know, or perhaps does not: a stranger cannot make up names without end (semantic
/// conventions, "rpc.method").
pub(super) fn hide_unknown_method(span: &Span, status: usize, method: &str) {
    if status == UNIMPLEMENTED {
        span.set_name("grpc");
        span.set_attribute("rpc.method", "_OTHER");
        span.set_attribute("rpc.method_original", method);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn calls_are_known_by_their_content_type() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC; a=b", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_call(&headers("content-type", value)), expected, "{value}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }

    #[test]
    fn statuses_are_read_by_number() {
        for (value, expected) in
            [("0", "OK"), ("16", "UNAUTHENTICATED"), ("17", "UNKNOWN"), ("-1", "UNKNOWN"), ("x", "UNKNOWN")]
        {
            assert_eq!(status(&headers("grpc-status", value)).map(|number| NAMES[number]), Some(expected), "{value}");
        }
        assert_eq!(status(&HeaderMap::new()), None);
    }
}
