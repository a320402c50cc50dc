//! Spans as they were recorded against spans as they came back.

use clewline::exporter::FinishedSpan;

use crate::verdict::Outcome;

/// The most lines that are told about what differs.
const LINES: usize = 12;

/// Every field of every span, whatever the order of the spans.
pub(crate) fn spans(recorded: &[FinishedSpan], found: &[FinishedSpan]) -> Outcome {
    let mut differences = Vec::new();
    for span in recorded {
        match found.iter().filter(|other| other.span_id == span.span_id).collect::<Vec<_>>().as_slice() {
            [] => differences.push(format!("{}: did not come back", span.name)),
            [other] => differences.extend(lines(&span.name, &format!("{span:#?}"), &format!("{other:#?}"))),
            several => differences.push(format!("{}: came back {} times", span.name, several.len())),
        }
    }
    for other in found.iter().filter(|other| !recorded.iter().any(|span| span.span_id == other.span_id)) {
        differences.push(format!("{}: nobody sent it", other.name));
    }
    verdict(recorded.len(), differences)
}

/// A verdict over so many spans.
pub(crate) fn verdict(spans: usize, mut differences: Vec<String>) -> Outcome {
    if spans == 0 {
        differences.push("there is nothing to compare".to_owned());
    }
    if differences.is_empty() {
        return Ok(format!("{spans} spans"));
    }
    let more = differences.len().saturating_sub(LINES);
    differences.truncate(LINES);
    if more > 0 {
        differences.push(format!("and {more} lines more"));
    }
    Err(differences)
}

/// The lines that only one of two texts has. By text, because not-a-number is not equal to itself.
fn lines(name: &str, recorded: &str, found: &str) -> Vec<String> {
    if recorded == found {
        return Vec::new();
    }
    let only = |one: &str, other: &str, sign: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        let missing = one.lines().filter(|line| !other.contains(line));
        missing.map(|line| format!("{name}: {sign} {}", line.trim())).collect()
    };
    let mut differences = only(recorded, found, "-");
    differences.extend(only(found, recorded, "+"));
    if differences.is_empty() {
        differences.push(format!("{name}: the same lines in another order"));
    }
    differences
}
