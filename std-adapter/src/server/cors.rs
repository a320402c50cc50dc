//! Cross-origin rules of the receiver: which web pages may send spans here (Fetch standard, "CORS protocol").
//!
//! Only `/v1/traces` answers other origins. The query API does not, so a foreign page can give spans but never read them.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The request headers allowed when a preflight does not name any.
const DEFAULT_ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, content-encoding, traceparent, tracestate, baggage");

/// How long a browser may remember a preflight, in seconds; browsers cap it themselves (Chromium at two hours).
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The admitted origins of the receiver.
#[derive(Clone, Debug)]
pub(super) struct Cors {
    allowed_origins: Vec<String>,
}

impl Cors {
    /// Rules that admit the given origins, or every origin when the list is empty.
    pub(super) fn new(allowed_origins: &[String]) -> Self {
        Self { allowed_origins: allowed_origins.iter().map(|origin| normalised(origin)).collect() }
    }

    /// Whether a request with these headers may pass: it comes from no page at all, or from an admitted one.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        self.allowed_origins.is_empty()
            || origin.to_str().is_ok_and(|origin| self.allowed_origins.contains(&normalised(origin)))
    }

    /// Answers a preflight: 204 with the permissions, or without them (which makes the browser refuse) for a stranger.
    pub(super) fn preflight(&self, request: &HeaderMap) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        self.mark(request, response.headers_mut());
        if !self.admits(request) {
            return response;
        }
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        // Whatever the page's exporter was configured to send (an API key, say) is harmless here: nothing reads it.
        let requested = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.unwrap_or(DEFAULT_ALLOWED_HEADERS));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        // Chromium asks this when a public page calls a loopback address (WICG Private Network Access, section 3.1).
        if request.contains_key(REQUEST_PRIVATE_NETWORK) {
            headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        response
    }

    /// Adds to an answer what lets the asking page read it.
    ///
    /// The origin is repeated rather than answered with `*`, and credentials are allowed, because `sendBeacon` always
    /// sends with credentials and browsers refuse `*` then. There are no cookies here that could be abused.
    pub(super) fn mark(&self, request: &HeaderMap, response: &mut HeaderMap) {
        response.append(header::VARY, HeaderValue::from_static("origin, access-control-request-headers"));
        if !self.admits(request) {
            return;
        }
        if let Some(origin) = request.get(header::ORIGIN) {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Origins are compared without regard to case and without a closing slash, as people write them.
fn normalised(origin: &str) -> String {
    origin.trim_end_matches('/').to_ascii_lowercase()
}
