//! `ExportTraceServiceResponse.partial_success`: how a collector says that it took a request, but not all of its spans.

use super::ExportOutcome;
use super::wire::{Fields, Value};

/// The longest explanation that is passed on, in characters.
const LONGEST_MESSAGE: usize = 256;

/// `ExportTraceServiceResponse.partial_success`, if it says anything. A message that cannot be read says nothing.
pub(super) fn partial_success(response: &[u8]) -> Option<ExportOutcome> {
    let partial = fields(response)?.into_iter().filter_map(|(number, value)| bytes(number, value, 1)).next_back()?;
    let (mut rejected, mut message) = (0, String::new());
    for (number, value) in fields(partial)? {
        match (number, value) {
            // An int64; a negative count is nonsense and counts as none.
            (1, Value::Varint(count)) => rejected = u64::try_from(count.cast_signed()).unwrap_or(0),
            (2, Value::Bytes(text)) => message = shorten(text),
            _ => {}
        }
    }
    outcome(rejected, message)
}

/// What it stands for.
pub(super) fn outcome(rejected: u64, message: String) -> Option<ExportOutcome> {
    (rejected > 0 || !message.is_empty()).then_some(ExportOutcome::PartiallyRejected { rejected, message })
}

/// The content of a field, if it is the one that is wanted.
pub(super) fn bytes<'a>(number: u64, value: Value<'a>, wanted: u64) -> Option<&'a [u8]> {
    match value {
        Value::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    }
}

/// All fields of a message, or `None` if it is not protobuf to its end.
pub(super) fn fields(message: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut fields = Fields::new(message);
    let list = fields.by_ref().map(|field| (field.number, field.value)).collect();
    fields.rest().is_empty().then_some(list)
}

/// Text fit for one line of a log: no control characters, and not longer than needed.
pub(super) fn shorten(text: &[u8]) -> String {
    // Four bytes a character at most, so this never cuts off a character that would be shown.
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * LONGEST_MESSAGE)]);
    let clean = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    clean.take(LONGEST_MESSAGE).collect::<String>().trim().to_owned()
}
