//! Helpers: spans for the things that servers do, by the current semantic conventions, and short forms for the current span.
//!
//! - **Spans of a kind**: [`db_span`], [`http_client_span`], [`event_span`] for message queues, [`llm_span`], and
//!   [`create_span`] for everything else. What they return is a [`Span`](crate::Span), to be added to like any other.
//! - **Futures within a span**: [`traced_query`], [`traced_backend_call`], [`traced_execution`], [`with_span`] and
//!   [`instrument_future`] record what fails: an `Err`, a panic, and a future that was dropped before it was done.
//! - **On the current span**, whichever door it came through: [`span_event`], [`span_attribute`], [`span_status`],
//!   [`record_error`], [`Timer`]. Without a current span they do nothing.
//!
//! Spans are children of the current span, and belong to the instrumentation scope `clewline` unless said otherwise.
//!
//! ```
//! use clewline::helpers::{record_error, span_attribute, traced_query, with_span};
//! use clewline::SpanKind;
//! # async fn rows() -> Result<Vec<u32>, std::io::Error> { Ok(vec![]) }
//!
//! async fn checkout() -> Result<usize, std::io::Error> {
//!     with_span("checkout", SpanKind::Internal, async || {
//!         let rows = traced_query("SELECT", "cart", rows).await?;   // a CLIENT span `SELECT cart`
//!         span_attribute("cart.items", i64::try_from(rows.len()).unwrap_or(i64::MAX));
//!         Ok(rows.len())
//!     })
//!     .await
//! }
//! ```

mod attributes;
mod current;
mod database;
mod event;
mod future;
mod http;
mod llm;
mod statement;
mod timer;

pub use attributes::{SpanAttributes, create_span};
pub use current::{
    current_span_id, current_trace_id, get_tracer, in_span, record_error, record_error_as, span_attribute,
    span_attribute_with, span_event, span_status,
};
pub use database::db_span;
pub use event::{EventSpan, event_span};
pub use future::{Instrumented, instrument_future, traced_backend_call, traced_execution, traced_query, with_span};
pub use http::http_client_span;
pub use llm::llm_span;
pub use timer::{Timer, measure};

pub use crate::{current_span, timed};

use std::sync::LazyLock;

use crate::Tracer;

/// The tracer of spans whose instrumentation scope nobody gave.
fn own_tracer() -> Tracer {
    static TRACER: LazyLock<Tracer> = LazyLock::new(|| crate::tracer("clewline"));
    *TRACER
}
