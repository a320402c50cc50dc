//! The same program with Clewline: `diff -u before.rs after.rs` is in `migration.diff`.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use clewline::propagation::{self, carrier};
use clewline::{SpanExt as _, TracingConfig};
use tracing::{Span, info, info_span, instrument};

fn main() -> Result<(), Box<dyn Error>> {
    let guard = clewline::init_with(&TracingConfig::from_env().with_service_name("orders"))?;

    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let message = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    process(&message, 17)?;

    guard.shutdown(Duration::from_secs(30))?;
    Ok(())
}

/// Handles a message from the queue, in the trace of whoever sent it.
fn process(message: &HashMap<String, String>, order: u32) -> Result<(), Box<dyn Error>> {
    let parent = propagation::global().extract(&carrier::map(message));
    let span = info_span!("process", otel.kind = "consumer", order);
    span.set_parent(parent);
    let _entered = span.enter();
    for card in ["visa", "debit"] {
        if let Ok(headers) = charge(order, card) {
            info!(headers = headers.len(), "charged");
        }
    }
    Ok(())
}

/// Asks the bank, and hands the trace on.
#[instrument(err, fields(otel.name = "POST /charge", otel.kind = "client"))]
fn charge(order: u32, card: &str) -> Result<HashMap<String, String>, Box<dyn Error>> {
    Span::current().set_attribute("bank.name", "acme");
    let mut headers = HashMap::new();
    let context = Span::current().hand_on();
    propagation::global().inject(&context, &mut carrier::map_mut(&mut headers));
    if card == "visa" {
        return Err(format!("order {order}: no funds").into());
    }
    Ok(headers)
}
