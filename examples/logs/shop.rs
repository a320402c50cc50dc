//! The program's work: async, on several threads, logged through `tracing`, through the `log` crate and by `trace_log!`.

use std::time::Duration;

use tracing::{Instrument as _, info, info_span, instrument, warn};

/// Sells a cart.
#[instrument]
pub(crate) async fn checkout(cart: u64) {
    info!("checking out");
    let payment = tokio::spawn(charge(cart).instrument(info_span!("charge", otel.kind = "client")));
    reserve(cart).await;
    if payment.await.is_err() {
        warn!("the payment went wrong");
    }
    log::info!("cart {cart} is sold"); // as a library would, that knows nothing of tracing
}

#[instrument]
async fn reserve(cart: u64) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    info!(items = 3, "reserved");
}

async fn charge(cart: u64) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    clewline::trace_log!(warn, "the bank took its time for cart {cart}");
}
