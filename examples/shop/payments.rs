//! The payment provider, played by the shop's own server: the far end of an outgoing request.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use clewline::SpanExt as _;
use serde::{Deserialize, Serialize};
use tracing::{Span, instrument, warn};

/// What the provider is asked to do.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Charge {
    /// Whose customer pays.
    pub(crate) tenant_id: String,
    /// How much.
    pub(crate) total_cents: u64,
    /// Whether the provider is to have a bad day.
    pub(crate) fails: bool,
}

/// `POST /payments/charge`.
pub(crate) async fn charge(Json(charge): Json<Charge>) -> StatusCode {
    Span::current().set_attribute("tenant_id", charge.tenant_id.as_str());
    authorize(&charge).await
}

#[instrument(name = "authorize", skip_all)]
async fn authorize(charge: &Charge) -> StatusCode {
    tokio::time::sleep(Duration::from_millis(25)).await;
    if charge.fails {
        warn!(payment.total_cents = charge.total_cents, "the bank does not answer");
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::NO_CONTENT
    }
}
