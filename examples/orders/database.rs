//! A database in memory, called like one of sqlx: each statement is a client span with the attributes of the conventions.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::instrument;

/// What the database refuses.
#[derive(Debug, thiserror::Error)]
#[error("the count must be between 1 and 1000")]
pub(crate) struct CheckViolation;

/// The table `orders`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    orders: Arc<Mutex<Vec<(String, u32)>>>,
}

impl Database {
    /// Inserts a row and answers its number. The statement has placeholders, so no value of the customer's is recorded.
    #[instrument(
        name = "INSERT orders",
        skip_all,
        err,
        fields(
            otel.kind = "client",
            db.system.name = "postgresql",
            db.operation.name = "INSERT",
            db.collection.name = "orders",
            db.query.text = "INSERT INTO orders (item, count) VALUES ($1, $2) RETURNING number",
        )
    )]
    pub(crate) async fn insert(&self, item: &str, count: u32) -> Result<usize, CheckViolation> {
        tokio::task::yield_now().await;
        if !(1..=1000).contains(&count) {
            return Err(CheckViolation);
        }
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push((item.to_owned(), count));
        Ok(orders.len())
    }
}
