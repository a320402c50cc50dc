//! A request's traces as trees.

use std::collections::HashMap;
use std::fmt::Write as _;

use clewline_core::{EventView, RequestView, SpanView, StatusCode, TraceId, ValueView};

use crate::tail::document::{EventDocument, SpanDocument, StatusDocument, TraceDocument};
use crate::tail::tree::{Style, render};

/// The traces in the order in which they first appear.
pub(super) fn draw(request: &RequestView<'_>, style: Style) -> String {
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    let mut traces: Vec<TraceDocument> = Vec::new();
    let mut unreadable = Vec::new();
    for resource in request.resource_spans() {
        let service = resource.resource().attributes().get("service.name");
        let service = match &service {
            Some(ValueView::Str(name)) => name,
            _ => "unknown_service",
        };
        for span in resource.scope_spans().flat_map(|scope| scope.spans()) {
            match span {
                Ok((_, view)) => {
                    let place = *places.entry(view.trace_id()).or_insert_with(|| {
                        traces.push(TraceDocument { trace_id: view.trace_id().to_string(), spans: Vec::new() });
                        traces.len() - 1
                    });
                    traces[place].spans.push(document(&view, service));
                }
                Err(error) => unreadable.push(error),
            }
        }
    }
    let trees: Vec<String> = traces
        .into_iter()
        .map(|mut trace| {
            trace.spans = in_tree_order(trace.spans);
            render(&trace, None, style)
        })
        .collect();
    let mut text = trees.join("\n");
    for error in unreadable {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "a span is left out: {error}");
    }
    text
}

fn document(view: &SpanView<'_>, service: &str) -> SpanDocument {
    let status = view.status();
    let code = match status.code {
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
        _ => "UNSET",
    };
    SpanDocument {
        span_id: view.span_id().to_string(),
        parent_span_id: view.parent_span_id().map(|id| id.to_string()),
        service: service.to_owned(),
        name: view.name().to_owned(),
        kind: view.kind().name().to_owned(),
        start_time_unix_nano: view.start_time_unix_nano(),
        end_time_unix_nano: view.end_time_unix_nano(),
        status: StatusDocument { code: code.to_owned(), message: status.message.to_owned() },
        events: view.events().map(|event| event_document(&event)).collect(),
    }
}

/// Of attributes only texts are shown.
fn event_document(event: &EventView<'_>) -> EventDocument {
    let texts = event.attributes().into_iter().filter_map(|(key, value)| match value {
        ValueView::Str(text) => Some((key.to_owned(), text.into())),
        _ => None,
    });
    EventDocument { name: event.name().to_owned(), attributes: texts.collect() }
}

/// Parents before their children, siblings by their start; every span once, also where parents go round in a circle.
fn in_tree_order(mut spans: Vec<SpanDocument>) -> Vec<SpanDocument> {
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let places: HashMap<&str, usize> = spans.iter().enumerate().map(|(place, span)| (&*span.span_id, place)).collect();
    let mut children = vec![Vec::new(); spans.len()];
    let mut tops = Vec::new();
    for (place, span) in spans.iter().enumerate() {
        match span.parent_span_id.as_deref().and_then(|parent| places.get(parent)) {
            Some(&parent) => children[parent].push(place),
            None => tops.push(place),
        }
    }
    let mut waiting: Vec<Option<SpanDocument>> = spans.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    // Whatever no top leads to is part of a circle or hangs from one.
    for top in tops.into_iter().chain(0..waiting.len()) {
        let mut next = vec![top];
        while let Some(place) = next.pop() {
            if let Some(span) = waiting[place].take() {
                ordered.push(span);
                next.extend(children[place].iter().rev());
            }
        }
    }
    ordered
}
