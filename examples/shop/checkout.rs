//! `GET /api/cart` and `POST /api/checkout`: what page and button ask for, as nested spans of ordinary `#[instrument]` functions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clewline::SpanExt as _;
use clewline::http::SendTraced as _;
use serde::{Deserialize, Serialize};
use tracing::{Span, info, instrument};

use crate::payments::Charge;

/// Whose shops these are: an attribute to search for in the viewer, `tenant_id=globex`.
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
/// Every so many checkouts the payment fails by itself.
const FAILS_EVERY: u64 = 3;

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    client: reqwest::Client,
    payments: Arc<str>,
    checkouts: Arc<AtomicU64>,
}

impl Shop {
    /// A shop whose payment provider is this server itself, at `address`.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            client: reqwest::Client::new(),
            payments: format!("http://{address}/payments/charge").into(),
            checkouts: Arc::default(),
        }
    }

    /// Whose cart the next checkout is.
    fn next_tenant(&self) -> &'static str {
        tenant(self.checkouts.load(Ordering::Relaxed) + 1)
    }
}

/// What can be asked for in the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    /// `1`: the payment fails; `0`: it does not; left out: every third one fails.
    fail: Option<u8>,
}

#[derive(Debug, Serialize)]
struct Order {
    order_id: String,
    tenant_id: &'static str,
    items: usize,
    total_cents: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Item {
    name: &'static str,
    cents: u64,
}

/// Why there was no order.
#[derive(Debug, thiserror::Error)]
enum CheckoutError {
    #[error("the payment provider answered {0}")]
    Refused(StatusCode),
    #[error("the payment provider cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
}

/// What the page shows when it has loaded.
pub(crate) async fn cart(State(shop): State<Shop>) -> Json<Vec<Item>> {
    Json(load_cart(shop.next_tenant()).await)
}

/// Turns the cart into an order. The server span is the current one here.
pub(crate) async fn checkout(State(shop): State<Shop>, Query(wish): Query<Wish>) -> Response {
    let number = shop.checkouts.fetch_add(1, Ordering::Relaxed) + 1;
    let tenant_id = tenant(number);
    Span::current().set_attribute("tenant_id", tenant_id);

    let items = load_cart(tenant_id).await;
    reserve_stock(&items).await;
    let total_cents = items.iter().map(|item| item.cents).sum();
    let fails = wish.fail.map_or(number.is_multiple_of(FAILS_EVERY), |fail| fail == 1);
    match charge_card(&shop, Charge { tenant_id: tenant_id.to_owned(), total_cents, fails }).await {
        Ok(()) => {
            let order_id = format!("{tenant_id}-{number:04}");
            info!(order_id, "order placed");
            Json(Order { order_id, tenant_id, items: items.len(), total_cents }).into_response()
        }
        Err(error) => {
            let answer = serde_json::json!({ "error": error.to_string(), "tenant_id": tenant_id });
            (StatusCode::BAD_GATEWAY, Json(answer)).into_response()
        }
    }
}

/// Whose checkout has this number.
fn tenant(number: u64) -> &'static str {
    TENANTS[usize::try_from(number).unwrap_or(0) % TENANTS.len()]
}

#[instrument(name = "load cart", fields(cart.items))]
async fn load_cart(tenant_id: &str) -> Vec<Item> {
    work(9).await;
    let items = vec![
        Item { name: "Ariadne’s ball of thread", cents: 1250 },
        Item { name: "map of the labyrinth", cents: 3400 },
        Item { name: "torch", cents: 890 },
    ];
    Span::current().record("cart.items", items.len());
    items
}

#[instrument(name = "reserve stock", skip_all)]
async fn reserve_stock(items: &[Item]) {
    work(3).await;
    select_stock().await;
    for item in items {
        info!(item = item.name, "reserved");
    }
    work(4).await;
}

/// The slow query that a trace makes visible at a glance.
#[instrument(
    name = "SELECT stock",
    fields(
        otel.kind = "client",
        db.system.name = "postgresql",
        db.collection.name = "stock",
        db.query.text = "SELECT id, name, count FROM stock WHERE lower(name) = ANY($1) ORDER BY name FOR UPDATE",
    )
)]
async fn select_stock() {
    work(140).await;
}

#[instrument(name = "charge card", skip_all, fields(payment.total_cents = charge.total_cents))]
async fn charge_card(shop: &Shop, charge: Charge) -> Result<(), CheckoutError> {
    work(2).await;
    let outcome = ask_provider(shop, &charge).await;
    if let Err(error) = &outcome {
        Span::current().record_error(error);
    }
    outcome
}

async fn ask_provider(shop: &Shop, charge: &Charge) -> Result<(), CheckoutError> {
    let answer = shop.client.post(&*shop.payments).json(charge).send_traced().await?;
    if answer.status().is_success() { Ok(()) } else { Err(CheckoutError::Refused(answer.status())) }
}

/// Stands for work that takes its time.
async fn work(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
