//! `POST /test`: sends requests as it is told, one after the other.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use clewline::http::{SendTraced as _, ServerLayer};
use serde::Deserialize;
use serde_json::Value;

/// A request to send.
#[derive(Debug, Deserialize)]
struct Call {
    /// Where to.
    url: String,
    /// The body, JSON.
    arguments: Value,
}

/// The service.
pub(crate) fn router() -> Router {
    Router::new().route("/test", post(test)).layer(ServerLayer::new()).with_state(client())
}

/// The addresses are the harness's own, so no proxy stands between.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap_or_default()
}

/// Answers 200 when all requests have been answered, whatever the answers were. The body is JSON whatever its content type.
async fn test(State(client): State<reqwest::Client>, body: Bytes) -> (StatusCode, String) {
    let calls: Vec<Call> = match serde_json::from_slice(&body) {
        Ok(calls) => calls,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("not an array of url and arguments: {error}")),
    };
    let mut failures = String::new();
    for Call { url, arguments } in calls {
        if let Err(error) = client.post(&url).json(&arguments).send_traced().await {
            failures += &format!("{url}: {error}\n");
        }
    }
    if failures.is_empty() { (StatusCode::OK, String::new()) } else { (StatusCode::BAD_GATEWAY, failures) }
}
