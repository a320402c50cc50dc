//! Contexts between processes: which headers are read and written, and what travels in them beside the ids.
//!
//! [`Propagators`] is the list that `OTEL_PROPAGATORS` names, `tracecontext,baggage` unless told. It reads a carrier into a
//! [`Context`] (the caller's span, its `tracestate`, the baggage) and writes one out again. The HTTP layers do this by
//! themselves; for anything else there are [`carrier`]s: maps of texts, lists of names and bytes as message queues have
//! them, the environment of a child process.
//!
//! ```
//! use std::collections::HashMap;
//! use clewline::propagation::{Propagators, carrier};
//!
//! let message = HashMap::from([
//!     ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
//!     ("baggage", "tenant=acme"),
//! ]);
//! let propagators = Propagators::default();
//! let context = propagators.extract(&carrier::map(&message));
//! assert!(context.span_context().unwrap().is_sampled());
//! assert_eq!(context.baggage().get("tenant").unwrap(), "acme");
//!
//! let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
//! propagators.inject(&context, &mut carrier::pairs_mut(&mut headers));
//! assert_eq!(headers.len(), 2);
//! ```

pub mod carrier;
mod future;
mod percent;
mod propagators;
#[cfg(feature = "serde")]
mod serialize;

pub use crate::current::{Baggage, Context, ContextGuard};
pub use clewline_core::b3::SamplingState;
pub use clewline_core::baggage::BaggageError;
pub use clewline_core::propagation::{Format, HeaderSink, HeaderSource, PropagationErrors};
pub use clewline_core::tracestate::TraceStateError;
pub use future::{InContext, WithContext};
#[cfg(any(feature = "http", feature = "otlp-grpc"))]
pub(crate) use percent::decoded;
pub use propagators::{Extraction, Propagators, UnknownPropagator, chosen, global, set_global};
