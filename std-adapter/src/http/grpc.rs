//! What gRPC puts into HTTP: methods in paths, statuses in trailers (gRPC over HTTP2; semantic conventions, "gRPC").

use clewline_core::Status;
use http::{HeaderMap, header};
use tracing::Span;

use super::exchange::Side;
use crate::SpanExt as _;
use crate::grpc_status::GrpcStatus;
use crate::propagation::decoded;

const CONTENT_TYPE: &str = "application/grpc";

/// What is an error on a server: its own failures, not its clients' (semantic conventions, "gRPC: span status").
const SERVER_ERRORS: [GrpcStatus; 6] = [
    GrpcStatus::UNKNOWN,
    GrpcStatus::DEADLINE_EXCEEDED,
    GrpcStatus::UNIMPLEMENTED,
    GrpcStatus::INTERNAL,
    GrpcStatus::UNAVAILABLE,
    GrpcStatus::DATA_LOSS,
];

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

/// Records how a call ended.
pub(super) fn record(span: &Span, side: Side, status: GrpcStatus, headers: Option<&HeaderMap>) {
    let name = status.name();
    span.set_attribute("rpc.response.status_code", name);
    let is_error = match side {
        Side::Client => status != GrpcStatus::OK,
        Side::Server => SERVER_ERRORS.contains(&status),
    };
    if is_error {
        span.set_attribute("error.type", name);
        let message = headers.and_then(|headers| headers.get("grpc-message"));
        // Percent-encoded (gRPC over HTTP2, "Status-Message").
        let message = message.map(|message| decoded(message.as_bytes())).unwrap_or_default();
        span.set_status(Status::error(&message));
    }
}

/// Hides a method that the server does not know, or perhaps does not: a stranger cannot make up names without end (semantic
/// conventions, "rpc.method").
pub(super) fn hide_unknown_method(span: &Span, status: GrpcStatus, method: &str) {
    if status == GrpcStatus::UNIMPLEMENTED {
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
}
