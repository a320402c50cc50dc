//! Which span a thread is in, whichever door it came through: the native one, `tracing`, or the OpenTelemetry API.
//!
//! Every thread has a stack of the places it is in. The doors push what they enter, so that the uppermost entry is the innermost
//! span, and the parent of spans that start without being given one. OpenTelemetry's API keeps a stack of its own; the two are
//! kept in step. While that API is not used, `tracing` spans lie on a stack of their own that is quicker to reach (`quick.rs`).
//!
//! No code but this crate's runs while the stack is borrowed.

pub(crate) mod carried;
mod context;
mod handle;
mod place;
#[cfg(feature = "tracing")]
mod quick;
mod shared;
mod stack;

use clewline_core::SpanContext;

pub use carried::Baggage;
pub use context::Context;
pub use handle::{CurrentSpan, EnteredSpan, current_span};
pub(crate) use handle::{set_error, shown_type};
pub(crate) use place::Place;
pub(crate) use shared::SharedSpan;
pub use stack::ContextGuard;
#[cfg(feature = "opentelemetry")]
pub(crate) use stack::entered;
#[cfg(all(feature = "opentelemetry", feature = "tracing"))]
pub(crate) use stack::moved;
use stack::top;
#[cfg(feature = "tracing")]
pub(crate) use stack::{Within, enter_tracing, exit_tracing, within};
pub(crate) use stack::{is_anything, is_suppressed, suppress};

#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::current as otel;

/// The context of the innermost span, as new native spans inherit it.
#[inline]
pub(crate) fn context() -> Context {
    with_current_baggage(top().and_then(|place| place.hand_to_child()).unwrap_or_default())
}

/// What is to be handed on: a `tracing` span that filters keep from the layer counts as its nearest ancestor that they let
/// through.
fn handed_on() -> Context {
    let place = top();
    let context = match &place {
        #[cfg(feature = "tracing")]
        None | Some(Place::Tracing { .. }) => {
            crate::layer::nearest_to_current().or_else(|| place.as_ref().and_then(Place::context))
        }
        #[cfg(not(feature = "tracing"))]
        None => None,
        Some(place) => place.context(),
    };
    with_current_baggage(context.unwrap_or_default())
}

/// The same context with the baggage of OpenTelemetry's, where both are kept in step: more may have been put there meanwhile.
#[inline]
fn with_current_baggage(context: Context) -> Context {
    #[cfg(feature = "opentelemetry")]
    if otel::is_active() {
        return otel::with_baggage(context);
    }
    context
}

/// The context of the span that this thread is in, to hand to other processes; [`Context::current`] has the lists too.
#[must_use]
pub fn current_context() -> Option<SpanContext> {
    handed_on().span_context()
}
