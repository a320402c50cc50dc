//! OpenTelemetry's API, both ways (features `opentelemetry` and `opentelemetry-sdk`).
//!
//! - [`install`] makes every library that is instrumented with the OpenTelemetry API record with Clewline, and pass its trace
//!   on in Clewline's headers. [`TracerProvider`] does the first alone.
//! - There is one current span: a `tracing` or native span inside of an OpenTelemetry span is its child, and the other way
//!   round, also across `await`, however the context travels: `Context::attach`, `FutureExt::with_context`,
//!   `tracing::Instrument`.
//!
//! ```
//! use opentelemetry::global;
//! use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
//!
//! clewline::opentelemetry::install();
//! // … and somewhere in a library:
//! let tracer = global::tracer("some-library");
//! tracer.in_span("fetch", |cx| {
//!     tracing::info_span!("a child of fetch").in_scope(|| {
//!         clewline::current_span().set("both", true);
//!     });
//!     cx.span().add_event("fetched", vec![]);
//! });
//! ```
//!
//! What differs from `opentelemetry_sdk`: setting a key again replaces its value, as the specification asks; links to invalid
//! contexts are refused and counted.

mod convert;
pub(crate) mod current;
#[cfg(feature = "opentelemetry-sdk")]
mod exporter;
mod propagator;
mod provider;
mod span;
mod visit;

#[cfg(feature = "opentelemetry-sdk")]
pub use exporter::OpenTelemetryExporter;
pub use propagator::Propagator;
pub use provider::{Tracer, TracerProvider};
pub use span::Span;
pub(crate) use visit::with_recording;

/// Makes Clewline the recorder of all libraries that use OpenTelemetry's global tracer provider, and its propagators those of
/// all that use the global propagator, which are those that [`init`](crate::init) found configured if it is called first.
///
/// Tracers that a library asked OpenTelemetry for before that record nothing.
pub fn install() {
    ::opentelemetry::global::set_tracer_provider(TracerProvider::new());
    ::opentelemetry::global::set_text_map_propagator(Propagator::new());
}
