//! The shop's page and its script, with a policy that allows WebAssembly and nothing foreign.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The routes of the page. The page is told where the collector is; its policy lets it go there and nowhere else.
pub(crate) fn routes(collector: &str, script: &Path) -> Router {
    let html = include_str!("page/index.html").replace("{collector}", collector);
    let policy = content_security_policy(collector);
    let page = get(async move || {
        let mut response = file(HTML, html.clone());
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        response
    });
    Router::new()
        .route("/", page)
        .route("/page.js", get(page_script))
        .route("/style.css", get(async || file(CSS, include_str!("page/style.css"))))
        .route("/favicon.svg", get(async || file(SVG, include_str!("page/favicon.svg"))))
        .with_state(script.to_owned())
}

/// WebAssembly needs `wasm-unsafe-eval`, and sending spans needs the collector's origin in `connect-src`: that is all an
/// application has to add to a strict policy.
fn content_security_policy(collector: &str) -> HeaderValue {
    let uri: Uri = collector.parse().unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or("http");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
         connect-src 'self' {scheme}://{authority}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // An authority that was parsed holds nothing that a header cannot.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'self'"))
}

/// Read anew for each page, so that a new build needs no new start.
async fn page_script(State(script): State<PathBuf>) -> Response {
    match tokio::fs::read(script).await {
        Ok(bytes) => file(SCRIPT, bytes),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(media_type: &'static str, content: impl Into<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content.into()).into_response()
}
