//! The traces of a request as trees: a line for each span, and below it what it recorded.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use clewline_core::{Attributes, RequestView, SpanId, SpanKind, SpanView, StatusCode, TraceId, ValueView};

use crate::exporter::text;
use crate::terminal::{BOLD, DIM, RED, Style, clean, clock, cut, duration, plural, service_colour};

/// The widest a value may get.
const VALUE: usize = 120;

/// A span, and who made it.
struct Entry<'a> {
    span: SpanView<'a>,
    service: &'a str,
}

/// The traces in the order in which they first appear, and how many spans have an id that cannot be.
pub(super) fn draw(request: &RequestView<'_>, style: Style) -> (String, u64) {
    let mut traces: Vec<(TraceId, Vec<Entry<'_>>)> = Vec::new();
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    let mut rejected = 0;
    for resource in request.resource_spans() {
        let name = resource.resource().attributes().get("service.name");
        let service = name.and_then(|name| name.as_str()).unwrap_or("unknown_service");
        for span in resource.scope_spans().flat_map(|scope| scope.spans()) {
            let Ok((_, span)) = span else {
                rejected += 1;
                continue;
            };
            let place = *places.entry(span.trace_id()).or_insert_with(|| {
                traces.push((span.trace_id(), Vec::new()));
                traces.len() - 1
            });
            traces[place].1.push(Entry { span, service });
        }
    }
    let mut text = String::new();
    for (trace_id, entries) in &traces {
        Tree { entries, style, text: &mut text }.draw(*trace_id);
    }
    (text, rejected)
}

/// One trace under way to text. Writing to a `String` cannot fail, so its results are dropped.
struct Tree<'t, 'a> {
    entries: &'t [Entry<'a>],
    style: Style,
    text: &'t mut String,
}

impl Tree<'_, '_> {
    fn draw(&mut self, trace_id: TraceId) {
        let (entries, style) = (self.entries, self.style);
        let spans = || entries.iter().map(|entry| &entry.span);
        let start = spans().map(SpanView::start_time_unix_nano).filter(|start| *start != 0).min().unwrap_or(0);
        let end = spans().map(SpanView::end_time_unix_nano).max().unwrap_or(0);
        let errors = spans().filter(|span| span.status().code == StatusCode::Error).count();
        let _ = write!(
            self.text,
            "{}  {}  {}  {}",
            style.paint(DIM, &format!("trace {trace_id}")),
            clock(start),
            style.paint(BOLD, &duration(end.saturating_sub(start))),
            plural(entries.len(), "span"),
        );
        if errors > 0 {
            let _ = write!(self.text, ", {}", style.paint(RED, &plural(errors, "error")));
        }
        self.text.push('\n');
        self.spans();
    }

    /// All spans, parents before their children and these by their start. Spans whose parent is not here stand as roots.
    fn spans(&mut self) {
        let entries = self.entries;
        let known: HashSet<SpanId> = entries.iter().map(|entry| entry.span.span_id()).collect();
        let mut children: HashMap<Option<SpanId>, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let parent = entry.span.parent_span_id().filter(|parent| known.contains(parent));
            children.entry(parent).or_default().push(index);
        }
        for list in children.values_mut() {
            list.sort_by_key(|index| entries[*index].span.start_time_unix_nano());
        }
        let mut is_drawn = vec![false; entries.len()];
        let roots = children.remove(&None).unwrap_or_default();
        // Spans that are their own ancestors, as only a mistake makes them, hang on no root.
        for root in roots.into_iter().chain(0..entries.len()) {
            // Spans to draw, the next one last: what stands before it, and before what hangs below it.
            let mut open = vec![(root, String::new(), String::new())];
            while let Some((index, branch, below)) = open.pop() {
                if std::mem::replace(&mut is_drawn[index], true) {
                    continue;
                }
                // Taken, not looked at: of two spans with the same id only one has the children.
                let list = children.remove(&Some(entries[index].span.span_id())).unwrap_or_default();
                let line = if list.is_empty() { " " } else { "│" };
                self.span(&entries[index], &branch, &format!("{below}{line}"));
                for (place, child) in list.into_iter().rev().enumerate() {
                    let (here, further) = if place == 0 { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                    open.push((child, format!("{below}{here}"), format!("{below}{further}")));
                }
            }
        }
    }

    fn span(&mut self, entry: &Entry<'_>, branch: &str, below: &str) {
        let (Entry { span, service }, style) = (entry, self.style);
        let status = span.status();
        let failed = status.code == StatusCode::Error;
        let _ = write!(
            self.text,
            "{}{}  {}  {}",
            style.paint(DIM, branch),
            style.paint(if failed { RED } else { BOLD }, &clean(span.name())),
            style.paint(&service_colour(service), &clean(service)),
            duration(span.duration_nanos()),
        );
        // Internal spans are the rule, so only the others are named.
        if !matches!(span.kind(), SpanKind::Internal | SpanKind::Unspecified) {
            let _ = write!(self.text, "  {}", style.paint(DIM, &span.kind().name().to_lowercase()));
        }
        if failed {
            let _ = write!(self.text, "  {}", style.paint(RED, format!("✗ {}", clean(&reason(span))).trim_end()));
        } else if status.code == StatusCode::Ok {
            self.text.push_str("  ✓");
        }
        self.text.push('\n');
        self.details(span, below);
    }

    /// Attributes, events and links, each on a line, and what had to be refused.
    fn details(&mut self, span: &SpanView<'_>, below: &str) {
        if span.attributes().next().is_some() {
            self.detail(below, &pairs(span.attributes()));
        }
        for event in span.events() {
            let after = event.time_unix_nano().saturating_sub(span.start_time_unix_nano());
            let line = format!("+{} {} {}", duration(after), clean(event.name()), pairs(event.attributes()));
            self.detail(below, &line);
        }
        for link in span.links() {
            let line = format!("→ {} {} {}", link.trace_id(), link.span_id(), pairs(link.attributes()));
            self.detail(below, &line);
        }
        let dropped: Vec<_> = [
            (span.dropped_attributes_count(), "attribute"),
            (span.dropped_events_count(), "event"),
            (span.dropped_links_count(), "link"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| plural(count as usize, noun))
        .collect();
        if !dropped.is_empty() {
            self.detail(below, &format!("refused: {}", dropped.join(", ")));
        }
    }

    fn detail(&mut self, below: &str, line: &str) {
        let line = format!("{below}    {}", line.trim_end());
        let _ = writeln!(self.text, "{}", self.style.paint(DIM, &line));
    }
}

/// The status message, or else what the last recorded exception says.
fn reason(span: &SpanView<'_>) -> String {
    let message = span.status().message;
    let exception = span.events().filter(|event| event.name() == "exception").last();
    let text = |key| exception?.attributes().get(key)?.as_str();
    match (text("exception.type"), text("exception.message")) {
        _ if !message.is_empty() => message.to_owned(),
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (name, message) => message.or(name).unwrap_or_default().to_owned(),
    }
}

/// `key=value other="with spaces"`
fn pairs(attributes: Attributes<'_>) -> String {
    let mut text = String::new();
    for (key, value) in attributes {
        let separator = if text.is_empty() { "" } else { "  " };
        let _ = write!(text, "{separator}{}={}", clean(key), shown(value));
    }
    text
}

/// A value as one word where it is one, in quotes where that is not clear.
fn shown(value: ValueView<'_>) -> String {
    let text = text::text(value);
    let shown = cut(&text, VALUE);
    let is_word = !shown.is_empty() && !shown.contains([' ', '"']);
    match value {
        ValueView::Str(_) if !is_word => clean(&text::json(&shown)).into_owned(),
        _ => clean(&shown).into_owned(),
    }
}
