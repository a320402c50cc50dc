//! `POST /orders`: kept in the database, handed to the queue, and delivered by a consumer.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clewline::http::ServerLayer;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tracing::{info, instrument};

use crate::database::Database;
use crate::queue::{self, Message, Publisher};

/// What a customer wants.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    /// Of what.
    item: String,
    /// How many.
    count: u32,
}

#[derive(Clone)]
struct Shop {
    database: Database,
    deliveries: Publisher,
}

/// The router, and the consumer, which ends when the router is dropped and the queue is empty.
pub(crate) fn start() -> (Router, JoinHandle<()>) {
    let (deliveries, mut consumer) = queue::queue("deliveries");
    let consumer = tokio::spawn(async move {
        while let Some(message) = consumer.next().await {
            // Each message is a span that continues the publisher's trace.
            consumer.process(message, deliver).await;
        }
    });
    // The server span, the caller's trace and its baggage: all of it is this one layer.
    let router = Router::new()
        .route("/orders", post(order))
        .with_state(Shop { database: Database::default(), deliveries })
        .layer(ServerLayer::new());
    (router, consumer)
}

async fn order(State(shop): State<Shop>, Json(order): Json<Order>) -> (StatusCode, String) {
    match shop.database.insert(&order.item, order.count).await {
        Ok(number) => {
            let body = serde_json::to_vec(&order).unwrap_or_default();
            shop.deliveries.publish(body).await;
            (StatusCode::ACCEPTED, format!("order {number}\n"))
        }
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")),
    }
}

#[instrument(skip_all)]
async fn deliver(message: Message) {
    match serde_json::from_slice::<Order>(&message.body) {
        Ok(order) => info!(order.item, order.count, "delivered"),
        Err(error) => tracing::error!(%error, "the message is no order"),
    }
}
