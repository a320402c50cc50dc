//! The viewer's files, part of the binary, and the headers that keep the page from doing anything else.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Only what this server itself serves: no inline script or style, no other origin, no frame around the page.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, media type and content of every file.
const FILES: [(&str, &str, &str); 13] = [
    ("/", HTML, include_str!("viewer/index.html")),
    ("/style.css", CSS, include_str!("viewer/style.css")),
    ("/favicon.svg", SVG, include_str!("viewer/favicon.svg")),
    ("/app.js", SCRIPT, include_str!("viewer/app.js")),
    ("/api.js", SCRIPT, include_str!("viewer/api.js")),
    ("/colour.js", SCRIPT, include_str!("viewer/colour.js")),
    ("/details.js", SCRIPT, include_str!("viewer/details.js")),
    ("/dom.js", SCRIPT, include_str!("viewer/dom.js")),
    ("/format.js", SCRIPT, include_str!("viewer/format.js")),
    ("/list.js", SCRIPT, include_str!("viewer/list.js")),
    ("/route.js", SCRIPT, include_str!("viewer/route.js")),
    ("/trace.js", SCRIPT, include_str!("viewer/trace.js")),
    ("/waterfall.js", SCRIPT, include_str!("viewer/waterfall.js")),
];

/// The routes of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.into_iter().fold(Router::new(), |router, (path, media_type, content)| {
        router.route(path, get(async move || file(media_type, content)))
    })
}

fn file(media_type: &'static str, content: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // The next version of the binary brings other files under the same names.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, content).into_response()
}
