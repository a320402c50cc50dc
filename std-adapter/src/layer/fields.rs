//! Fields of a `tracing` span: most become attributes, those that OpenTelemetry has a place for go there.

use std::error::Error;
use std::fmt;

use clewline_core::{SpanKind, Status, StatusCode};
use tracing_core::Field;
use tracing_core::field::Visit;
use tracing_core::span::Attributes;

use super::scratch::{Scratch, Staged};
use crate::pipeline::Recording;

const NAME: &str = "otel.name";
const KIND: &str = "otel.kind";

/// Writes the fields of a new span, which no one else can see yet, straight into it.
pub(super) struct NewSpan<'r> {
    pub(super) recording: &'r mut Recording,
    pub(super) scratch: &'r mut Scratch,
}

impl NewSpan<'_> {
    #[inline]
    fn count_cut(&mut self) {
        if self.scratch.cut() > 0 {
            self.recording.span.count_truncated(self.scratch.take_cut());
        }
    }
}

impl Visit for NewSpan<'_> {
    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.recording.span.set(field.name(), value);
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.recording.span.set(field.name(), value);
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.recording.span.set(field.name(), value);
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        set_text(self.recording, field.name(), value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.recording.span.set(field.name(), value);
    }

    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        self.scratch.clear_text();
        let (message, sources) = self.scratch.format_error(value);
        set_error(self.recording, "", self.scratch.text(&message), self.scratch.text(&sources));
        self.count_cut();
    }

    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.scratch.clear_text();
        self.scratch.format(value);
        set_text(self.recording, field.name(), self.scratch.all_text());
        self.count_cut();
    }
}

/// Writes fields that were staged into a span that others can see. Runs no foreign code.
pub(super) fn set_staged(recording: &mut Recording, scratch: &Scratch) {
    for (name, staged) in scratch.fields() {
        set_one_staged(recording, scratch, name, staged);
    }
    if scratch.cut() > 0 {
        recording.span.count_truncated(scratch.cut());
    }
}

/// Writes one field that was staged.
pub(super) fn set_one_staged(recording: &mut Recording, scratch: &Scratch, name: &str, staged: &Staged) {
    match staged {
        Staged::Text(range) => set_text(recording, name, scratch.text(range)),
        Staged::Error(message, sources) => {
            set_error(recording, "", scratch.text(message), scratch.text(sources));
        }
        other => {
            recording.span.set(name, scratch.value(other));
        }
    }
}

/// A field that does not become an attribute.
pub(super) enum Special<'s> {
    /// The span's name.
    Name(&'s str),
    /// Its kind.
    Kind(SpanKind),
    /// An error, or a part of the status.
    Other,
}

/// Whether a field of a new span has a place of its own.
pub(super) fn special<'s>(name: &str, staged: &Staged, scratch: &'s Scratch) -> Option<Special<'s>> {
    let text = match staged {
        Staged::Text(range) => scratch.text(range),
        Staged::Error(..) => return Some(Special::Other),
        _ => return None,
    };
    match name {
        NAME => Some(Special::Name(text)),
        KIND => kind(text).map(Special::Kind),
        "otel.status_code" if is_status_code(text) => Some(Special::Other),
        "otel.status_description" | "otel.status_message" => Some(Special::Other),
        _ => None,
    }
}

fn is_status_code(text: &str) -> bool {
    text.eq_ignore_ascii_case("ok") || text.eq_ignore_ascii_case("error")
}

#[inline]
fn set_text(recording: &mut Recording, name: &str, text: &str) {
    if !name.starts_with("otel.") || !set_special(recording, name, text) {
        recording.span.set(name, text);
    }
}

/// Puts a field with a meaning of its own in its place. Answers whether it has one.
#[inline(never)]
fn set_special(recording: &mut Recording, name: &str, text: &str) -> bool {
    let span = &mut recording.span;
    match name {
        NAME => {
            span.set_name(text);
        }
        KIND => match kind(text) {
            Some(kind) => {
                span.set_kind(kind);
            }
            None => return false,
        },
        "otel.status_code" if text.eq_ignore_ascii_case("ok") => {
            span.set_status(Status::OK);
        }
        "otel.status_code" if text.eq_ignore_ascii_case("error") => {
            // The description may have come before the code, and is then there already.
            if span.status_code() != StatusCode::Error {
                span.set_status(Status::error(""));
            }
        }
        // Only errors are described (OpenTelemetry trace API, "Set Status"), so a description implies the code. An `Ok`
        // that comes before or after it stands.
        "otel.status_description" | "otel.status_message" => {
            span.set_status(Status::error(text));
        }
        _ => return false,
    }
    true
}

/// Records an error of the span: the event `exception`, and the status if nobody has judged yet.
pub(super) fn set_error(recording: &mut Recording, exception_type: &str, message: &str, sources: &str) {
    let now = recording.now();
    recording.span.record_exception(exception_type, message, sources, now);
    if recording.span.status_code() == StatusCode::Unset {
        recording.span.set_status(Status::error(message));
    }
}

/// The kind that a text names, in any case.
fn kind(text: &str) -> Option<SpanKind> {
    [SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal]
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(text))
}

/// What a span says about itself in its fields and the sampler is to see: its name and its kind.
pub(super) fn name_and_kind<'s>(attributes: &Attributes<'_>, scratch: &'s mut Scratch) -> (&'s str, SpanKind) {
    scratch.clear_text();
    let mut seen = Introduction { scratch, name: None, kind: SpanKind::Internal };
    attributes.record(&mut seen);
    let Introduction { scratch, name, kind } = seen;
    (name.map_or(attributes.metadata().name(), |range| scratch.text(&range)), kind)
}

struct Introduction<'s> {
    scratch: &'s mut Scratch,
    name: Option<std::ops::Range<usize>>,
    kind: SpanKind,
}

impl Visit for Introduction<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        // A text's `Display` in place of its `Debug`, which would quote it.
        self.record_debug(field, &format_args!("{value}"));
    }

    // Neither names anything. Left to the trait, every program would have the code that formats them.
    fn record_f64(&mut self, _: &Field, _: f64) {}
    fn record_bytes(&mut self, _: &Field, _: &[u8]) {}

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            NAME => self.name = Some(self.scratch.format(value)),
            KIND => {
                let range = self.scratch.format(value);
                if let Some(kind) = kind(self.scratch.text(&range)) {
                    self.kind = kind;
                }
            }
            _ => {}
        }
    }
}
