//! What headers say: the findings that are printed as JSON and for people.

use clewline::propagation::{Context, HeaderSource};
use clewline::traceparent::Traceparent;
use clewline_core::{b3, baggage, jaeger, tracestate};
use serde::Serialize;

use super::Format;

/// Everything there is to say about the headers of one request.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    /// `None`: nothing valid arrived.
    pub(super) context: Option<ContextFinding>,
    /// `None`: none arrived, or it does not count.
    pub(super) tracestate: Option<Vec<(String, String)>>,
    /// The well-formed members.
    pub(super) baggage: Vec<Member>,
    /// The rules that were broken.
    pub(super) errors: Vec<String>,
    /// What goes on of it.
    pub(super) outgoing: Outgoing,
}

/// The context that arrived.
#[derive(Debug, Serialize)]
pub(super) struct ContextFinding {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    /// The flags that are known.
    pub(super) flags: u8,
    pub(super) sampled: bool,
    pub(super) random: bool,
}

/// A member of the baggage.
#[derive(Debug, Serialize)]
pub(super) struct Member {
    pub(super) key: String,
    /// Decoded.
    pub(super) value: String,
    /// As they came.
    pub(super) properties: Vec<String>,
}

/// Headers that leave if the context that arrived is passed on as it is. Those that are empty do not leave.
#[derive(Debug, Serialize)]
pub(super) struct Outgoing {
    pub(super) traceparent: String,
    pub(super) tracestate: String,
    pub(super) baggage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b3: Option<String>,
    #[serde(rename = "uber-trace-id", skip_serializing_if = "Option::is_none")]
    pub(super) uber_trace_id: Option<String>,
}

impl Findings {
    /// Reads headers as they arrived, in order.
    pub(super) fn new<N: AsRef<str>, V: AsRef<[u8]>>(format: Format, headers: &[(N, V)]) -> Self {
        let extraction = format.propagators().read(headers);
        let context = &extraction.context;
        let mut errors: Vec<String> = extraction.errors.iter().map(ToString::to_string).collect();
        let mut list = None;
        if format == Format::Tracecontext && headers.lines(tracestate::NAME).next().is_some() {
            if context.span_context().is_none() {
                errors.push("tracestate: discarded, because no valid traceparent came with it".to_owned());
            } else if extraction.errors.tracestate.is_none() {
                list = Some(members_of(context.trace_state()));
            }
        }
        errors.extend(
            baggage::members(headers.lines(baggage::NAME)).filter_map(Result::err).map(|error| error.to_string()),
        );
        let dropped = extraction.baggage_dropped;
        if dropped > 0 {
            errors.push(format!("baggage: {dropped} left out, beyond 64 members or 8192 bytes"));
        }
        // Of Jaeger's own baggage, a header for each entry, only the first broken rule is known.
        if let Some(error) = extraction.baggage_error.filter(|error| *error != baggage::BaggageError::Full) {
            let error = error.to_string();
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        Self {
            context: context.span_context().map(|span| ContextFinding {
                trace_id: span.trace_id().to_string(),
                span_id: span.span_id().to_string(),
                flags: span.flags().bits(),
                sampled: span.is_sampled(),
                random: span.flags().is_random(),
            }),
            tracestate: list,
            baggage: context.baggage().iter().map(|member| Member::new(&member)).collect(),
            errors,
            outgoing: Outgoing::new(format, context),
        }
    }

    /// What is said of input that is no request at all.
    pub(super) fn unreadable(error: String) -> Self {
        Self {
            context: None,
            tracestate: None,
            baggage: Vec::new(),
            errors: vec![error],
            outgoing: Outgoing::new(Format::Tracecontext, &Context::default()),
        }
    }
}

impl Member {
    fn new(member: &baggage::Member<'_>) -> Self {
        Self {
            key: member.key().to_owned(),
            value: member.value().to_string(),
            properties: member.properties().map(str::to_owned).collect(),
        }
    }
}

impl Outgoing {
    fn new(format: Format, context: &Context) -> Self {
        let mut outgoing = Self {
            traceparent: context.span_context().map(|span| Traceparent::new(span).to_string()).unwrap_or_default(),
            tracestate: context.trace_state().to_owned(),
            baggage: context.baggage().as_str().to_owned(),
            b3: None,
            uber_trace_id: None,
        };
        format.propagators().inject(context, &mut |name: &str, value: &str| match name {
            b3::NAME => outgoing.b3 = Some(value.to_owned()),
            jaeger::NAME => outgoing.uber_trace_id = Some(value.to_owned()),
            _ => {}
        });
        outgoing
    }
}

fn members_of(list: &str) -> Vec<(String, String)> {
    tracestate::members([list.as_bytes()]).flatten().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
