//! Finding traces: the filters of the query API, applied to everything in the store.

mod matching;
mod terms;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use clewline_core::TraceId;
use serde::Serialize;

use super::store::{StoredSpan, Trace};
use terms::Term;

/// How many traces are answered when no limit is given.
const DEFAULT_LIMIT: usize = 100;

/// The most traces that are answered at once.
const MAX_LIMIT: usize = 1000;

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: f64 = 1e6;

/// What a trace has to satisfy; the default admits every trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    /// The service one of its spans belongs to.
    pub(super) service: Option<String>,
    /// The exact name of one of its spans: of a span of `service`, if that is given too.
    pub(super) operation: Option<String>,
    /// The shortest duration from the first start to the last end, in nanoseconds.
    pub(super) min_duration: u64,
    /// Whether at least one span must have failed.
    pub(super) errors: bool,
    /// The terms of the attribute search.
    terms: Vec<Term>,
    /// The only trace to look at.
    trace_id: Option<TraceId>,
    /// How many traces to answer at most.
    pub(super) limit: usize,
}

/// A query parameter that cannot be understood; the text says which one and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilterError(pub(super) String);

impl Filter {
    /// Reads the parameters of `GET /api/traces`. An empty value counts as absent, an unknown name is an error: a
    /// misspelt filter that silently admits everything helps nobody.
    ///
    /// # Errors
    /// A parameter is unknown or its value cannot be read.
    pub(super) fn from_parameters(parameters: &[(String, String)]) -> Result<Self, FilterError> {
        let mut filter = Self { limit: DEFAULT_LIMIT, ..Self::default() };
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "service" => filter.service = Some(value.clone()),
                "operation" => filter.operation = Some(value.clone()),
                "q" => filter.terms = terms::parse(value),
                "min_duration_ms" => filter.min_duration = nanos(value)?,
                "errors" => {
                    filter.errors = match value.as_str() {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        _ => return Err(FilterError(format!("errors: \"{value}\" is neither true nor false"))),
                    }
                }
                "trace_id" => {
                    let trace_id = TraceId::from_hex(value);
                    let trace_id = trace_id
                        .ok_or_else(|| FilterError("trace_id: not 32 hexadecimal digits, or all zero".to_owned()))?;
                    filter.trace_id = Some(trace_id);
                }
                "limit" => {
                    let limit: usize =
                        value.parse().map_err(|_| FilterError(format!("limit: \"{value}\" is not a whole number")))?;
                    filter.limit = limit.min(MAX_LIMIT);
                }
                _ => {
                    return Err(FilterError(format!(
                        "{name}: unknown; known are service, operation, min_duration_ms, errors, q, trace_id and limit"
                    )));
                }
            }
        }
        Ok(filter)
    }

    /// Whether the trace satisfies every part of the filter.
    pub(super) fn admits(&self, trace: &Trace) -> bool {
        self.trace_id.is_none_or(|trace_id| trace.trace_id == trace_id)
            && (self.min_duration == 0 || trace.duration() >= self.min_duration)
            && (!self.errors || trace.spans.iter().any(|span| span.failed))
            && self.admits_names(trace)
            && self.terms.iter().all(|term| trace.spans.iter().any(|span| term.found_in(span)))
    }

    fn admits_names(&self, trace: &Trace) -> bool {
        if self.service.is_none() && self.operation.is_none() {
            return true;
        }
        let of_service =
            |span: &StoredSpan| self.service.as_deref().is_none_or(|service| span.resource.service() == service);
        let of_operation = |span: &StoredSpan| self.operation.as_deref().is_none_or(|name| span.name.as_str() == name);
        trace.spans.iter().any(|span| of_service(span) && of_operation(span))
    }

    /// The newest traces that satisfy the filter, and how many there are in all.
    pub(super) fn apply(&self, traces: Vec<Arc<Trace>>) -> (Vec<Arc<Trace>>, usize) {
        let mut matching: Vec<_> =
            traces.into_iter().filter(|trace| self.admits(trace)).map(|trace| (trace.start(), trace)).collect();
        matching.sort_by(|(start, trace), (other_start, other)| {
            other_start.cmp(start).then(other.trace_id.cmp(&trace.trace_id))
        });
        let matched = matching.len();
        (matching.into_iter().take(self.limit).map(|(_, trace)| trace).collect(), matched)
    }
}

/// A duration given in milliseconds, fractions allowed, in nanoseconds.
fn nanos(text: &str) -> Result<u64, FilterError> {
    let milliseconds = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    let milliseconds = milliseconds
        .ok_or_else(|| FilterError(format!("min_duration_ms: \"{text}\" is not a number of milliseconds")))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and the conversion saturates"
    )]
    Ok((milliseconds * NANOS_PER_MILLI) as u64)
}

/// A service with what it does, as answered by `GET /api/services`.
#[derive(Debug, Serialize)]
pub(super) struct Service {
    name: String,
    trace_count: usize,
    span_count: usize,
    /// The distinct span names, sorted.
    operations: BTreeSet<String>,
    /// Whether there are more names than are listed.
    more_operations: bool,
}

/// How many operations are listed per service. A service with more puts ids into its span names.
const MAX_OPERATIONS: usize = 500;

/// The services of these traces by name.
pub(super) fn services(traces: &[Arc<Trace>]) -> Vec<Service> {
    let mut services: BTreeMap<&str, (Service, usize)> = BTreeMap::new();
    for (position, trace) in traces.iter().enumerate() {
        for span in &trace.spans {
            let name = span.resource.service();
            let (service, last_trace) = services.entry(name).or_insert_with(|| {
                let operations = BTreeSet::new();
                let name = name.to_owned();
                (Service { name, trace_count: 0, span_count: 0, operations, more_operations: false }, usize::MAX)
            });
            service.span_count += 1;
            if *last_trace != position {
                service.trace_count += 1;
                *last_trace = position;
            }
            let name = span.name.as_str();
            if !service.operations.contains(name) {
                if service.operations.len() < MAX_OPERATIONS {
                    service.operations.insert(name.to_owned());
                } else {
                    service.more_operations = true;
                }
            }
        }
    }
    services.into_values().map(|(service, _)| service).collect()
}
