//! Which headers carry contexts between processes, by the names of `OTEL_PROPAGATORS`.

use super::names::{self, named};

named! {
    /// A way to carry contexts between processes (`context/api-propagators.md`).
    pub enum Propagator {
        /// `traceparent` and `tracestate` (W3C Trace Context).
        TraceContext = "tracecontext",
        /// `baggage` (W3C Baggage).
        Baggage = "baggage",
        /// B3 in one header.
        B3 = "b3",
        /// B3 in several headers.
        B3Multi = "b3multi",
        /// `uber-trace-id`.
        Jaeger = "jaeger",
    }
}

impl Propagator {
    /// What is used where nobody says otherwise.
    pub(super) const DEFAULT: [Self; 2] = [Self::TraceContext, Self::Baggage];

    /// Reads a list of names, of which `none` stands alone.
    pub(super) fn list(list: &str, remarks: &mut Vec<String>) -> Result<Vec<Self>, String> {
        names::list(list, Self::read, remarks)
    }
}
