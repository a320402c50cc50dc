//! The spans of a test as a tree: the same text for the same spans, so without ids and times.

use std::collections::HashSet;
use std::fmt;

use clewline_core::{SpanId, SpanKind, StatusCode, TraceId};

use crate::exporter::{FinishedSpan, OwnedValue};

/// Draws all traces, in the order in which they began.
pub(super) fn draw(spans: &[FinishedSpan], open: u64, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    if spans.is_empty() {
        formatter.write_str("no span was recorded\n")?;
    }
    let ids: HashSet<(TraceId, SpanId)> = spans.iter().map(|span| (span.trace_id, span.span_id)).collect();
    let is_top = |span: &&FinishedSpan| match span.parent_span_id {
        // A span that is its own parent would never be drawn below itself.
        Some(parent) => parent == span.span_id || !ids.contains(&(span.trace_id, parent)),
        None => true,
    };
    for top in in_order(spans.iter().filter(is_top)) {
        Branch { spans, formatter, drawn: HashSet::new() }.draw(top, "", "")?;
    }
    match open {
        0 => Ok(()),
        1 => formatter.write_str("1 span has not ended\n"),
        count => writeln!(formatter, "{count} spans have not ended"),
    }
}

fn in_order<'s>(spans: impl Iterator<Item = &'s FinishedSpan>) -> Vec<&'s FinishedSpan> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    spans
}

struct Branch<'s, 'f, 'o> {
    spans: &'s [FinishedSpan],
    formatter: &'f mut fmt::Formatter<'o>,
    /// Against circles, which a test may make by hand.
    drawn: HashSet<SpanId>,
}

impl Branch<'_, '_, '_> {
    /// Draws a span and what is below it, behind `first` on its own line and behind `rest` on the others.
    fn draw(&mut self, span: &FinishedSpan, first: &str, rest: &str) -> fmt::Result {
        if !self.drawn.insert(span.span_id) {
            return writeln!(self.formatter, "{first}(drawn above)");
        }
        self.headline(span, first)?;
        let children = in_order(self.spans.iter().filter(|child| {
            child.parent_span_id == Some(span.span_id)
                && child.trace_id == span.trace_id
                && child.span_id != span.span_id
        }));
        self.details(span, &format!("{rest}{}", if children.is_empty() { "    " } else { "│   " }))?;
        for (index, child) in children.iter().enumerate() {
            let (branch, below) =
                if index + 1 == children.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
            self.draw(child, &format!("{rest}{branch}"), &format!("{rest}{below}"))?;
        }
        Ok(())
    }

    fn headline(&mut self, span: &FinishedSpan, first: &str) -> fmt::Result {
        write!(self.formatter, "{first}{}", span.name)?;
        if span.kind != SpanKind::Internal {
            write!(self.formatter, " · {}", span.kind.name())?;
        }
        if span.status != StatusCode::Unset {
            write!(self.formatter, " · {}", span.status.name())?;
        }
        if !span.status_message.is_empty() {
            write!(self.formatter, " {:?}", span.status_message)?;
        }
        if span.parent_span_id.is_some() && first.is_empty() {
            self.formatter.write_str(" · its parent was not recorded here")?;
        }
        writeln!(self.formatter)
    }

    fn details(&mut self, span: &FinishedSpan, indent: &str) -> fmt::Result {
        for (key, value) in &span.attributes {
            writeln!(self.formatter, "{indent}{key} = {}", Shown(value))?;
        }
        for event in &span.events {
            write!(self.formatter, "{indent}• {}", event.name)?;
            for (key, value) in &event.attributes {
                write!(self.formatter, " {key} = {}", Shown(value))?;
            }
            writeln!(self.formatter)?;
        }
        for link in &span.links {
            let target = self.spans.iter().find(|span| (span.trace_id, span.span_id) == (link.trace_id, link.span_id));
            let name = target.map_or("a span that was not recorded here", |span| span.name.as_str());
            writeln!(self.formatter, "{indent}→ {name}")?;
        }
        for (count, what) in [
            (span.dropped_attributes_count, "attributes"),
            (span.dropped_events_count, "events"),
            (span.dropped_links_count, "links"),
        ] {
            if count > 0 {
                writeln!(self.formatter, "{indent}{what} refused: {count}")?;
            }
        }
        Ok(())
    }
}

/// A value as an assertion would write it.
pub(super) struct Shown<'v>(pub(super) &'v OwnedValue);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            OwnedValue::Bool(truth) => write!(formatter, "{truth}"),
            OwnedValue::I64(number) => write!(formatter, "{number}"),
            OwnedValue::F64(number) => write!(formatter, "{number:?}"),
            OwnedValue::Str(text) => write!(formatter, "{text:?}"),
            OwnedValue::Bytes(bytes) => write!(formatter, "b\"{}\"", bytes.escape_ascii()),
            OwnedValue::List(items) => formatter.debug_list().entries(items.iter().map(Entry)).finish(),
            OwnedValue::Map(entries) => {
                formatter.debug_map().entries(entries.iter().map(|(key, value)| (key, Entry(value)))).finish()
            }
            OwnedValue::Empty => formatter.write_str("nothing"),
        }
    }
}

/// The same within a list or map.
struct Entry<'v>(&'v OwnedValue);

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Shown(self.0))
    }
}
