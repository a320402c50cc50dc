//! What headers say, for people.

use std::fmt::Write as _;

use clewline::propagation::HeaderSource as _;
use clewline_core::baggage;
use clewline_core::ot::{self, OtError, OtState};

use super::Format;
use super::headers::{ContextFinding, Findings};

/// The findings as text.
pub(super) fn explain<V: AsRef<[u8]>>(format: Format, headers: &[(&str, V)]) -> String {
    let findings = Findings::new(format, headers);
    let mut text = String::new();
    match &findings.context {
        Some(context) => explain_context(&mut text, context),
        None => text.push_str("no valid context: a new trace begins\n"),
    }
    if let Some(members) = &findings.tracestate {
        line(&mut text, 0, "tracestate", &count(members.len(), "member"));
        for (key, value) in members {
            line(&mut text, 2, key, value);
        }
    }
    if headers.lines(baggage::NAME).next().is_some() {
        line(&mut text, 0, "baggage", &count(findings.baggage.len(), "member"));
        for member in &findings.baggage {
            let properties: String = member.properties.iter().map(|property| format!("; {property}")).collect();
            line(&mut text, 2, &member.key, &format!("{}{properties}", member.value));
        }
    }
    let ot_error = ot_error(&findings).map(|error| error.to_string());
    if !findings.errors.is_empty() || ot_error.is_some() {
        text.push_str("broken rules\n");
        for error in findings.errors.iter().chain(&ot_error) {
            line(&mut text, 2, error, "");
        }
    }
    for hint in headers.iter().filter_map(|(name, _)| hint(format, name)) {
        line(&mut text, 0, &hint, "");
    }
    let outgoing = &findings.outgoing;
    let leaving = [
        ("traceparent", Some(&outgoing.traceparent)),
        ("tracestate", Some(&outgoing.tracestate)),
        ("b3", outgoing.b3.as_ref()),
        ("uber-trace-id", outgoing.uber_trace_id.as_ref()),
        ("baggage", Some(&outgoing.baggage)),
    ];
    let mut leaving =
        leaving.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    if let Some(first) = leaving.next() {
        text.push_str("passed on\n");
        for (name, value) in std::iter::once(first).chain(leaving) {
            line(&mut text, 2, &format!("{name}: {value}"), "");
        }
    }
    text
}

/// The rule that the samplers' member of the list breaks. To W3C the list is well-formed all the same, and is passed on.
fn ot_error(findings: &Findings) -> Option<OtError> {
    let (_, value) = findings.tracestate.iter().flatten().find(|(key, _)| key == ot::KEY)?;
    OtState::parse(value).map_or_else(Some, |state| state.error())
}

fn explain_context(text: &mut String, context: &ContextFinding) {
    line(text, 0, "trace id", &context.trace_id);
    line(text, 0, "span id", &context.span_id);
    let sampled = if context.sampled { "sampled" } else { "not sampled" };
    let random = if context.random { "random trace id" } else { "trace id not known to be random" };
    line(text, 0, "flags", &format!("{:02x}: {sampled}, {random}", context.flags));
}

/// One line. Control characters, which could steer the reader's terminal, are shown as dots.
fn line(text: &mut String, indent: usize, name: &str, value: &str) {
    let start = text.len();
    let width = 12_usize.saturating_sub(indent);
    // Writing to a `String` cannot fail.
    let _ = write!(text, "{:indent$}{name:width$}  {value}", "");
    let line: String =
        text[start..].chars().map(|character| if character.is_control() { '·' } else { character }).collect();
    text.truncate(start);
    text.push_str(line.trim_end());
    text.push('\n');
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Says that a header was not looked at, and what would have done so.
fn hint(format: Format, name: &str) -> Option<String> {
    let reads = |format: Format| format.names().iter().any(|known| known.eq_ignore_ascii_case(name));
    if reads(format) {
        return None;
    }
    Some(match Format::ALL.into_iter().find(|other| reads(*other)) {
        Some(other) => format!("{name}: not read; that takes --format {}", other.name()),
        None => format!("{name}: carries no context that is known here"),
    })
}
