//! A trace as a tree in the terminal.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use clewline::terminal::{BOLD, DIM, RED, clean, clock, cut, duration, plural, service_colour};

use super::document::{SpanDocument, TraceDocument};

pub(crate) use clewline::terminal::Style;

/// The widest the column of names may get; longer names are cut.
const NAMES: usize = 64;

/// The tree as text: a headline, then a line for each span.
///
/// `before` is how many spans the trace had when it was printed the last time, if it was.
pub(crate) fn render(trace: &TraceDocument, before: Option<usize>, style: Style) -> String {
    let lines = lines(trace);
    let names = lines.iter().map(Line::width).max().unwrap_or(0).min(NAMES);
    let services = trace.spans.iter().map(|span| clean(&span.service).chars().count()).max().unwrap_or(0);
    let mut text = headline(trace, before, style);
    for line in &lines {
        let span = line.span;
        let failed = span.status.code == "ERROR";
        let room = names.saturating_sub(line.prefix.chars().count());
        let name = clean(&span.name);
        let name = cut(&name, room);
        let padding = " ".repeat(room.saturating_sub(name.chars().count()));
        let service = clean(&span.service);
        let gap = " ".repeat(services.saturating_sub(service.chars().count()));
        let duration = duration(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
        let _ = write!(
            text,
            "\n{}{}{padding}  {}{gap}  {duration:>9}  {}",
            style.paint(DIM, &line.prefix),
            style.paint(if failed { RED } else { BOLD }, &name),
            style.paint(&service_colour(&service), &service),
            style.paint(DIM, &format!("{:<8}", kind(&span.kind))),
        );
        if failed {
            let reason = reason(span).map(|reason| format!(" {}", clean(&reason))).unwrap_or_default();
            let _ = write!(text, "  {}", style.paint(RED, &format!("✗{reason}")));
        } else if span.status.code == "OK" {
            text.push_str("  ✓");
        }
        text.truncate(text.trim_end().len());
    }
    text.push('\n');
    text
}

/// `trace 5b8e…  12:03:04.123 UTC  312 ms  9 spans, 1 error`
fn headline(trace: &TraceDocument, before: Option<usize>, style: Style) -> String {
    let start = trace.spans.iter().map(|span| span.start_time_unix_nano).filter(|start| *start != 0).min().unwrap_or(0);
    let end = trace.spans.iter().map(|span| span.end_time_unix_nano).max().unwrap_or(0);
    let errors = trace.spans.iter().filter(|span| span.status.code == "ERROR").count();
    let mut text = format!(
        "{} {}  {}  {}  {}",
        style.paint(DIM, "trace"),
        style.paint(DIM, &clean(&trace.trace_id)),
        clock(start),
        style.paint(BOLD, &duration(end.saturating_sub(start))),
        plural(trace.spans.len(), "span"),
    );
    if errors > 0 {
        let _ = write!(text, ", {}", style.paint(RED, &plural(errors, "error")));
    }
    if !trace.spans.iter().any(|span| span.parent_span_id.is_none()) {
        text.push_str("  (its root has not arrived)");
    }
    if let Some(before) = before {
        let _ = write!(text, "  (again: had {} before)", plural(before, "span"));
    }
    text
}

/// A span with the branches in front of it.
struct Line<'a> {
    span: &'a SpanDocument,
    prefix: String,
}

impl Line<'_> {
    fn width(&self) -> usize {
        self.prefix.chars().count() + clean(&self.span.name).chars().count()
    }
}

/// The spans in their order. A parent that does not stand before its child is not there, so the child stands as a root.
fn lines(trace: &TraceDocument) -> Vec<Line<'_>> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut parents = Vec::with_capacity(trace.spans.len());
    let mut last_child = vec![None; trace.spans.len()];
    for (index, span) in trace.spans.iter().enumerate() {
        let parent = span.parent_span_id.as_deref().and_then(|parent| seen.get(parent).copied());
        if let Some(parent) = parent {
            last_child[parent] = Some(index);
        }
        parents.push(parent);
        seen.insert(&span.span_id, index);
    }
    let is_last = |index: usize, parent: usize| last_child[parent] == Some(index);
    // What a span puts in front of its descendants.
    let mut continued: Vec<String> = Vec::with_capacity(trace.spans.len());
    let mut lines = Vec::with_capacity(trace.spans.len());
    for (index, span) in trace.spans.iter().enumerate() {
        let (prefix, below) = match parents[index] {
            None => (String::new(), String::new()),
            Some(parent) if is_last(index, parent) => {
                (format!("{}└─ ", continued[parent]), format!("{}   ", continued[parent]))
            }
            Some(parent) => (format!("{}├─ ", continued[parent]), format!("{}│  ", continued[parent])),
        };
        continued.push(below);
        lines.push(Line { span, prefix });
    }
    lines
}

/// The status message, or else what the recorded exception says.
fn reason(span: &SpanDocument) -> Option<Cow<'_, str>> {
    if !span.status.message.is_empty() {
        return Some(Cow::Borrowed(&span.status.message));
    }
    let exception = span.events.iter().rev().find(|event| event.name == "exception")?;
    let text = |key| exception.attributes.get(key).and_then(serde_json::Value::as_str);
    match (text("exception.type"), text("exception.message")) {
        (Some(name), Some(message)) => Some(Cow::Owned(format!("{name}: {message}"))),
        (name, message) => message.or(name).map(Cow::Borrowed),
    }
}

/// Internal spans are the rule, so only the others are named.
fn kind(name: &str) -> String {
    match name {
        "INTERNAL" | "UNSPECIFIED" => String::new(),
        other => clean(&other.to_lowercase()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> TraceDocument {
        let span = |id: &str, parent: Option<&str>, service: &str, name: &str, kind: &str, end: u64, code: &str| {
            serde_json::json!({
                "span_id": id, "parent_span_id": parent, "service": service, "name": name, "kind": kind,
                "start_time_unix_nano": "1700000000123000000", "end_time_unix_nano": (1_700_000_000_123_000_000 + end).to_string(),
                "status": {"code": code, "message": ""}, "events": [],
            })
        };
        let mut failed = span("04", Some("03"), "shop", "charge \u{1b}[2Jcard", "INTERNAL", 800, "ERROR");
        failed["events"] = serde_json::json!([
            {"name": "exception", "attributes": {"exception.type": "Declined", "exception.message": "no funds"}},
        ]);
        let document = serde_json::json!({
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "spans": [
                span("01", None, "page", "click", "CLIENT", 1_234_567_890, "UNSET"),
                span("02", Some("01"), "shop", "GET /cart", "SERVER", 12_340_000, "OK"),
                span("03", Some("01"), "shop", "POST /api/checkout", "SERVER", 512_000_000, "UNSET"),
                failed,
                span("05", Some("ff"), "shop", "parent is elsewhere", "CONSUMER", 1_500, "UNSET"),
            ],
        });
        serde_json::from_value(document).expect("a trace")
    }

    #[test]
    fn a_trace_is_drawn_as_a_tree() {
        let expected = "\
trace 5b8efff798038103d269b633813fc60c  22:13:20.123 UTC  1.23 s  5 spans, 1 error
click                  page     1.23 s  client
├─ GET /cart           shop    12.3 ms  server    ✓
└─ POST /api/checkout  shop     512 ms  server
   └─ charge ·[2Jcard  shop     800 ns            ✗ Declined: no funds
parent is elsewhere    shop    1.50 µs  consumer
";
        assert_eq!(render(&trace(), None, Style::Plain), expected);
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let coloured = render(&trace(), Some(2), Style::Colour);
        let mut plain = String::new();
        for (index, piece) in coloured.split("\u{1b}[").enumerate() {
            plain.push_str(if index == 0 { piece } else { piece.split_once('m').expect("a colour").1 });
        }
        let plain: Vec<&str> = plain.lines().map(str::trim_end).collect();
        let expected = render(&trace(), Some(2), Style::Plain);
        assert_eq!(plain, expected.lines().collect::<Vec<_>>());
        assert!(expected.contains("(again: had 2 spans before)"));
        assert!(coloured.contains("\u{1b}[1;31mcharge"), "{coloured}");
    }
}
